"""Replaying and discarding events of the inbox."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from badges.models import ProviderAccount, WebhookEvent
from badges.webhooks.by_hand import NotPossible, discard, discard_all, replay, replay_all
from badges.webhooks.processing import process_due
from tests.integration.webhooks.scripted import ScriptedWebhooks, received

pytestmark = pytest.mark.django_db
Status = WebhookEvent.Status
OVER = (Status.PROCESSED, Status.IGNORED, Status.DEAD, Status.DISCARDED)


def in_hand(account: ProviderAccount, number: int, *, lost: bool) -> WebhookEvent:
    """An event that a worker has, or had."""
    ends = timezone.now() + timedelta(minutes=-1 if lost else 1)
    return received(account, number, status=Status.PROCESSING, lease_token=uuid4(), leased_until=ends)


@pytest.mark.parametrize("status", [*OVER, Status.FAILED])
def test_a_replayed_event_is_processed_as_if_it_had_just_come(
    scripted_account: ProviderAccount, webhooks: type[ScriptedWebhooks], status: str
) -> None:
    later = timezone.now() + timedelta(days=1)
    row = received(
        scripted_account, status=status, attempts=7, give_up_at=later, next_attempt_at=later, last_error="x", note="y"
    )

    assert replay(row)

    row.refresh_from_db()
    assert (row.status, row.attempts, row.give_up_at, row.last_error, row.note) == (Status.RECEIVED, 0, None, "", "")
    assert process_due() == {"processed": 1}


def test_what_a_worker_has_is_neither_replayed_nor_discarded(scripted_account: ProviderAccount) -> None:
    row = in_hand(scripted_account, 1, lost=False)

    assert not replay(row)
    assert not discard(row, "Not wanted.")


def test_what_a_worker_has_lost_can_be_either(scripted_account: ProviderAccount) -> None:
    assert replay(in_hand(scripted_account, 1, lost=True))
    assert discard(in_hand(scripted_account, 2, lost=True), "Not wanted.")


@pytest.mark.parametrize("status", [Status.RECEIVED, Status.FAILED, Status.DEAD])
def test_a_discarded_event_says_why_and_is_not_processed(scripted_account: ProviderAccount, status: str) -> None:
    row = received(scripted_account, status=status)

    assert discard(row, "  Not wanted.\x00 ")

    row.refresh_from_db()
    assert (row.status, row.note) == (Status.DISCARDED, "Not wanted.\ufffd")
    assert row.finished_at is not None
    assert process_due() == {}


@pytest.mark.parametrize("status", [Status.PROCESSED, Status.IGNORED, Status.DISCARDED])
def test_what_is_over_is_not_discarded(scripted_account: ProviderAccount, status: str) -> None:
    assert not discard(received(scripted_account, status=status), "Not wanted.")


@pytest.mark.parametrize("reason", ["", "  "])
def test_discarding_needs_a_reason(scripted_account: ProviderAccount, reason: str) -> None:
    row = received(scripted_account)

    with pytest.raises(NotPossible):
        discard(row, reason)
    row.refresh_from_db()
    assert row.status == Status.RECEIVED


def test_many_at_once(scripted_account: ProviderAccount) -> None:
    for number in range(4):
        received(scripted_account, number, status=Status.DEAD)

    assert replay_all(WebhookEvent.objects.all()) == 4
    assert discard_all(WebhookEvent.objects.filter(event_id__in=["event-1", "event-2"]), "Not wanted.") == 2
    assert process_due().total() == 2
