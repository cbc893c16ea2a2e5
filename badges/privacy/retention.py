"""What names learners, and is not needed any more after so many days, is deleted: ``BADGES_CONFIG["retention"]``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from badges.conf import RetentionSettings, get_config
from badges.models import DeadEvent, Delivery, DeliveryAttempt, EmployeeRecord, ProviderBadge, WebhookEvent
from badges.processing.retries import retried

AT_ONCE = 500
"""Rows that one transaction deletes at the most."""
WEBHOOKS, DEAD_EVENTS, PROVIDER_BADGES, EMPLOYEES, ATTEMPTS = (
    *("webhooks", "dead_events", "provider_badges", "employees", "attempts"),
)
KINDS = (WEBHOOKS, DEAD_EVENTS, PROVIDER_BADGES, EMPLOYEES, ATTEMPTS)
"""What is deleted, each under the name of its setting."""

OnBatch = Callable[[str, int], None]


def due(now: datetime) -> dict[str, QuerySet[Any]]:
    """The rows of each kind that may be deleted.

    What waits for a worker or for a person is never among them, however old it is: neither an event, a webhook or a
    delivery that is dead, nor one that is still to be worked on.

    Arguments:
        now: aware.
    """
    before = _cutoffs(get_config().retention, now)
    return {
        # One that came again lately would be taken for a new one.
        WEBHOOKS: WebhookEvent.objects.filter(
            Q(finished_at=None) | Q(finished_at__lt=before[WEBHOOKS]),
            status__in=(*(WebhookEvent.Status.PROCESSED, WebhookEvent.Status.IGNORED, WebhookEvent.Status.DISCARDED),),
            received_at__lt=before[WEBHOOKS],
            last_received_at__lt=before[WEBHOOKS],
        ),
        DEAD_EVENTS: DeadEvent.objects.filter(
            status__in=(DeadEvent.Status.REPLAYED, DeadEvent.Status.DISCARDED), modified__lt=before[DEAD_EVENTS]
        ),
        PROVIDER_BADGES: ProviderBadge.objects.filter(modified__lt=before[PROVIDER_BADGES]),
        EMPLOYEES: EmployeeRecord.objects.filter(is_minimal=True, modified__lt=before[EMPLOYEES]),
        ATTEMPTS: DeliveryAttempt.objects.filter(
            delivery__finished_at__lt=before[ATTEMPTS],
            delivery__status__in=(Delivery.Status.DONE, Delivery.Status.CANCELLED),
        ),
    }


def purge(
    now: datetime,
    *,
    is_dry_run: bool = False,
    batch_size: int = AT_ONCE,
    on_batch: OnBatch | None = None,
    is_stopping: Callable[[], bool] = lambda: False,
) -> dict[str, int]:
    """Delete what is old enough, in small transactions, so that it can be ended and run again at any time.

    Safe beside everything else that runs: rows that somebody works on at the moment are left for the next time.

    Arguments:
        now: aware; what is old enough is so at this time.
        is_dry_run: whether to count only.
        batch_size: how many rows a transaction deletes at the most.
        on_batch: told after each transaction: the kind, and how many rows it deleted.
        is_stopping: asked between the transactions.

    Returns:
        How many rows of each of ``KINDS`` were deleted, or would be.
    """
    if is_dry_run:
        return {kind: rows.count() for kind, rows in due(now).items()}
    counts = dict.fromkeys(KINDS, 0)
    for kind, rows in due(now).items():
        for deleted in _batches(rows, batch_size, is_stopping):
            counts[kind] += deleted
            if on_batch is not None:
                on_batch(kind, deleted)
    return counts


def _cutoffs(settings: RetentionSettings, now: datetime) -> dict[str, datetime]:
    return {kind: now - timedelta(days=getattr(settings, kind)) for kind in KINDS}


def _batches(rows: QuerySet[Any], size: int, is_stopping: Callable[[], bool]) -> Iterator[int]:
    last = 0
    while not is_stopping():
        ids = list(rows.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:size])
        if not ids:
            return
        last = ids[-1]
        yield retried(partial(_delete, rows, ids))


def _delete(rows: QuerySet[Any], ids: list[int]) -> int:
    """Delete those of these rows that may be deleted still."""
    every = rows.model._base_manager
    skips = connection.features.has_select_for_update_skip_locked
    with transaction.atomic():
        # By their keys alone, and asked once more: see the page on locks.
        locked = every.select_for_update(skip_locked=skips).filter(pk__in=ids).order_by("pk")
        still = list(rows.filter(pk__in=list(locked.values_list("pk", flat=True))).values_list("pk", flat=True))
        every.filter(pk__in=still).delete()
    return len(still)
