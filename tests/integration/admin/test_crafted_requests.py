"""What no form offers and somebody sends all the same."""

from __future__ import annotations

import pytest
from django.contrib.admin import site
from django.db.models import Model
from django.test import Client

from badges.models import BadgeTemplate
from tests.factories import CCX_PASSING, BadgeTemplateFactory, RequirementFactory
from tests.integration.admin.pages import Staff, url

pytestmark = pytest.mark.django_db


def test_requirements_that_the_request_only_claims_to_be_there_activate_nothing(staff: Staff) -> None:
    template = BadgeTemplateFactory(is_active=False)
    client = staff("change_badgetemplate", "view_badgetemplate", "view_badgerequirement")

    client.post(
        url("badgetemplate", template.pk, "change"),
        {
            "name": template.name,
            "description": "",
            "is_active": "on",
            "requirements-TOTAL_FORMS": "1",
            "requirements-INITIAL_FORMS": "1",
            "penalties-TOTAL_FORMS": "0",
            "penalties-INITIAL_FORMS": "0",
        },
    )

    assert not BadgeTemplate.objects.get().is_active


def test_an_event_type_that_the_stored_rules_cannot_have_is_refused_on_the_template_page(admin_client: Client) -> None:
    requirement = RequirementFactory(
        template__is_active=False, rules=[("course.course_key", "eq", "course-v1:edX+DemoX+2026")]
    )
    template = requirement.template

    page = admin_client.post(
        url("badgetemplate", template.pk, "change"),
        {
            "name": template.name,
            "description": "",
            "requirements-TOTAL_FORMS": "1",
            "requirements-INITIAL_FORMS": "1",
            "requirements-0-id": str(requirement.pk),
            "requirements-0-template": str(template.pk),
            "requirements-0-event_type": CCX_PASSING,
            "penalties-TOTAL_FORMS": "0",
            "penalties-INITIAL_FORMS": "0",
        },
    )

    assert "does not fit this event type" in page.content.decode()
    requirement.refresh_from_db()
    assert requirement.event_type != CCX_PASSING


@pytest.mark.parametrize("way", ["cancel", "done", "retry"])
def test_the_number_of_a_delivery_that_no_column_can_hold_changes_nothing(admin_client: Client, way: str) -> None:
    answer = admin_client.post(url("delivery", "9" * 20, way), {"reason": "Sent.", "ids": "9" * 20})

    assert answer.status_code in (200, 302)


@pytest.mark.parametrize("query", ["template=9999999999999999999999999", "template=x", "provider_slug=%00"])
@pytest.mark.parametrize("model", ["badge", "badgeprogress", "credlybadge"])
def test_filters_that_nothing_offers_show_an_empty_list(admin_client: Client, model: str, query: str) -> None:
    assert admin_client.get(f"{url(model)}?{query}").status_code in (200, 302)


@pytest.mark.parametrize("number", [0, 2**63, 10**30])
@pytest.mark.parametrize("model", [model for model in site._registry if model._meta.app_label == "badges"])
def test_a_number_that_no_row_has_is_no_error(admin_client: Client, model: type[Model], number: int) -> None:
    pages = [str(one.pattern) for one in site.get_model_admin(model).get_urls() if "object_id" in str(one.pattern)]

    for page in pages:
        address = url(model._meta.model_name or "", *page.strip("/").split("/")).replace("<int:object_id>", str(number))
        address = address.replace("<path:object_id>", str(number)).replace("<int:evidence_id>", str(number))
        for answer in (admin_client.get(address), admin_client.post(address, {"reason": "x"})):
            assert answer.status_code < 500, address
