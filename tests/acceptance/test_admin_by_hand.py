"""Staff award a badge by hand and revoke it: in a real browser, by the keyboard alone, in a narrow window."""

from __future__ import annotations

import os
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from playwright.sync_api import Locator, Page, expect

from badges.models import Badge, BadgeChange, Delivery
from tests.acceptance.pages import NARROW, WIDE, assert_usable, fits
from tests.factories import BadgeFactory, BadgeTemplateFactory, CredlyBadgeTemplateFactory, DeliveryFactory, UserFactory

pytestmark = [pytest.mark.any_database, pytest.mark.django_db(transaction=True)]


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


@pytest.mark.parametrize("admin", [True], ids=["with-javascript"], indirect=True)
@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_long_names_and_long_words_fit_the_window_and_stand_beside_no_button(admin: Page, width: int) -> None:
    template = CredlyBadgeTemplateFactory(name="<b>Programming</b> & " + "Introduction" * 12, image_url="")
    learner = UserFactory(username="a" * 40 + "@" + "b" * 60 + ".example.com")
    badge = BadgeFactory(template=template, user=learner)
    badge.changes.create(action=BadgeChange.Action.AWARDED, reason="https://example.com/" + "x" * 400)
    deletion = DeliveryFactory(badge=badge, action=Delivery.Action.DELETE, last_error="y" * 300)
    admin.set_viewport_size({"width": width, "height": 800})

    assert_usable(
        admin,
        [
            f"/admin/badges/credlybadgetemplate/{template.pk}/change/",
            f"/admin/badges/credlybadgetemplate/{template.pk}/award/",
            f"/admin/badges/badge/{badge.pk}/revoke/",
            f"/admin/badges/delivery/{deletion.pk}/change/",
            f"/admin/badges/delivery/{deletion.pk}/cancel/",
            f"/admin/badges/credlybadge/{badge.pk}/change/",
        ],
    )
    seen(admin, f"long-{width}")
    heading, tools = edges(admin.get_by_role("heading", name="Introduction")), edges(admin.locator(".object-tools"))
    assert heading["bottom"] <= tools["top"] or heading["right"] <= tools["left"]
    assert edges(admin.locator(".field-learner .readonly"))["right"] <= width
    assert edges(admin.locator("#changes-group td.field-reason"))["right"] <= width


def edges(shown: Locator) -> dict[str, float]:
    """Where something stands in the window, in pixels."""
    return dict(shown.evaluate("shown => shown.getBoundingClientRect().toJSON()"))
