"""The life of a delivery: claimed under a lease, attempted, settled.

The announcements of one badge are carried out in their order, and so are its calls to the provider; a signal that
cannot be sent does not hold up the learner's badge.
"""

from __future__ import annotations

import logging
import random
import time
import uuid
from datetime import datetime, timedelta

from attrs import evolve, frozen
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from badges.conf import get_config
from badges.data import IssuedBadge
from badges.exceptions import ProviderError, UnexpectedAnswer, describe
from badges.issuing.actions import LeaseLost, Obsolete, handler_of
from badges.issuing.retry import Retry, RetryPolicy
from badges.models import Badge, Delivery, DeliveryAttempt
from badges.rules.payload import storable_text

logger = logging.getLogger(__name__)

Action, Status, Outcome = Delivery.Action, Delivery.Status, DeliveryAttempt.Outcome
LOST = "lost"
LANES = ((Action.ANNOUNCE_AWARDED, Action.ANNOUNCE_REVOKED), (Action.ISSUE, Action.REVOKE))


@frozen
class Attempt:
    """What came of one attempt."""

    delivery_id: int
    action: str
    outcome: str
    """``done``, ``retry``, ``dead`` or ``cancelled``; ``lost`` where another worker had taken over meanwhile."""
    detail: str
    next_attempt_at: datetime | None = None


def due(now: datetime | None = None) -> QuerySet[Delivery]:
    """The deliveries that wait for nobody: their time has come, or their worker's lease has run out."""
    now = now or timezone.now()
    return Delivery.objects.filter(
        Q(status=Status.PENDING, next_attempt_at__lte=now) | Q(status=Status.IN_PROGRESS, leased_until__lt=now)
    )


def due_badges(now: datetime | None = None) -> list[int]:
    """The badges that have a due delivery, the longest waiting first.

    A list, not a cursor: an open one would keep SQLite's writers out while the deliveries are carried out.
    """
    return list(dict.fromkeys(due(now).order_by("next_attempt_at", "pk").values_list("badge_id", flat=True)))


def run_due(badge_id: int) -> list[Attempt]:
    """Carry out what is due for one badge, in order. Nothing that a provider or a receiver does is raised.

    Raises:
        django.db.Error: the database failed; what was under way is taken up after its lease.
    """
    attempts = []
    for lane in LANES:
        while (delivery := _claim(badge_id, lane)) is not None:
            attempt = _attempt(delivery)
            attempts.append(attempt)
            if attempt.outcome in (Outcome.RETRY, LOST):
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
    try:
        verdict = _carry_out(delivery)
    except LeaseLost as lost:
        return _lost(delivery, str(lost))
    duration_ms = round((time.monotonic() - clock) * 1000)
    try:
        settled = _settle(delivery, verdict, started_at, duration_ms)
    except Exception as error:  # noqa: BLE001 - an answer that cannot be stored must not come back at every sweep
        verdict = _failed(delivery, error)
        settled = _settle(delivery, verdict, started_at, duration_ms)
    if not settled:
        return _lost(delivery, verdict.detail)
    return Attempt(delivery.pk, delivery.action, verdict.outcome, verdict.detail, verdict.next_attempt_at)


@frozen
class _Verdict:
    """What is decided after an attempt."""

    status: str
    outcome: str
    detail: str
    next_attempt_at: datetime | None = None
    status_code: int | None = None
    issued: IssuedBadge | None = None


def _carry_out(delivery: Delivery) -> _Verdict:
    try:
        done = handler_of(delivery.action)(delivery)
        issued = storable_badge(done.issued) if done.issued is not None else None
    except LeaseLost:
        raise
    except Obsolete as reason:
        return _Verdict(Status.CANCELLED, Outcome.CANCELLED, str(reason))
    except Exception as error:  # noqa: BLE001 - no delivery may be lost, whatever its handler does
        return _failed(delivery, error)
    return _Verdict(Status.DONE, Outcome.DONE, done.detail, issued=issued)


def storable_badge(issued: IssuedBadge) -> IssuedBadge:
    """What a provider answered, as it fits into our record.

    Raises:
        UnexpectedAnswer: its identifier does not fit. Without it the badge could never be revoked.
    """
    if not 0 < len(issued.external_id) <= 255 or storable_text(issued.external_id) != issued.external_id:
        raise UnexpectedAnswer(
            "The provider answered an identifier that is empty, too long or unreadable. The badge is looked up again.",
            outcome_unknown=True,
        )
    url = storable_text(issued.url)
    return evolve(issued, state=storable_text(issued.state)[:50], url=url if len(url) <= 1000 else "")


def _failed(delivery: Delivery, error: Exception) -> _Verdict:
    detail, now = describe(error), timezone.now()
    decision = RetryPolicy(get_config().deliveries).decide(
        error,
        attempt=delivery.attempts,
        age=now - delivery.created,
        chance=random.random(),  # noqa: S311 - jitter, not a secret
    )
    status_code = error.status_code if isinstance(error, ProviderError) else None
    log = {"action": "delivery_failed", "delivery": delivery.pk, "attempt": delivery.attempts}
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
        return _Verdict(Status.PENDING, Outcome.RETRY, detail, next_attempt_at, status_code)
    logger.error(
        "Delivery %s (%s) was given up: %s Mend the cause and retry it in the admin.",
        delivery.pk,
        delivery.action,
        detail,
        extra=log,
    )
    return _Verdict(Status.DEAD, Outcome.DEAD, detail, status_code=status_code)


def _settle(delivery: Delivery, verdict: _Verdict, started_at: datetime, duration_ms: int) -> bool:
    """Write down what is decided; False where the lease is not ours any more, and then nothing is written."""
    now = timezone.now()
    values: dict[str, object] = {"status": verdict.status, "lease_token": None, "leased_until": None, "modified": now}
    if verdict.next_attempt_at is not None:
        values |= {"next_attempt_at": verdict.next_attempt_at}
    else:
        values |= {"finished_at": now}
    values["last_error"] = "" if verdict.status == Status.DONE else verdict.detail
    with transaction.atomic():
        mine = Delivery.objects.filter(pk=delivery.pk, status=Status.IN_PROGRESS, lease_token=delivery.lease_token)
        if not mine.update(**values):
            return False
        DeliveryAttempt.objects.create(
            delivery=delivery,
            number=delivery.attempts,
            started_at=started_at,
            duration_ms=duration_ms,
            outcome=verdict.outcome,
            status_code=verdict.status_code,
            detail=verdict.detail,
        )
        if verdict.issued is not None:
            Badge.objects.filter(pk=delivery.badge_id).update(
                external_id=verdict.issued.external_id,
                state=verdict.issued.state,
                url=verdict.issued.url or delivery.badge.url,
                modified=now,
            )
    return True


def _lost(delivery: Delivery, detail: str) -> Attempt:
    if Delivery.objects.filter(pk=delivery.pk).exists():
        logger.warning(
            "Delivery %s took longer than its lease, and another worker has it now. Raise "
            'BADGES_CONFIG["deliveries"]["lease"] above the longest time that the provider takes.',
            delivery.pk,
            extra={"action": "lease_lost", "delivery": delivery.pk},
        )
    return Attempt(delivery.pk, delivery.action, LOST, detail)
