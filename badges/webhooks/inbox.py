"""Storing what a provider sent: one row for one event, however often and by however many requests it is told of."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from badges.data import Notice, WebhookRequest
from badges.models import ProviderAccount, WebhookEvent
from badges.rules.payload import storable_text

Status = WebhookEvent.Status

KEPT_HEADERS = ("content-type", "content-length", "date", "user-agent", "x-request-id")
"""What says how a request came. Never what proves it: that would be a secret in a table."""
LONGEST_HEADER = 200
MOST_ON_TRIAL = 50
"""Unproven events of one account that may wait at once: who knows its identifier can make them up, and each costs calls
to the provider, which deliveries need as well."""
YEARS = range(1970, 9999)
"""What every database can hold, in every time zone."""


def receive(
    account: ProviderAccount,
    notice: Notice,
    request: WebhookRequest,
    *,
    is_proven: bool,
    remote_address: str | None = None,
) -> int | None:
    """Store an event; of one that is known, only that it came again.

    What a proven request says replaces what an unproven one said. An event that was given up is tried again when it
    comes again, because the provider insists, unless it is only somebody unproven who does.

    Arguments:
        account: whose event it is.
        notice: what the request says, with words that can be stored.
        request: the request; its body is UTF-8 without NUL.
        is_proven: whether it came with the secret, or signed with it.
        remote_address: where it came from.

    Returns:
        The id of the row if it is to be processed now; otherwise None.

    Raises:
        django.db.Error: nothing was stored, so that it has to come again.
    """
    said = {
        "event_type": notice.event_type,
        "occurred_at": storable_time(notice.occurred_at),
        "is_proven": is_proven,
        "body": request.body.decode(),
        "headers": {
            name: storable_text(value)[:LONGEST_HEADER]
            for name, value in request.headers.items()
            if name.lower() in KEPT_HEADERS
        },
        "remote_address": remote_address,
    }
    known = WebhookEvent.objects.filter(account=account, event_id=notice.event_id).only("is_proven", "status")
    row = known.first()
    if row is None:
        try:
            # A savepoint within somebody's transaction, which goes on.
            with transaction.atomic():
                return WebhookEvent.objects.create(account=account, event_id=notice.event_id, **said).pk
        except IntegrityError:
            row = known.first()
            if row is None:
                # It is the account that is gone.
                raise
    return _came_again(row, said)


def is_full_on_trial(account: ProviderAccount) -> bool:
    """Whether as many unproven events of an account wait as may."""
    waiting = WebhookEvent.objects.filter(account=account, is_proven=False, status__in=WebhookEvent.OPEN)
    return len(waiting.order_by().values_list("pk", flat=True)[:MOST_ON_TRIAL]) == MOST_ON_TRIAL


def storable_time(moment: datetime | None) -> datetime | None:
    """A claimed time as every database can hold it; None where it is none."""
    if moment is None or moment.tzinfo is None or moment.year not in YEARS:
        return None
    return moment.astimezone(UTC)


def _came_again(known: WebhookEvent, said: dict[str, Any]) -> int | None:
    """Conditional statements only: a worker may have the row."""
    row, now = WebhookEvent.objects.filter(pk=known.pk), timezone.now()
    row.update(times_received=F("times_received") + 1, last_received_at=now, modified=now)
    if said["is_proven"] and not known.is_proven:
        # Not one that was discarded: a retirement may have emptied it.
        row.filter(is_proven=False).exclude(status=Status.DISCARDED).update(**said)
    is_revived = False
    if known.status == Status.DEAD and (said["is_proven"] or not known.is_proven):
        is_revived = bool(row.filter(status=Status.DEAD).update(**as_if_new(now)))
    return known.pk if is_revived or known.status == Status.RECEIVED else None


def as_if_new(now: datetime) -> dict[str, Any]:
    """What is written to an event that begins anew."""
    return {
        "status": Status.RECEIVED,
        "attempts": 0,
        "give_up_at": None,
        "next_attempt_at": now,
        "finished_at": None,
        "modified": now,
    }
