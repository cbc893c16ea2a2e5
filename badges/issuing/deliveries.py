"""The life of a delivery: claimed under a lease, attempted, settled.

The announcements of one badge are carried out in their order, and so are its calls to the provider; a signal that
cannot be sent does not hold up the learner's badge.
"""

from __future__ import annotations

import logging
import random
import time
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta

from attrs import frozen
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from badges.conf import DeliverySettings, get_config
from badges.exceptions import ProviderError, describe
from badges.issuing.actions import Done, handler_of
from badges.issuing.retry import Retry, RetryPolicy
from badges.models import Badge, Delivery, DeliveryAttempt

logger = logging.getLogger(__name__)

Action, Status, Outcome = Delivery.Action, Delivery.Status, DeliveryAttempt.Outcome
LANES = ((Action.ANNOUNCE_AWARDED, Action.ANNOUNCE_REVOKED), (Action.ISSUE, Action.REVOKE))


@frozen
class Attempt:
    """What came of one attempt."""

    delivery_id: int
    action: str
    outcome: str
    """``done``, ``retry`` or ``dead``; ``lost`` where another worker had taken over meanwhile."""
    detail: str
    next_attempt_at: datetime | None = None


def due(now: datetime | None = None) -> QuerySet[Delivery]:
    """The deliveries that wait for nobody: their time has come, or their worker's lease has run out."""
    now = now or timezone.now()
    return Delivery.objects.filter(
        Q(status=Status.PENDING, next_attempt_at__lte=now) | Q(status=Status.IN_PROGRESS, leased_until__lt=now)
    )


def due_badges(now: datetime | None = None) -> Iterator[int]:
    """The badges that have a due delivery, the longest waiting first."""
    seen: set[int] = set()
    for badge_id in due(now).order_by("next_attempt_at", "pk").values_list("badge_id", flat=True).iterator():
        if badge_id not in seen:
            seen.add(badge_id)
            yield badge_id


def run_due(badge_id: int) -> list[Attempt]:
    """Carry out what is due for one badge, in order. Never raises for what a provider or a receiver does."""
    attempts = []
    for lane in LANES:
        while (delivery := _claim(badge_id, lane)) is not None:
            attempt = _attempt(delivery)
            attempts.append(attempt)
            if attempt.outcome not in (Outcome.DONE, Outcome.DEAD):
                break
    return attempts


def retry_now(delivery: Delivery) -> bool:
    """Make a waiting or dead delivery due at once, with its time to give up starting anew.

    Returns:
        False where it is done, cancelled or being worked on; it is left alone then.
    """
    now = timezone.now()
    return bool(
        Delivery.objects.filter(pk=delivery.pk, status__in=(Status.PENDING, Status.DEAD)).update(
            status=Status.PENDING, next_attempt_at=now, created=now, finished_at=None, modified=now
        )
    )


def _claim(badge_id: int, lane: tuple[str, ...]) -> Delivery | None:
    """Lease the first open delivery of a lane, if it is due; None if not, or if another worker was faster."""
    now = timezone.now()
    delivery = (
        Delivery.objects.filter(badge_id=badge_id, action__in=lane, status__in=Delivery.OPEN)
        .select_related("badge__user", "badge__template__account")
        .order_by("pk")
        .first()
    )
    if delivery is None or not _is_due(delivery, now):
        return None
    token, leased_until = uuid.uuid4(), now + timedelta(seconds=get_config().deliveries.lease)
    # Only who still finds the row as it was read gets the lease.
    won = Delivery.objects.filter(
        pk=delivery.pk, status=delivery.status, attempts=delivery.attempts, lease_token=delivery.lease_token
    ).update(
        status=Status.IN_PROGRESS,
        lease_token=token,
        leased_until=leased_until,
        attempts=delivery.attempts + 1,
        modified=now,
    )
    if not won:
        return None
    delivery.status, delivery.lease_token, delivery.leased_until = Status.IN_PROGRESS, token, leased_until
    delivery.attempts += 1
    return delivery


def _is_due(delivery: Delivery, now: datetime) -> bool:
    if delivery.status == Status.PENDING:
        return delivery.next_attempt_at <= now
    return delivery.leased_until is not None and delivery.leased_until < now


def _attempt(delivery: Delivery) -> Attempt:
    started_at, clock = timezone.now(), time.monotonic()
    settings = get_config().deliveries
    try:
        done = handler_of(delivery.action)(delivery)
    except Exception as error:  # noqa: BLE001 - no delivery may be lost, whatever its handler does
        attempt, values, status_code = _after_failure(delivery, error, settings)
        issued = None
    else:
        attempt, values, status_code = _after_success(delivery, done)
        issued = done.issued
    history = DeliveryAttempt(
        delivery=delivery,
        number=delivery.attempts,
        started_at=started_at,
        duration_ms=round((time.monotonic() - clock) * 1000),
        outcome=attempt.outcome,
        status_code=status_code,
        detail=attempt.detail,
    )
    with transaction.atomic():
        settled = Delivery.objects.filter(
            pk=delivery.pk, status=Status.IN_PROGRESS, lease_token=delivery.lease_token
        ).update(lease_token=None, leased_until=None, modified=timezone.now(), **values)
        if settled:
            history.save(force_insert=True)
            if issued is not None:
                Badge.objects.filter(pk=delivery.badge_id).update(
                    external_id=issued.external_id,
                    state=issued.state,
                    url=issued.url or delivery.badge.url,
                    modified=timezone.now(),
                )
    if not settled:
        logger.warning(
            "Delivery %s took longer than its lease, and another worker has it now. Raise "
            'BADGES_CONFIG["deliveries"]["lease"] above the longest time that the provider takes.',
            delivery.pk,
            extra={"action": "lease_lost", "delivery": delivery.pk},
        )
        return Attempt(delivery.pk, delivery.action, "lost", attempt.detail)
    return attempt


def _after_success(delivery: Delivery, done: Done) -> tuple[Attempt, dict[str, object], None]:
    attempt = Attempt(delivery.pk, delivery.action, Outcome.DONE, done.detail)
    return attempt, {"status": Status.DONE, "finished_at": timezone.now(), "last_error": ""}, None


def _after_failure(
    delivery: Delivery, error: Exception, settings: DeliverySettings
) -> tuple[Attempt, dict[str, object], int | None]:
    detail = describe(error)
    now = timezone.now()
    decision = RetryPolicy(settings).decide(
        error,
        attempt=delivery.attempts,
        age=now - delivery.created,
        chance=random.random(),  # noqa: S311 - jitter, not a secret
    )
    log = {"action": "delivery_failed", "delivery": delivery.pk, "attempt": delivery.attempts}
    status_code = error.status_code if isinstance(error, ProviderError) else None
    if isinstance(decision, Retry):
        next_attempt_at = now + decision.delay
        logger.warning(
            "Delivery %s (%s) failed and is tried again at %s: %s",
            delivery.pk,
            delivery.action,
            next_attempt_at.isoformat(timespec="seconds"),
            detail,
            extra=log,
        )
        attempt = Attempt(delivery.pk, delivery.action, Outcome.RETRY, detail, next_attempt_at)
        return (
            attempt,
            {"status": Status.PENDING, "next_attempt_at": next_attempt_at, "last_error": detail},
            status_code,
        )
    logger.error(
        "Delivery %s (%s) was given up: %s Mend the cause and retry it in the admin.",
        delivery.pk,
        delivery.action,
        detail,
        extra=log,
    )
    attempt = Attempt(delivery.pk, delivery.action, Outcome.DEAD, detail)
    return attempt, {"status": Status.DEAD, "finished_at": now, "last_error": detail}, status_code
