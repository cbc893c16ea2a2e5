"""Staff award a badge by hand and revoke it: in a real browser, by the keyboard alone, in a narrow window."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from badges.models import Badge, BadgeChange
from tests.acceptance.pages import logged_in
from tests.acceptance.test_admin_applications import NARROW, fits
from tests.factories import BadgeTemplateFactory, UserFactory

pytestmark = [pytest.mark.any_database, pytest.mark.django_db(transaction=True)]


@pytest.fixture(params=[True, False], ids=["with-javascript", "without-javascript"])
def admin(request: pytest.FixtureRequest, browser: Browser, live_server: LiveServer, admin_user: Any) -> Iterator[Page]:
    context = browser.new_context(
        base_url=live_server.url, java_script_enabled=request.param, viewport={"width": NARROW, "height": 800}
    )
    yield logged_in(context)
    context.close()


def seen(page: Page, name: str) -> None:
    """Keep a picture for whoever wants to look at it."""
    if folder := os.environ.get("BADGES_TEST_PICTURES"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def test_a_badge_is_awarded_and_revoked_by_hand(admin: Page, admin_user: Any) -> None:
    template = BadgeTemplateFactory(name="Python for beginners")
    learner = UserFactory(username="anna")

    admin.goto(f"/admin/badges/badgetemplate/{template.pk}/change/")
    assert fits(admin)
    admin.get_by_role("link", name="Award a badge...").press("Enter")
    expect(admin).to_have_title("Award a badge | Django site admin")
    assert fits(admin)
    admin.get_by_label("Learner").fill("nobody")
    admin.get_by_role("button", name="Award the badge").press("Enter")
    expect(admin.locator(".errornote")).to_have_text("Please correct the errors below.")
    expect(admin.locator(".errorlist").first).to_contain_text("There is no active user")
    seen(admin, "award-errors")
    assert fits(admin)
    assert not Badge.objects.exists()
    admin.get_by_label("Learner").fill("anna")
    admin.get_by_label("Reason").fill("Took part in the trial.")
    admin.get_by_role("button", name="Award the badge").press("Enter")

    expect(admin.locator(".messagelist")).to_contain_text("The badge was awarded.")
    expect(admin.locator("#changes-group")).to_contain_text("Took part in the trial.")
    seen(admin, "badge")
    assert fits(admin)
    badge = Badge.objects.get(user=learner, template=template)

    admin.goto(f"/admin/badges/badgetemplate/{template.pk}/award/")
    admin.get_by_label("Learner").fill("anna@example.com")
    admin.get_by_label("Reason").fill("Once more.")
    admin.get_by_role("button", name="Award the badge").press("Enter")
    expect(admin.locator("#content")).to_contain_text("The learner has this badge already. Nothing was changed.")
    seen(admin, "award-again")
    assert fits(admin)
    admin.get_by_role("link", name="Python for beginners - anna").press("Enter")

    admin.get_by_role("link", name="Revoke...").press("Enter")
    expect(admin).to_have_title("Revoke a badge | Django site admin")
    expect(admin.locator(".badges-warnings")).to_contain_text("This is final")
    seen(admin, "revoke")
    assert fits(admin)
    admin.get_by_label("Reason").fill("It was another Anna.")
    admin.get_by_role("button", name="Revoke the badge").press("Enter")
    expect(admin.locator(".messagelist")).to_contain_text("The badge was revoked.")
    expect(admin.locator("#changes-group")).to_contain_text("It was another Anna.")
    expect(admin.get_by_role("link", name="Revoke...")).to_have_count(0)

    changes = BadgeChange.objects.order_by("pk").values_list("badge", "action", "by", "reason")
    assert list(changes) == [
        (badge.pk, "awarded", admin_user.pk, "Took part in the trial."),
        (badge.pk, "revoked", admin_user.pk, "It was another Anna."),
    ]
    logged = LogEntry.objects.order_by("pk").values_list("user", "object_id", "change_message")
    assert list(logged) == [
        (admin_user.pk, str(badge.pk), "Awarded by hand: Took part in the trial."),
        (admin_user.pk, str(badge.pk), "Revoked by hand: It was another Anna."),
    ]
