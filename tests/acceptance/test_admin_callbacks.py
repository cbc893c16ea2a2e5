"""An operator enters a callback endpoint, tries it, and hands its secret over: in a real browser, by the keyboard."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from pytest_django import Settings
from standardwebhooks import Webhook

from badges.models import CallbackEndpoint
from tests import factories
from tests.acceptance.pages import assert_usable, fits
from tests.integration.callbacks.conftest import PRIVATE
from tests.integration.callbacks.receiver import Receiver, receiving

pytestmark = [pytest.mark.any_database, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def receiver(settings: Settings) -> Iterator[Receiver]:
    settings.BADGES_CONFIG = {"callbacks": PRIVATE}
    with receiving() as running:
        yield running


def test_an_endpoint_is_entered_tried_and_its_secret_handed_over(admin: Page, receiver: Receiver) -> None:
    admin.goto("/admin/badges/callbackendpoint/add/")
    admin.get_by_label("Name").fill("Backpack")
    admin.get_by_label("Address").fill("https://user@backpack.example.org/")
    admin.get_by_role("button", name="Save and continue editing").press("Enter")
    expect(admin.locator(".errorlist").first).to_contain_text("user name or password")
    admin.get_by_label("Address").fill(receiver.url)
    admin.get_by_role("button", name="Save and continue editing").press("Enter")
    expect(admin.locator(".messagelist")).to_contain_text("was added successfully")

    receiver.answer(200, b'{"status": "<b>thanks</b>"}')
    admin.get_by_role("button", name="Send a test message").press("Enter")
    expect(admin.locator(".messagelist")).to_contain_text("HTTP 200")
    expect(admin.locator(".messagelist")).to_contain_text('{"status": "<b>thanks</b>"}')
    expect(admin.locator(".form-row.field-health")).to_contain_text("works")

    admin.get_by_role("button", name="Show the secret").press("Enter")
    secret = admin.locator("#standard-secret").inner_text()
    [request] = receiver.received
    assert Webhook(secret).verify(request.body, request.headers)
    assert secret not in admin.title()

    admin.get_by_role("button", name="Make a new secret").press("Enter")
    expect(admin.locator(".messagelist")).to_contain_text("Enter it at the receiver now")
    assert admin.locator("#standard-secret").inner_text() != secret
    admin.get_by_role("link", name="Go back").press("Enter")
    expect(admin.get_by_label("Name")).to_have_value("Backpack")


@pytest.mark.parametrize("admin", [True], ids=["with-javascript"], indirect=True)
def test_the_pages_fit_a_narrow_window_and_label_their_inputs(admin: Page) -> None:
    endpoint: CallbackEndpoint = factories.CallbackEndpointFactory(
        name="A receiver with quite a long name of its own",
        url=f"https://receiver.example.com/{'x' * 300}",
        last_error="The endpoint refused the message: " + "y" * 300,
        failures=7,
    )
    delivery = factories.CallbackDeliveryFactory(callback__endpoint=endpoint, last_error="z" * 300)
    assert_usable(
        admin,
        [
            "/admin/badges/callbackendpoint/",
            "/admin/badges/callbackendpoint/add/",
            f"/admin/badges/callbackendpoint/{endpoint.pk}/change/",
            "/admin/badges/delivery/",
            f"/admin/badges/delivery/{delivery.pk}/change/",
            f"/admin/badges/delivery/{delivery.pk}/cancel/",
        ],
    )
    admin.goto(f"/admin/badges/callbackendpoint/{endpoint.pk}/change/")
    admin.get_by_role("button", name="Show the secret").press("Enter")
    expect(admin.locator("#badgekit-secret")).to_be_visible()
    assert fits(admin)
