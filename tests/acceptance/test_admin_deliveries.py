"""An operator sees what is wrong with deliveries and acts on it, in a real browser, against the provider sandbox."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from badges.issuing.sweep import sweep
from badges.models import AccountHealth, CredlyOrganization, Delivery, DeliveryAttempt, TemplateSync
from demo.sandbox.process import RunningSandbox
from demo.sandbox.seed import ORGANIZATION_ID, ORGANIZATION_TOKEN, template_id
from tests import factories
from tests.acceptance.pages import assert_usable

pytestmark = [
    pytest.mark.any_database,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("configured"),
]
Action, Status = Delivery.Action, Delivery.Status


def badges_to_issue(number: int, key: str) -> CredlyOrganization:
    """An organization with this key, and so many badges that wait to be issued."""
    organization: CredlyOrganization = factories.CredlyOrganizationFactory(
        name="Sandbox University", external_id=ORGANIZATION_ID, api_key=key
    )
    template = factories.CredlyBadgeTemplateFactory(account=organization, external_id=template_id("python-basics"))
    for _ in range(number):
        factories.DeliveryFactory(badge__template=template)
    return organization


def test_a_stopped_account_is_seen_its_key_replaced_and_the_deliveries_go_out(
    admin: Page, configured: RunningSandbox
) -> None:
    organization = badges_to_issue(3, key="expired")
    sweep()

    admin.goto("/admin/badges/delivery/?state=waiting")
    expect(admin.locator("#result_list tbody tr")).to_have_count(3)
    expect(admin.locator("#result_list .field-next_time").first).to_have_text("when the account works again")
    admin.goto("/admin/badges/credlyorganization/")
    expect(admin.locator(".field-health_column")).to_contain_text("stopped for")
    admin.get_by_role("link", name="Sandbox University").click()
    expect(admin.locator(".form-row.field-health_now")).to_contain_text("Enter a new key below.")
    expect(admin.locator(".form-row.field-waiting")).to_contain_text("3 deliveries")

    admin.get_by_label("API key").fill(ORGANIZATION_TOKEN)
    admin.get_by_role("button", name="Save and continue editing").press("Enter")
    expect(admin.locator(".messagelist")).to_contain_text("3 waiting deliveries are due now")
    expect(admin.locator(".form-row.field-health_now")).to_contain_text("It works.")
    sweep()

    admin.goto("/admin/badges/delivery/?state=done")
    expect(admin.locator("#result_list tbody tr")).to_have_count(3)
    issued = {badge.external_id for badge in organization.templates.get().badges.all()}
    assert len(issued) == 3
    assert "" not in issued


def test_a_delivery_is_cancelled_with_a_reason_by_the_keyboard_alone(admin: Page) -> None:
    organization = badges_to_issue(2, key=ORGANIZATION_TOKEN)
    first, second = Delivery.objects.order_by("pk")
    admin.goto("/admin/badges/delivery/")
    admin.locator(f"input.action-select[value='{first.pk}']").press("Space")
    admin.locator("select[name=action]").focus()
    admin.keyboard.type("Cancel")
    admin.locator(".actions button[type=submit]").press("Enter")

    expect(admin.get_by_role("heading", name="1 delivery will be changed")).to_be_visible()
    admin.get_by_role("button", name="Cancel what is listed").press("Enter")
    expect(admin.locator(".errorlist")).to_contain_text("Enter a reason")
    admin.get_by_label("Reason").press_sequentially("The learner left.")
    admin.get_by_role("button", name="Cancel what is listed").press("Enter")

    expect(admin.locator(".messagelist")).to_contain_text("1 delivery was cancelled.")
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, first.note) == (Status.CANCELLED, "Cancelled by hand: The learner left.")
    assert second.status == Status.PENDING
    assert organization.templates.count() == 1


def test_a_dead_delivery_is_retried_from_its_page(admin: Page, configured: RunningSandbox) -> None:
    badges_to_issue(1, key=ORGANIZATION_TOKEN)
    delivery = Delivery.objects.get()
    Delivery.objects.all().move(Status.IN_PROGRESS, lease_token=delivery.own_badge.uuid, leased_until=timezone.now())
    Delivery.objects.all().move(Status.DEAD, last_error="Credly answered 404.")
    admin.goto(f"/admin/badges/delivery/{delivery.pk}/change/")

    admin.get_by_role("button", name="Retry now").press("Enter")

    expect(admin.locator(".messagelist")).to_contain_text("1 delivery was carried out.")
    expect(admin.locator(".form-row.field-status")).to_contain_text("done")
    expect(admin.locator(".badges-exchanges")).to_contain_text("POST")
    assert ORGANIZATION_TOKEN not in admin.content()


def bad_night() -> list[str]:
    """Rows with texts as long as they get; the addresses of the pages that show them."""
    organization = badges_to_issue(2, key=ORGANIZATION_TOKEN)
    now = timezone.now()
    error = "Credly answered 503 Service Unavailable while issuing a badge: " + "x" * 120
    AccountHealth.objects.create(
        account=organization,
        stopped_at=now - timedelta(hours=3),
        stop_reason=error,
        next_check_at=now + timedelta(minutes=15),
        last_error_at=now,
        last_error=error,
        last_success_at=now - timedelta(hours=3),
    )
    TemplateSync.objects.create(account=organization, last_error=error)
    first, second = Delivery.objects.order_by("pk")
    first.own_badge.url = f"https://www.credly.com/{'x' * 200}"
    first.own_badge.save()
    for number in (1, 2):
        DeliveryAttempt.objects.create(
            delivery=first,
            number=number,
            started_at=now - timedelta(hours=number),
            duration_ms=20_123,
            outcome="retry",
            status_code=503,
            detail=error,
            reason=f"Failure {number} in a row: the pauses double, up to a limit.",
            exchanges=[
                {
                    "doing": "issuing a badge",
                    "method": "POST",
                    "path": f"organizations/{ORGANIZATION_ID}/badges",
                    "asked": '{"badge_template_id": "' + "y" * 80 + '"}',
                    "status": 503,
                    "answered": "<html>" + "z" * 200,
                    "duration_ms": 20_100,
                    "changes": True,
                }
            ],
        )
    Delivery.objects.filter(pk=first.pk).update(last_error=error, attempts=2, failures=2, give_up_at=now)
    factories.DeliveryFactory(badge=first.badge, action=Action.REVOKE)
    factories.DeliveryFactory(badge=second.badge, action=Action.ANNOUNCE_AWARDED, status=Status.DONE)
    return [
        "/admin/badges/delivery/",
        f"/admin/badges/delivery/{first.pk}/change/",
        f"/admin/badges/delivery/{first.pk}/cancel/",
        f"/admin/badges/delivery/{first.pk}/done/",
        f"/admin/badges/badge/{first.badge_id}/change/",
        "/admin/badges/credlyorganization/",
        f"/admin/badges/credlyorganization/{organization.pk}/change/",
        f"/admin/badges/provideraccount/{organization.pk}/change/",
    ]


@pytest.mark.parametrize("admin", [True], ids=["with-javascript"], indirect=True)
def test_the_pages_of_a_bad_night_fit_a_narrow_window_and_label_their_inputs(admin: Page) -> None:
    assert_usable(admin, bad_night())


@pytest.mark.parametrize("admin", [True], ids=["with-javascript"], indirect=True)
def test_the_last_error_is_read_on_a_laptop_without_scrolling_sideways(admin: Page) -> None:
    bad_night()
    admin.set_viewport_size({"width": 1200, "height": 800})
    admin.goto("/admin/badges/delivery/?state=pending")
    error = admin.locator("#result_list td.field-error", has_text="Credly").first
    seen = admin.locator("#changelist-form .results").evaluate("box => box.getBoundingClientRect().right")

    assert error.evaluate("cell => cell.getBoundingClientRect().right") <= seen
