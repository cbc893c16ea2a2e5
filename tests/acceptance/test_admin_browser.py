"""An operator configures a badge in a real browser, against the provider sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from badges import models
from demo.sandbox.process import RunningSandbox
from demo.sandbox.seed import LARGE_ORGANIZATION_ID, LARGE_ORGANIZATION_TOKEN, MANY, ORGANIZATION_ID, ORGANIZATION_TOKEN
from tests import factories
from tests.acceptance.pages import NARROW, WIDE, assert_usable, logged_in
from tests.factories import CCX_PASSING, COURSE, PASSING

pytestmark = [pytest.mark.any_database, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def admin(browser: Browser, live_server: LiveServer, admin_user: Any, configured: RunningSandbox) -> Iterator[Page]:
    with logged_in(browser, live_server.url, WIDE) as page:
        yield page


def add_organization(page: Page, identifier: str, key: str) -> None:
    page.goto("/admin/badges/credlyorganization/add/")
    page.get_by_label("Organization UUID").fill(identifier)
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Save and continue editing").click()


def test_an_organization_is_checked_and_its_templates_are_synchronized(admin: Page) -> None:
    add_organization(admin, ORGANIZATION_ID, "wrong")
    expect(admin.locator(".errorlist.nonfield")).to_contain_text("Credly")
    assert not models.CredlyOrganization.objects.exists()

    add_organization(admin, ORGANIZATION_ID, ORGANIZATION_TOKEN)
    expect(admin.locator(".messagelist")).to_contain_text('which knows this account as "Sandbox University"')
    expect(admin.get_by_label("Name")).to_have_value("Sandbox University")
    expect(admin.get_by_label("API key")).to_have_value("")

    admin.get_by_role("button", name="Sync templates").press("Enter")
    expect(admin.locator(".messagelist")).to_contain_text("Sandbox University: 5 created, 0 updated, 0 unchanged")
    assert set(models.CredlyBadgeTemplate.objects.values_list("is_active", flat=True)) == {False}


def test_the_action_of_the_list_reads_every_page_of_the_provider(admin: Page) -> None:
    add_organization(admin, LARGE_ORGANIZATION_ID, LARGE_ORGANIZATION_TOKEN)
    admin.goto("/admin/badges/credlyorganization/")
    admin.get_by_label("Action:").select_option(label="Sync organization badge templates")
    admin.locator("input.action-select").check()
    admin.locator(".actions button[type=submit]").click()
    expect(admin.locator(".messagelist")).to_contain_text(f"{MANY} created")
    assert models.CredlyBadgeTemplate.objects.count() == MANY


def test_a_template_is_activated_once_it_has_a_requirement(admin: Page) -> None:
    template = factories.CredlyBadgeTemplateFactory(is_active=False, image_url="")
    address = f"/admin/badges/credlybadgetemplate/{template.pk}/change/"
    admin.goto(address)
    admin.get_by_label("Active").check()
    admin.get_by_role("button", name="Save", exact=True).click()
    expect(admin.locator("#requirements-group .errorlist")).to_contain_text("cannot be active without a requirement")

    admin.get_by_text("Add another Badge requirement").click()
    requirement = admin.locator("#requirements-0")
    requirement.get_by_label("Event type").select_option(PASSING)
    requirement.get_by_label("Group").fill("A")
    admin.get_by_role("button", name="Save", exact=True).click()
    expect(admin.locator(".messagelist")).to_contain_text("has no rules: every event of type")
    template.refresh_from_db()
    assert template.is_active


def test_a_rule_offers_the_key_paths_of_the_chosen_event_and_says_what_to_enter(admin: Page) -> None:
    template = factories.BadgeTemplateFactory(is_active=False, name="Python")
    admin.goto(f"/admin/badges/badgerequirement/add/?template={template.pk}")
    admin.get_by_text("Add another Data rule").click()
    rule = admin.locator("#rules-0")
    path = rule.get_by_label("Key path")
    assert path.locator("optgroup").count() == 2, "grouped by event type while none is chosen"

    admin.get_by_label("Event type").select_option(CCX_PASSING)
    expect(path.locator("option")).to_have_text(["---------", *offered(CCX_PASSING)])
    admin.get_by_label("Event type").select_option(PASSING)
    expect(path.locator("option")).to_have_text(["---------", "is_passing", "course.course_key"])

    path.select_option("course.course_key")
    expect(rule.locator(".badges-hint")).to_have_text("A CourseKey, for example: course-v1:edX+DemoX+2026")
    rule.get_by_label("Value").fill("DemoX")
    admin.get_by_role("button", name="Save", exact=True).click()
    expect(admin.locator("#rules-0 .errorlist")).to_contain_text('"DemoX" is not a CourseKey')

    admin.locator("#rules-0").get_by_label("Value").fill(COURSE)
    admin.get_by_role("button", name="Save", exact=True).click()
    expect(admin.locator(".messagelist")).to_contain_text("was added successfully")
    assert str(models.DataRule.objects.get()) == f"course.course_key = {COURSE}"


def offered(event_type: str) -> list[str]:
    from badges.admin import key_paths

    return [item.path for item in key_paths.offered(event_type)]


def test_a_penalty_is_configured_with_the_keyboard_alone(admin: Page) -> None:
    requirement = factories.RequirementFactory(template__is_active=False, template__name="Python", description="Pass")
    admin.goto("/admin/badges/badgepenalty/add/")
    admin.locator(".field-template .select2-selection").focus()
    admin.keyboard.press("Enter")
    admin.locator(".select2-search__field").press_sequentially("Pyth")
    expect(admin.locator(".select2-results__option--highlighted")).to_have_text("Python")
    admin.keyboard.press("Enter")
    admin.get_by_label("Event type").focus()
    admin.keyboard.type("org.openedx.learning.course")
    admin.get_by_role("button", name="Save", exact=True).press("Enter")

    expect(admin.locator(".messagelist")).to_contain_text("Now choose the requirements that it resets")
    admin.get_by_label("Pass").press("Space")
    admin.get_by_role("button", name="Save", exact=True).press("Enter")
    expect(admin.locator(".messagelist")).to_contain_text("was changed successfully")
    assert list(models.BadgePenalty.objects.get().requirements.all()) == [requirement]


def rows_of_every_screen() -> dict[str, int]:
    """A row for every screen, with texts as long as they get."""
    template = factories.CredlyBadgeTemplateFactory(name="Introduction to Programming " * 5, image_url="")
    requirement = factories.RequirementFactory(template=template, rules=[("course.course_key", "eq", COURSE)])
    penalty = factories.PenaltyFactory(template=template, resets=[requirement], rules=[("is_passing", "eq", "false")])
    evidence = {"course.course_key": f"course-v1:{'Long' * 20}+X+Y"}
    fulfillment = factories.FulfillmentFactory(progress__template=template, requirement=requirement, evidence=evidence)
    badge = factories.BadgeFactory(template=template, url=f"https://www.credly.com/{'x' * 200}")
    delivery = factories.DeliveryFactory(badge=badge, last_error="Credly did not answer. " * 10)
    models.DeliveryAttempt.objects.create(
        delivery=delivery, number=1, started_at=factories.EPOCH, duration_ms=1, outcome="retry", detail="x" * 200
    )
    group = factories.AccredibleGroupFactory(image_url="")
    return {
        "credlyorganization": template.account_id,
        "accredibleapiconfig": group.account_id,
        "provideraccount": group.account_id,
        "badgetemplate": factories.BadgeTemplateFactory(image_url="").pk,
        "credlybadgetemplate": template.pk,
        "accrediblegroup": group.pk,
        "badgerequirement": requirement.pk,
        "badgepenalty": penalty.pk,
        "badgeprogress": fulfillment.progress_id,
        "badge": badge.pk,
        "credlybadge": badge.pk,
        "delivery": delivery.pk,
        "deadevent": factories.DeadEventFactory(payload=evidence, error="x" * 300).pk,
    }


def test_every_screen_fits_a_narrow_window_and_labels_its_inputs(admin: Page) -> None:
    admin.set_viewport_size({"width": NARROW, "height": 800})
    for model, pk in rows_of_every_screen().items():
        assert_usable(admin, [f"/admin/badges/{model}/", f"/admin/badges/{model}/{pk}/change/"])
