"""Templates that take applications: their criteria, and that they need no requirement."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from badges.models import BadgeTemplate, Criterion
from tests.factories import BadgeTemplateFactory, CredlyBadgeTemplateFactory, CriterionFactory
from tests.integration.admin.pages import Staff, act, errors, messages, row, submit, url

pytestmark = pytest.mark.django_db


def test_criteria_are_entered_on_the_page_of_the_template(admin_client: Client) -> None:
    template = BadgeTemplateFactory(is_active=False)
    added = row("review_criteria", 0, description="It works", is_required="on", note="Look.", position=3)

    submit(admin_client, url("badgetemplate", template.pk, "change"), takes_applications="on", **added)

    template.refresh_from_db()
    assert (template.takes_applications, template.awards_on_approval) == (True, False)
    criterion = template.review_criteria.get()
    assert (criterion.description, criterion.is_required, criterion.note, criterion.position) == (
        "It works",
        True,
        "Look.",
        3,
    )


@pytest.mark.parametrize("way", ["takes_applications", "awards_on_approval"])
def test_a_template_that_is_applied_for_is_active_without_a_requirement(admin_client: Client, way: str) -> None:
    template = BadgeTemplateFactory(is_active=False)
    page = url("badgetemplate", template.pk, "change")

    assert "without a requirement" in errors(submit(admin_client, page, is_active="on"))
    changes: dict[str, Any] = {way: "on"}
    submit(admin_client, page, is_active="on", **changes)

    template.refresh_from_db()
    assert template.is_active
    assert "without a requirement" in errors(submit(admin_client, page, without=(way,)))


def test_the_action_activates_it_too(admin_client: Client) -> None:
    template = BadgeTemplateFactory(is_active=False, takes_applications=True)

    act(admin_client, "badgetemplate", "activate", template)

    assert BadgeTemplate.objects.get(pk=template.pk).is_active


def test_the_providers_criteria_are_copied_once(admin_client: Client) -> None:
    told = [
        {"title": "Pass the exam", "url": ""},
        {"title": "", "url": "https://example.com/"},
        {"title": "", "url": ""},
    ]
    template = CredlyBadgeTemplateFactory(criteria=told)
    CriterionFactory(template=template, description="Made here")

    first = act(admin_client, "credlybadgetemplate", "copy_criteria", template)
    again = act(admin_client, "credlybadgetemplate", "copy_criteria", template)

    assert messages(first) == ["2 review criteria were added."]
    assert messages(again) == ["0 review criteria were added."]
    descriptions = template.review_criteria.values_list("description", flat=True)
    assert set(descriptions) == {"Made here", "Pass the exam", "https://example.com/"}


def test_criteria_are_copied_only_by_who_may_add_some(staff: Staff) -> None:
    template = CredlyBadgeTemplateFactory(criteria=[{"title": "Pass the exam", "url": ""}])

    client = staff("change_credlybadgetemplate", "view_credlybadgetemplate")

    answer = act(client, "credlybadgetemplate", "copy_criteria", template)

    assert messages(answer) == ["You have no permission to add review criteria."]
    assert not Criterion.objects.exists()
