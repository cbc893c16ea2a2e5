"""What an operator does to events of the inbox by hand: replay, discard."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from badges.exceptions import BadgesError
from badges.models import WebhookEvent
from badges.rules.payload import storable_text
from badges.webhooks import tasks
from badges.webhooks.inbox import as_if_new

Status = WebhookEvent.Status

LIMIT = 5000
"""So many events are changed at once; somebody waits for the page."""


class NotPossible(BadgesError):
    """What somebody wants to do by hand cannot be done; the text says why."""


def replayable() -> Q:
    """Which events can be replayed: all that no worker has."""
    return ~Q(status=Status.PROCESSING) | _lost_by_workers()


def discardable() -> Q:
    """Which events can be discarded: those that are not finished well, and that no worker has."""
    return Q(status__in=(Status.RECEIVED, Status.FAILED, Status.DEAD)) | _lost_by_workers()


def replay(event: WebhookEvent) -> bool:
    """Have one event processed again, from the beginning; see :func:`replay_all`.

    Returns:
        False where a worker has it; it is left alone then.
    """
    return replay_all(WebhookEvent.objects.filter(pk=event.pk)) == 1


def replay_all(events: QuerySet[WebhookEvent]) -> int:
    """Have events processed again, as if they had just come: finished, ignored and discarded ones, too.

    What they say is asked for again, and what is older than what is known changes nothing. They are due at once: a
    task engine begins with them when the transaction commits; without one the next sweep does.

    Returns:
        How many; those that a worker has are left alone, and of more than ``LIMIT`` the first are taken.
    """
    now = timezone.now()
    with transaction.atomic():
        chosen = _lock(events.filter(replayable()))
        replayed = WebhookEvent.objects.filter(replayable(), pk__in=chosen).update(
            **as_if_new(now), lease_token=None, leased_until=None, last_error="", note=""
        )
        for event_id in chosen:
            tasks.enqueue_on_commit(event_id)
    return replayed


def discard(event: WebhookEvent, reason: str) -> bool:
    """End an event without applying it; see :func:`discard_all`."""
    return discard_all(WebhookEvent.objects.filter(pk=event.pk), reason) == 1


def discard_all(events: QuerySet[WebhookEvent], reason: str) -> int:
    """End events without applying them. Told of again by their provider, they stay discarded.

    Arguments:
        events: which ones. Those that are finished, or that a worker has, are left alone.
        reason: why, in words; it is kept in their notes.

    Returns:
        How many; of more than ``LIMIT`` the first are taken.

    Raises:
        NotPossible: there is no reason.
    """
    reason, now = storable_text(reason).strip(), timezone.now()
    if not reason:
        raise NotPossible("Enter a reason.")
    with transaction.atomic():
        chosen = _lock(events.filter(discardable()))
        return WebhookEvent.objects.filter(discardable(), pk__in=chosen).update(
            status=Status.DISCARDED,
            note=reason,
            lease_token=None,
            leased_until=None,
            finished_at=now,
            modified=now,
        )


def _lock(events: QuerySet[WebhookEvent]) -> list[int]:
    """The first of these, locked by nothing but their keys: along another index the order would be another one."""
    ids = list(events.order_by("pk").values_list("pk", flat=True)[:LIMIT])
    rows = WebhookEvent.objects.filter(pk__in=ids).order_by("pk").select_for_update()
    return list(rows.values_list("pk", flat=True))


def _lost_by_workers() -> Q:
    return Q(status=Status.PROCESSING, leased_until__lt=timezone.now())
