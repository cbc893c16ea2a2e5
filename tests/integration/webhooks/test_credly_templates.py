"""Templates made, changed and deleted at Credly are so here; none is deleted with its requirements and history."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.sites.models import Site

from badges import models
from badges.models import BadgeTemplate, ConfigurationVersion
from tests import credly_events as at_credly
from tests.credly_events import TEMPLATE, event, template, time
from tests.factories import BadgeFactory, CredlyBadgeTemplateFactory, RequirementFactory
from tests.integration.webhooks.credly import World, apply_event

NEW = "02263704-7593-4436-bf10-3a623bd95fd0"


def known(external_id: str = TEMPLATE) -> BadgeTemplate:
    return BadgeTemplate.objects.get(external_id=external_id)


@pytest.mark.parametrize("event_type", ["badge_template.created", "badge_template.changed"])
def test_a_template_that_is_not_known_is_added_inactive(credly: World, event_type: str) -> None:
    row = credly.happens(event_type, 5, badge_template=template(id=NEW, name="Rust", updated_at=time(4)))
    added = known(NEW)
    assert (added.name, added.state, added.is_active, added.skills) == ("Rust", "active", False, ["Python"])
    assert added.account_id == credly.account.pk
    assert added.state_at == at_credly.moment_of({"occurred_at": time(4)})
    assert row.note == 'The badge template "Rust" was added; it is not active.'


def test_a_new_template_is_of_the_site_of_the_others(credly: World) -> None:
    site = Site.objects.create(domain="site.example")
    BadgeTemplate.objects.update(site=site)
    credly.happens("badge_template.created", badge_template=template(id=NEW))
    assert known(NEW).site == site


def test_of_several_sites_a_new_template_is_of_none(credly: World) -> None:
    for number in range(2):
        site = Site.objects.create(domain=f"site{number}.example")
        CredlyBadgeTemplateFactory(account=credly.account, site=site)
    credly.happens("badge_template.created", badge_template=template(id=NEW))
    assert known(NEW).site is None


def test_a_template_is_changed_and_stays_active(credly: World) -> None:
    token = ConfigurationVersion.current()
    row = credly.happens("badge_template.changed", badge_template=template(name="Python 4", description="More."))
    assert (known().name, known().description, known().is_active) == ("Python 4", "More.", True)
    assert "was changed" in row.note
    # Consumers read the rules again.
    assert ConfigurationVersion.current() != token


def test_a_template_that_is_the_same_is_left_alone(credly: World) -> None:
    same = template(name="Python")
    credly.happens("badge_template.changed", 1, badge_template=same)
    token = ConfigurationVersion.current()
    row = credly.happens("badge_template.changed", 2, badge_template={**same, "updated_at": time(2)})
    assert row.status == "ignored"
    assert ConfigurationVersion.current() == token
    assert known().state_at == at_credly.moment_of({"occurred_at": time(2)})


def test_an_older_change_never_overwrites_a_newer_one(credly: World) -> None:
    credly.happens("badge_template.changed", 5, badge_template=template(name="New", updated_at=time(5)))
    row = credly.happens("badge_template.changed", 6, badge_template=template(name="Old", updated_at=time(3)))
    assert known().name == "New"
    assert row.status == "ignored"


def test_an_archived_template_is_deactivated(credly: World) -> None:
    row = credly.happens("badge_template.changed", badge_template=template(state="archived"))
    assert (known().state, known().is_active) == ("archived", False)
    assert "archived" in row.note


def test_one_that_comes_back_is_not_activated_by_itself(credly: World) -> None:
    credly.happens("badge_template.changed", 1, badge_template=template(state="archived", updated_at=time(1)))
    credly.happens("badge_template.changed", 2, badge_template=template(updated_at=time(2)))
    assert (known().state, known().is_active) == ("active", False)


def test_a_deleted_template_is_archived_and_what_depends_on_it_is_named(credly: World) -> None:
    RequirementFactory(template=credly.template, description="Pass the course")
    BadgeFactory(template=credly.template)
    row = credly.happens("badge_template.deleted", 9, badge_template=template())
    assert (known().state, known().is_active) == ("archived", False)
    assert models.BadgeRequirement.objects.count() == models.Badge.objects.count() == 1
    assert row.note.startswith(
        '"Python" is no longer at the provider: archived and deactivated. On it depend: 1 badge;'
    )
    assert "Pass the course" in row.note


def test_a_template_that_is_deleted_twice_is_told_once(credly: World) -> None:
    credly.happens("badge_template.deleted", 8, badge_template=template())
    assert credly.happens("badge_template.deleted", 9, badge_template=template()).status == "ignored"


def test_a_deletion_that_is_told_before_the_change_stays(credly: World) -> None:
    credly.happens("badge_template.deleted", 9, badge_template={"id": TEMPLATE})
    credly.happens("badge_template.changed", 8, badge_template=template(updated_at=time(8)))
    assert (known().state, known().is_active) == ("archived", False)


def test_a_deletion_and_a_change_at_the_same_time_end_in_the_deletion(credly: World) -> None:
    credly.happens("badge_template.deleted", 9, badge_template={"id": TEMPLATE})
    credly.happens("badge_template.changed", 9, badge_template=template(updated_at=time(9)))
    assert known().state == "archived"


def test_the_deletion_of_a_template_that_is_not_known_changes_nothing(credly: World) -> None:
    row = credly.happens("badge_template.deleted", badge_template={"id": NEW})
    assert row.status == "ignored"
    assert BadgeTemplate.objects.count() == 1


def test_a_template_of_another_account_is_another_template(credly: World) -> None:
    other = CredlyBadgeTemplateFactory(external_id=NEW, name="Theirs")
    credly.happens("badge_template.deleted", badge_template={"id": NEW})
    other.refresh_from_db()
    assert other.is_active


@pytest.mark.parametrize(
    "values",
    [
        {"name": "x" * 5000, "description": "\x00\ud800", "skills": ["\x00", 7, None, "x" * 5000]},
        {"name": "", "image_url": "javascript:alert(1)", "state": "\ud800"},
        {"name": "n", "badge_template_activities": [{"title": "\x00" * 900, "activity_url": "https://x.example/\x00"}]},
        {"name": "n", "updated_at": "0001-01-01T00:00:00+23:59", "state_updated_at": [], "state": 7},
    ],
)
def test_values_that_no_column_holds_fail_nothing(credly: World, values: dict[str, Any]) -> None:
    apply_event(event("badge_template.created", badge_template=template(**{"id": NEW, **values})), credly.account)
    assert known(NEW).is_active is False
