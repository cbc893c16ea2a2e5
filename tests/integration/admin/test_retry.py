"""Deliveries that wait or were given up are attempted again by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from badges.data import Award, IssuedBadge
from badges.exceptions import ProviderRejected
from badges.issuing import by_hand
from badges.issuing.by_hand import AT_ONCE
from badges.issuing.deliveries import due
from badges.models import AccountHealth, Delivery
from tests.factories import BadgeFactory, CredlyBadgeTemplateFactory, DeliveryFactory
from tests.integration.admin.pages import Staff, act, messages, url
from tests.integration.fake_provider import FakeProvider

pytestmark = pytest.mark.django_db
Action, Status = Delivery.Action, Delivery.Status


def test_a_dead_delivery_is_attempted_at_once(admin_client: Client, django_capture_on_commit_callbacks: Any) -> None:
    dead = DeliveryFactory(action=Action.ANNOUNCE_AWARDED, status=Status.DEAD, last_error="The bus was down.")

    with django_capture_on_commit_callbacks(execute=True):
        page = act(admin_client, "delivery", "retry", dead)

    dead.refresh_from_db()
    assert (dead.status, dead.last_error) == (Status.DONE, "")
    assert messages(page) == ["1 delivery is due now."]


@pytest.mark.django_db(transaction=True)
def test_what_was_carried_out_before_the_answer_is_told(admin_client: Client) -> None:
    dead = DeliveryFactory(action=Action.ANNOUNCE_AWARDED, status=Status.DEAD)

    page = act(admin_client, "delivery", "retry", dead)

    assert messages(page) == ["1 delivery was carried out."]
    dead.refresh_from_db()
    assert dead.status == Status.DONE


@pytest.mark.django_db(transaction=True)
def test_what_failed_again_before_the_answer_is_told_with_its_error(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: FakeProvider, award: Award) -> IssuedBadge:
        raise ProviderRejected("Credly refused the badge: the date is wrong.", status_code=422)

    monkeypatch.setattr(FakeProvider, "issue", refuse)
    dead = DeliveryFactory(badge__template=CredlyBadgeTemplateFactory(), status=Status.DEAD, attempts=1)

    page = act(admin_client, "delivery", "retry", dead)

    dead.refresh_from_db()
    assert (dead.status, dead.attempts) == (Status.DEAD, 2)
    assert messages(page) == [f"1 delivery failed again: {dead.last_error}"]
    assert "the date is wrong" in dead.last_error


def test_what_is_left_to_a_worker_is_due(admin_client: Client) -> None:
    page = act(admin_client, "delivery", "retry", DeliveryFactory(status=Status.DEAD, last_error="Refused."))
    assert messages(page) == ["1 delivery is due now."]


def test_what_is_finished_is_left_alone_and_told(admin_client: Client) -> None:
    badge = BadgeFactory()
    done = DeliveryFactory(badge=badge, status=Status.DONE)
    cancelled = DeliveryFactory(badge=badge, action=Action.REVOKE, status=Status.CANCELLED)

    page = act(admin_client, "delivery", "retry", done, cancelled)

    assert messages(page)[-1].startswith("2 deliveries were left alone")
    done.refresh_from_db()
    assert done.status == Status.DONE


def test_what_a_lost_worker_left_is_attempted_again(admin_client: Client) -> None:
    left = DeliveryFactory(status=Status.IN_PROGRESS, leased_until=timezone.now() - timedelta(minutes=1))
    taken = DeliveryFactory(status=Status.IN_PROGRESS)

    page = act(admin_client, "delivery", "retry", left, taken)

    left.refresh_from_db()
    taken.refresh_from_db()
    assert (left.status, left.lease_token, taken.status) == (Status.PENDING, None, Status.IN_PROGRESS)
    assert messages(page)[0] == "1 delivery is due now."
    assert messages(page)[-1].startswith("1 delivery was left alone")


def test_with_the_feature_off_nothing_is_begun(settings: Settings, django_capture_on_commit_callbacks: Any) -> None:
    """There is no screen then; but a shell, or a process that has not been restarted."""
    settings.BADGES_ENABLED = False
    dead = DeliveryFactory(action=Action.ANNOUNCE_AWARDED, status=Status.DEAD)

    with django_capture_on_commit_callbacks(execute=True) as begun:
        retried = by_hand.retry(Delivery.objects.all())

    dead.refresh_from_db()
    assert (dead.status, begun, retried.left_to_sweep) == (Status.PENDING, [], 1)


def test_retrying_needs_the_permission_to_change(staff: Staff) -> None:
    dead = DeliveryFactory(status=Status.DEAD)

    act(staff("view_delivery"), "delivery", "retry", dead)

    dead.refresh_from_db()
    assert dead.status == Status.DEAD


def at_credly(**health: Any) -> Delivery:
    """A dead delivery whose account's health is known."""
    dead: Delivery = DeliveryFactory(badge__template=CredlyBadgeTemplateFactory(), status=Status.DEAD)
    account = dead.own_badge.template.account
    assert account is not None
    AccountHealth.objects.create(account=account, **health)
    return dead


def test_an_account_that_rests_is_tried_at_once(admin_client: Client) -> None:
    dead = at_credly(failures=7, paused_until=timezone.now() + timedelta(hours=1))

    act(admin_client, "delivery", "retry", dead)

    health = AccountHealth.objects.get()
    assert health.paused_until is not None
    assert health.paused_until <= timezone.now()
    assert health.failures == 7


def test_that_a_stopped_account_makes_it_wait_is_told(admin_client: Client) -> None:
    dead = at_credly(stopped_at=timezone.now(), stop_reason="Credly refused the key.")

    page = act(admin_client, "delivery", "retry", dead)

    dead.refresh_from_db()
    assert dead.status == Status.PENDING
    [told] = messages(page)
    assert "is stopped, so its deliveries wait all the same: Credly refused the key." in told
    assert AccountHealth.objects.get().stopped_at is not None


def test_the_page_of_a_delivery_has_a_button(admin_client: Client) -> None:
    dead = DeliveryFactory(action=Action.ANNOUNCE_AWARDED, status=Status.DEAD)
    address = url("delivery", dead.pk, "retry")
    assert f'action="{address}"' in admin_client.get(url("delivery", dead.pk, "change")).content.decode()

    assert admin_client.get(address).status_code == 405
    admin_client.post(address)

    dead.refresh_from_db()
    assert dead.status == Status.PENDING
    assert LogEntry.objects.get().change_message == "Retried by hand."


def test_the_button_needs_the_permission_to_change(staff: Staff) -> None:
    dead = DeliveryFactory(status=Status.DEAD)

    answer = staff("view_delivery").post(url("delivery", dead.pk, "retry"))

    assert answer.status_code == 403
    dead.refresh_from_db()
    assert dead.status == Status.DEAD


def test_of_very_many_the_first_are_begun_with_and_the_rest_is_due(
    admin_client: Client, django_capture_on_commit_callbacks: Any
) -> None:
    dead = DeliveryFactory.create_batch(AT_ONCE + 2, action=Action.ANNOUNCE_AWARDED, status=Status.DEAD)

    with django_capture_on_commit_callbacks(execute=True):
        page = act(admin_client, "delivery", "retry", *dead)

    assert "2 badges are left to the next run of deliver_badges." in messages(page)
    assert Delivery.objects.filter(status=Status.DONE).count() == AT_ONCE
    assert due().count() == 2


def test_of_too_many_the_first_are_taken_and_the_number_of_the_others_is_told(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("badges.issuing.by_hand.LIMIT", 2)
    dead = DeliveryFactory.create_batch(5, status=Status.DEAD)
    done = DeliveryFactory(status=Status.DONE)

    page = act(admin_client, "delivery", "retry", *dead, done)

    assert Delivery.objects.filter(status=Status.PENDING).count() == 2
    assert messages(page)[0] == "2 deliveries are due now."
    assert messages(page)[1].startswith("3 more are selected.")
    assert messages(page)[2].startswith("1 delivery was left alone")
