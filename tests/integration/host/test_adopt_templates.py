"""Adopting badge templates and groups: under their primary keys, and active only where that is safe."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.contrib.sites.models import Site

from badges.host.adoption import tables
from badges.models import (
    AdoptedRow,
    Badge,
    BadgeRequirement,
    BadgeTemplate,
    ConfigurationVersion,
    Delivery,
    ProviderAccount,
)
from badges.processing.configuration import current_ruleset
from tests.factories import (
    PASSING,
    BadgeTemplateFactory,
    CredlyBadgeTemplateFactory,
    CredlyOrganizationFactory,
    UserFactory,
)
from tests.integration.host.built_in import BuiltIn
from tests.integration.host.running import adopt, plan


def test_a_credly_template_keeps_its_keys_and_what_it_says(built_in: BuiltIn) -> None:
    there = built_in.credly_template(pk=77, name="Python", description="For those.", icon="https://x.example.com/a.png")

    adopt()

    here = BadgeTemplate.objects.get()
    assert (here.pk, here.uuid, here.external_id) == (77, there.uuid, str(there.uuid))
    assert (here.name, here.description, here.image_url) == ("Python", "For those.", "https://x.example.com/a.png")
    assert here.account is not None
    assert (here.provider, here.account.provider, here.state) == ("credly", "credly", "active")


def test_a_group_keeps_its_id_which_is_the_providers(built_in: BuiltIn) -> None:
    there = built_in.group(id=654_321)

    adopt()

    here = BadgeTemplate.objects.get()
    assert (here.pk, here.uuid, here.external_id, here.provider) == (654_321, there.uuid, "654321", "accredible")


def test_a_template_of_no_provider_has_none_here(built_in: BuiltIn) -> None:
    there = built_in.bare_template()
    built_in.requirement(there)

    adopt()

    here = BadgeTemplate.objects.get()
    assert (here.provider, here.account, here.external_id, here.is_active) == ("", None, None, True)


def test_a_template_whose_providers_row_is_gone_is_inactive(built_in: BuiltIn) -> None:
    there = built_in.bare_template(origin="credly")
    built_in.requirement(there)

    ended = adopt()

    here = BadgeTemplate.objects.get()
    assert (here.provider, here.external_id, here.is_active) == ("credly", str(there.uuid), False)
    assert "has no account at its provider" in ended.out


def test_an_active_template_is_active_here_and_takes_part(built_in: BuiltIn) -> None:
    built_in.requirement(built_in.credly_template())
    before = ConfigurationVersion.current()

    adopt()

    assert BadgeTemplate.objects.get().is_active
    assert ConfigurationVersion.current() != before
    assert PASSING in current_ruleset().event_types


def test_an_inactive_template_stays_inactive_and_is_no_news(built_in: BuiltIn) -> None:
    built_in.requirement(built_in.credly_template(is_active=False), rules=())

    ended = adopt()

    assert not BadgeTemplate.objects.get().is_active
    assert "Active there" not in ended.out


@pytest.mark.parametrize("state", ["draft", "archived"])
def test_a_template_that_cannot_be_issued_is_left_inactive(built_in: BuiltIn, state: str) -> None:
    built_in.requirement(built_in.credly_template(state=state))

    ended = adopt()

    here = BadgeTemplate.objects.get()
    assert (here.state, here.is_active) == (state, False)
    assert f'this template is "{state}"' in ended.out


def test_a_template_without_a_requirement_is_left_inactive(built_in: BuiltIn) -> None:
    built_in.credly_template()

    ended = adopt()

    assert not BadgeTemplate.objects.get().is_active
    assert "It has no requirement" in ended.out


def test_the_site_is_kept_where_it_exists(built_in: BuiltIn) -> None:
    site = Site.objects.create(domain="badges.example.com", name="Badges")
    built_in.credly_template(site_id=site.pk, pk=1)
    built_in.credly_template(site_id=site.pk + 1, pk=2)

    ended = adopt()

    assert list(BadgeTemplate.objects.order_by("pk").values_list("site_id", flat=True)) == [site.pk, None]
    assert f"Its site {site.pk + 1} is not there any more" in ended.out


@pytest.mark.parametrize("icon", ["badges/icon.png", "ftp://x.example.com/icon.png", "http://[broken", "http://"])
def test_an_image_without_an_address_is_left_out(built_in: BuiltIn, icon: str) -> None:
    built_in.credly_template(icon=icon)

    ended = adopt()

    assert BadgeTemplate.objects.get().image_url == ""
    assert "Its image is a file of the built-in module" in ended.out


@pytest.mark.parametrize("values", [{"icon": None}, {"description": None}, {"state": None}, {"origin": None}])
def test_what_was_never_filled_in_is_empty_here(built_in: BuiltIn, values: dict[str, Any]) -> None:
    built_in.bare_template(**values)

    assert adopt().status == 0
    assert BadgeTemplate.objects.get().state == "active"


def test_an_overwritten_template_is_adopted_as_the_group_and_reported(built_in: BuiltIn) -> None:
    there = built_in.group(id=12)
    tables.CredlyBadgeTemplate.objects.create(badgetemplate_ptr=there, organization=built_in.organization())
    built_in.requirement(there)

    ended = adopt()

    here = BadgeTemplate.objects.get()
    assert (here.pk, here.provider, here.external_id, here.is_active) == (12, "accredible", "12", False)
    assert "An Accredible group took the id of this Credly template there" in ended.out


def test_an_overwritten_template_that_is_inactive_there_is_reported_too(built_in: BuiltIn) -> None:
    there = built_in.group(is_active=False)
    tables.CredlyBadgeTemplate.objects.create(badgetemplate_ptr=there, organization=built_in.organization())

    ended = adopt()

    assert "An Accredible group took the id of this Credly template there" in ended.out


def test_an_id_that_another_template_has_here_is_refused(built_in: BuiltIn) -> None:
    here = BadgeTemplateFactory(pk=5, name="Mine")
    there = built_in.credly_template(pk=5)
    built_in.requirement(there)
    built_in.progress(there, "anna")

    ended = adopt()

    here.refresh_from_db()
    assert (BadgeTemplate.objects.count(), here.name) == (1, "Mine")
    assert "another template here has its id" in ended.out
    assert "their template is not adopted" in ended.out


def test_a_template_that_was_synchronized_before_is_refused(built_in: BuiltIn) -> None:
    organization = built_in.organization()
    there = built_in.credly_template(organization, pk=5)
    account = CredlyOrganizationFactory(external_id=str(organization.uuid))
    CredlyBadgeTemplateFactory(pk=500, account=account, external_id=str(there.uuid))

    ended = adopt()

    assert list(BadgeTemplate.objects.values_list("pk", flat=True)) == [500]
    assert "a synchronization has made it here under another id" in ended.out


def test_once_it_is_out_of_the_way_the_next_run_adopts_it(built_in: BuiltIn) -> None:
    blocking = BadgeTemplateFactory(pk=5, is_active=False)
    there = built_in.credly_template(pk=5)
    adopt()
    blocking.delete()

    adopt()

    assert BadgeTemplate.objects.get().uuid == there.uuid


def test_a_template_of_a_deleted_account_is_refused(built_in: BuiltIn) -> None:
    organization = built_in.organization()
    adopt()
    ProviderAccount.objects.all().delete()
    built_in.credly_template(organization)

    ended = adopt()

    assert not BadgeTemplate.objects.exists()
    assert "its account is not here" in ended.out


def test_what_staff_changed_here_is_not_overwritten(built_in: BuiltIn) -> None:
    there = built_in.credly_template(name="There")
    built_in.requirement(there)
    adopt()
    BadgeTemplate.objects.update(name="Here", is_active=False)

    adopt()

    here = BadgeTemplate.objects.get()
    assert (here.name, here.is_active) == ("Here", False)


def test_a_template_that_staff_deleted_here_does_not_come_back(built_in: BuiltIn) -> None:
    there = built_in.credly_template(is_active=False)
    built_in.requirement(there)
    adopt()
    BadgeTemplate.objects.get().delete()

    ended = adopt()

    assert not BadgeTemplate.objects.exists()
    assert "it was adopted before, and deleted here since" in ended.out


def test_new_templates_here_get_ids_above_those_there(built_in: BuiltIn) -> None:
    built_in.credly_template(pk=900_000)

    adopt()

    assert BadgeTemplateFactory().pk > 900_000


def test_new_templates_here_leave_the_id_of_one_deleted_there_to_its_badges(built_in: BuiltIn) -> None:
    """The host's records of them would be those of the new template's badges."""
    there = built_in.credly_template(pk=910_000)
    built_in.credly_badge(there, "anna")
    tables.CredlyBadgeTemplate.objects.filter(pk=there.pk).delete()
    tables.BadgeTemplate.objects.filter(pk=there.pk).delete()
    built_in.credly_template()

    adopt()

    assert BadgeTemplateFactory().pk > 910_000


def test_what_was_forgotten_is_recognised(built_in: BuiltIn) -> None:
    """As after going back to a version of this app that knows no adoption, and forward again."""
    there = built_in.credly_template()
    requirement = built_in.requirement(there)
    built_in.penalty(there, [requirement])
    adopt()
    AdoptedRow.objects.all().delete()

    adopt()

    assert BadgeTemplate.objects.get().pk == there.pk
    assert BadgeRequirement.objects.count() == 1
    assert AdoptedRow.objects.count() == 4


def test_a_uuid_that_is_taken_is_refused(built_in: BuiltIn) -> None:
    same = uuid.uuid4()
    BadgeTemplateFactory(uuid=same)
    built_in.bare_template(uuid=same, pk=10_000)

    assert "another template here has its UUID" in adopt().out


def test_a_plan_knows_that_an_account_here_issues_nothing(built_in: BuiltIn) -> None:
    """Its badges wait for nothing, neither in the plan nor once they are adopted."""
    organization = built_in.organization()
    CredlyOrganizationFactory(external_id=str(organization.uuid), is_issuing=False)
    there = built_in.credly_template(organization)
    built_in.requirement(there)
    built_in.credly_badge(there, UserFactory().username, external_uuid=None, state="error")

    planned, adopted = plan(), adopt()

    assert "waiting deliveries" not in planned.out + adopted.out
    assert Badge.objects.exists()
    assert not Delivery.objects.exclude(status="done").exists()


def test_what_belongs_to_a_template_that_is_not_adopted_is_counted(built_in: BuiltIn) -> None:
    there = built_in.credly_template()
    requirement = built_in.requirement(there)
    built_in.penalty(there, [requirement])
    built_in.progress(there, "anna", [requirement])
    BadgeTemplateFactory(pk=there.pk)

    ended = plan()

    for kind, number in {
        "requirements": 1,
        "data rules": 2,
        "penalties": 1,
        "penalty data rules": 2,
        "requirements that a penalty resets": 1,
        "progress records": 1,
        "fulfilments": 1,
    }.items():
        assert f"- {kind}, cannot {number}: their template is not adopted" in ended.out
