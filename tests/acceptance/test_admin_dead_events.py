"""Staff look at a dead event, discard it, put it back and replay it, in a real browser, by the keyboard alone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from badges.exceptions import UnreadableMessage, UnreadablePayload
from badges.models import Badge, DeadEvent
from badges.processing.dead_events import incoming, park, park_message
from tests import factories
from tests.acceptance.pages import fits
from tests.integration.bus_messages import fields, origin

pytestmark = [pytest.mark.any_database, pytest.mark.django_db(transaction=True)]


def parked(username: str = "anna", error: str = "It was too early.") -> DeadEvent:
    data = factories.passing_status(username)
    return park(incoming(factories.metadata(), {"course_passing_status": data}), UnreadablePayload(error))


def test_a_dead_event_is_looked_at_discarded_put_back_and_replayed(admin: Page) -> None:
    factories.RequirementFactory()
    dead = parked()
    address = f"/admin/badges/deadevent/{dead.pk}/change/"

    admin.goto("/admin/badges/deadevent/")
    admin.locator("#result_list").get_by_role("link", name=factories.PASSING).press("Enter")
    expect(admin.locator(".field-shown_payload")).to_contain_text("********")
    expect(admin.locator("body")).not_to_contain_text("anna@example.com")
    assert fits(admin)
    admin.get_by_role("button", name="Show personal data").press("Enter")
    expect(admin.locator(".field-shown_payload")).to_contain_text("anna@example.com")

    admin.goto(address)
    admin.get_by_role("link", name="Discard...").press("Enter")
    expect(admin.get_by_role("heading", name="1 dead event will be discarded")).to_be_visible()
    assert fits(admin)
    admin.get_by_role("button", name="Discard what is listed").press("Enter")
    expect(admin.locator(".errorlist")).to_contain_text("Enter a reason")
    admin.get_by_label("Reason").fill("A test of ours.")
    admin.get_by_role("button", name="Discard what is listed").press("Enter")
    expect(admin.locator(".messagelist")).to_contain_text("1 dead event was discarded.")
    expect(admin.locator(".form-row.field-note")).to_contain_text("A test of ours.")

    admin.get_by_role("button", name="Put back").press("Enter")
    expect(admin.locator(".messagelist")).to_contain_text("It waits again")
    admin.get_by_role("button", name="Replay", exact=True).press("Enter")
    expect(admin.locator(".messagelist")).to_contain_text("1 event was replayed.")
    assert Badge.objects.get().user.get_username() == "anna"

    admin.get_by_role("link", name="History").press("Enter")
    for entry in ("Personal data was shown.", "Discarded: A test of ours.", "Put back.", "Replayed."):
        expect(admin.locator("#change-history")).to_contain_text(entry)


def test_all_of_a_kind_are_replayed_after_the_page_told_how_many(admin: Page) -> None:
    factories.RequirementFactory()
    for number in range(3):
        parked(f"learner{number}")
    park_message(fields("eve", event_data=b"\xff"), origin(), UnreadableMessage("The body is no Avro."))

    admin.goto("/admin/badges/deadevent/?kind__exact=failed")
    admin.locator("#result_list").get_by_role("link", name=factories.PASSING).first.press("Enter")
    admin.get_by_role("link", name="Replay all of this kind...").press("Enter")
    expect(admin.get_by_role("heading", name="3 dead events will be replayed")).to_be_visible()
    assert fits(admin)
    admin.get_by_role("button", name="Replay them all").press("Enter")

    expect(admin.locator(".messagelist")).to_contain_text("3 events were replayed.")
    assert DeadEvent.objects.get(status="waiting").kind == "unreadable"
