"""An operator hands the webhook's address over, changes its secret, and looks after the inbox: in a real browser."""

from __future__ import annotations

import pytest
import requests
from playwright.sync_api import Page, expect

from badges.models import ProviderAccount, WebhookEvent
from tests import factories
from tests.acceptance.pages import assert_usable

pytestmark = [pytest.mark.any_database, pytest.mark.django_db(transaction=True)]
Status = WebhookEvent.Status


@pytest.fixture
def account() -> ProviderAccount:
    made: ProviderAccount = factories.CredlyOrganizationFactory(name="Acme")
    return made


def is_let_in(address: str) -> bool:
    event = {"id": "b9c1f0de-0000-4000-8000-000000000001", "organization_id": "x", "event_type": "badge.created"}
    return requests.post(address, json=event, timeout=30).status_code not in (401, 403, 404)


@pytest.mark.parametrize("admin", [True], ids=["with-javascript"], indirect=True)
def test_the_address_is_copied_by_the_keyboard_and_lets_in(admin: Page, account: ProviderAccount) -> None:
    admin.context.grant_permissions(["clipboard-read", "clipboard-write"])
    admin.goto(f"/admin/badges/credlyorganization/{account.pk}/change/")

    admin.get_by_role("button", name="Copy").press("Enter")

    copied = admin.get_by_role("button", name="Copied")
    expect(copied).to_be_focused()
    address = admin.evaluate("navigator.clipboard.readText()")
    assert address == admin.locator(".field-webhook_address code").inner_text()
    assert str(account.webhook_secret) in address
    assert is_let_in(address)


def test_a_changed_secret_counts_at_once_and_the_former_one_until_it_is_ended(
    admin: Page, account: ProviderAccount
) -> None:
    shown = admin.locator(".field-webhook_address code")
    admin.goto(f"/admin/badges/credlyorganization/{account.pk}/change/")
    former = shown.inner_text()

    admin.get_by_role("button", name="Change webhook secret").press("Enter")
    expect(admin.locator(".messagelist")).to_contain_text("There is a new webhook secret")
    expect(admin.locator(".field-former_secret")).to_contain_text("is let in until")
    assert shown.inner_text() != former
    assert is_let_in(shown.inner_text())
    assert is_let_in(former)

    admin.get_by_role("button", name="End former secret").press("Enter")
    expect(admin.locator(".messagelist")).to_contain_text("is not let in any more")
    assert is_let_in(shown.inner_text())
    assert not is_let_in(former)


def test_an_event_is_processed_again_and_others_are_discarded_with_a_reason(
    admin: Page, account: ProviderAccount
) -> None:
    dead = factories.WebhookEventFactory(account=account, status=Status.DEAD, last_error="Down.")
    admin.goto(f"/admin/badges/webhookevent/{dead.pk}/change/")
    admin.get_by_role("button", name="Process again").press("Enter")
    expect(admin.locator(".messagelist")).to_contain_text("1 event is processed again soon")

    admin.get_by_role("link", name="Discard...").press("Enter")
    admin.get_by_role("button", name="Discard what is listed").press("Enter")
    expect(admin.locator(".errorlist")).to_contain_text("Enter a reason")
    admin.get_by_label("Reason").fill("It was a trial.")
    admin.get_by_role("button", name="Discard what is listed").press("Enter")

    expect(admin.locator(".messagelist")).to_contain_text("1 webhook event was discarded")
    dead.refresh_from_db()
    assert (dead.status, dead.note) == (Status.DISCARDED, "It was a trial.")


@pytest.mark.parametrize("admin", [True], ids=["with-javascript"], indirect=True)
def test_the_pages_fit_a_narrow_window_and_label_their_inputs(admin: Page, account: ProviderAccount) -> None:
    event = factories.WebhookEventFactory(
        account=account, status=Status.DEAD, last_error="x" * 300, body='{"note": "%s"}' % ("y" * 400)
    )
    assert_usable(
        admin,
        [
            f"/admin/badges/credlyorganization/{account.pk}/change/",
            "/admin/badges/webhookevent/",
            f"/admin/badges/webhookevent/{event.pk}/change/",
            f"/admin/badges/webhookevent/{event.pk}/discard/",
        ],
    )
