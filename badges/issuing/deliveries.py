"""The life of a delivery: claimed under a lease, attempted, settled.

The announcements of one badge are carried out in their order, and so are its calls to the provider; a signal that
cannot be sent does not hold up the learner's badge.
"""

from __future__ import annotations

import contextlib
import logging
import time
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from attrs import frozen
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from badges.conf import get_config
from badges.data import Exchange
from badges.exceptions import CeilingReached, RefusedAlone
from badges.issuing import callback_lanes, health
from badges.issuing.actions import LeaseLost, Obsolete, handler_of
from badges.issuing.callback_lanes import Subject
from badges.issuing.gate import Gate, gate_of
from badges.issuing.health import Admission, Probe
from badges.issuing.verdicts import (
    Verdict,
    after_failure,
    cancelled,
    postponed,
    settle,
    storable_badge,
    succeeded,
)
from badges.models import Delivery, DeliveryAttempt, ProviderAccount
from badges.providers import traffic
from badges.providers.traffic import Recorder

logger = logging.getLogger(__name__)

Action, Status = Delivery.Action, Delivery.Status
LOST = "lost"
ANNOUNCEMENTS = (Action.ANNOUNCE_AWARDED, Action.ANNOUNCE_REVOKED)
PROVIDER_CALLS = (Action.ISSUE, Action.REVOKE, Action.DELETE)
LANES = (ANNOUNCEMENTS, PROVIDER_CALLS)
MOST_LOST = 20
"""So many workers may die of one delivery, or outlast its lease, before nobody tries any more."""
ENDED = (Status.DONE, Status.DEAD, Status.CANCELLED)


@frozen
class Attempt:
    """What came of one attempt."""

    delivery_id: int
    action: str
    outcome: str
    """``done``, ``retry``, ``wait``, ``dead`` or ``cancelled``; ``postponed`` where our own ceiling of calls was
    reached, ``lost`` where another worker had taken over meanwhile."""
    detail: str
    next_attempt_at: datetime | None = None


def due(now: datetime | None = None) -> QuerySet[Delivery]:
    """The deliveries that wait for nobody: their time has come, or their worker's lease has run out."""
    now = now or timezone.now()
    return Delivery.objects.filter(
        Q(status=Status.PENDING, next_attempt_at__lte=now) | Q(status=Status.IN_PROGRESS, leased_until__lt=now)
    )


def first_due(now: datetime | None = None) -> QuerySet[Delivery]:
    """The due deliveries but those behind an earlier one of their badge and lane that is not due: it comes first."""
    now = now or timezone.now()
    found = due(now)
    not_due = Delivery.objects.filter(
        Q(status=Status.PENDING, next_attempt_at__gt=now) | Q(status=Status.IN_PROGRESS, leased_until__gte=now),
        badge_id=OuterRef("badge_id"),
        pk__lt=OuterRef("pk"),
    )
    for lane in LANES:
        found = found.exclude(Q(action__in=lane) & Exists(not_due.filter(action__in=lane)))
    return found


def run_due(badge_id: int, *, patience: float = 0.0, lanes: Sequence[tuple[str, ...]] = LANES) -> list[Attempt]:
    """Carry out what is due for one badge, in order. Nothing that a provider or a receiver does is raised.

    Arguments:
        badge_id: the badge.
        patience: seconds that a call may wait for its turn below the account's ceiling.
        lanes: which actions; each lane is in order in itself.

    Raises:
        django.db.Error: the database failed; what was under way is taken up after its lease.
    """
    attempts = []
    for lane in lanes:
        while (delivery := _first_due(badge_id, lane)) is not None:
            attempt = _work_on(delivery, patience)
            if attempt is None:
                break
            attempts.append(attempt)
            if attempt.outcome not in ENDED:
                break
    return attempts


def run_callbacks(subject: Subject) -> list[Attempt]:
    """Send the callbacks that are due about a badge or an application, in order for each endpoint.

    Raises:
        django.db.Error: the database failed; what was under way is taken up after its lease.
    """
    attempts = []
    # An endpoint's next one may be due once the one before it has ended.
    while found := callback_lanes.first_due(subject):
        made = [attempt for delivery in found if (attempt := _work_on(delivery, 0.0)) is not None]
        attempts += made
        if not any(attempt.outcome in ENDED for attempt in made):
            break
    return attempts


def retry_now(delivery: Delivery) -> bool:
    """Make a waiting or dead delivery due at once, with its time to give up starting anew.

    Returns:
        False where it is done, cancelled or a worker has it; it is left alone then.
    """
    now = timezone.now()
    ended = Q(status__in=(Status.PENDING, Status.DEAD)) | Q(status=Status.IN_PROGRESS, leased_until__lt=now)
    waiting = Delivery.objects.filter(ended, pk=delivery.pk)
    return bool(waiting.move(Status.PENDING, next_attempt_at=now, failures=0, give_up_at=None))


def _first_due(badge_id: int, lane: tuple[str, ...]) -> Delivery | None:
    """The first open delivery of a lane, if it is due: the later ones wait for it."""
    delivery = (
        Delivery.objects.filter(badge_id=badge_id, action__in=lane, status__in=Delivery.OPEN)
        .select_related("badge__user", "badge__template__account")
        .order_by("pk")
        .first()
    )
    return delivery if delivery is not None and _is_due(delivery, timezone.now()) else None


def _is_due(delivery: Delivery, now: datetime) -> bool:
    if delivery.status == Status.PENDING:
        return delivery.next_attempt_at <= now
    return delivery.leased_until is not None and delivery.leased_until < now


def _work_on(delivery: Delivery, patience: float) -> Attempt | None:
    """Attempt a due delivery; None where its account must not be called now, or another worker was faster."""
    if _has_cost_too_many(delivery):
        return None
    account = delivery.own_badge.template.account if delivery.action in PROVIDER_CALLS else None
    admission = health.admission(account) if account is not None else Admission.FREE
    if admission is Admission.BLOCKED:
        return None
    probe = admission if isinstance(admission, Probe) else None
    attempt = _attempt(delivery, account, patience, probe) if _claim(delivery) else None
    if probe is not None:
        health.give_back(probe)
    return attempt


def _has_cost_too_many(delivery: Delivery) -> bool:
    """Give up what took worker after worker with it: each time it is the first that the next one takes."""
    if delivery.status != Status.IN_PROGRESS:
        return False
    lost = delivery.attempts - DeliveryAttempt.objects.filter(delivery=delivery).count()
    if lost < MOST_LOST:
        return False
    detail = f"{lost} workers were lost while they carried it out: killed, or slower than their lease."
    as_read = Delivery.objects.filter(pk=delivery.pk, lease_token=delivery.lease_token)
    if as_read.move(Status.DEAD, last_error=detail):
        logger.error(
            "Delivery %s (%s) was given up: %s Look for what ended them, mend it and retry it in the admin.",
            delivery.pk,
            delivery.action,
            detail,
            extra={"action": "delivery_failed", "delivery": delivery.pk, "attempt": delivery.attempts},
        )
    return True


def _claim(delivery: Delivery) -> bool:
    now = timezone.now()
    token, leased_until = uuid.uuid4(), now + timedelta(seconds=get_config().deliveries.lease)
    # Only who still finds the row as it was read gets the lease.
    as_read = Delivery.objects.filter(
        pk=delivery.pk, status=delivery.status, attempts=delivery.attempts, lease_token=delivery.lease_token
    )
    if not as_read.move(
        Status.IN_PROGRESS, lease_token=token, leased_until=leased_until, attempts=delivery.attempts + 1
    ):
        return False
    delivery.status, delivery.lease_token, delivery.leased_until = Status.IN_PROGRESS, token, leased_until
    delivery.attempts += 1
    return True


def _attempt(delivery: Delivery, account: ProviderAccount | None, patience: float, probe: Probe | None) -> Attempt:
    started_at, clock = timezone.now(), time.monotonic()
    exchanges: list[Exchange] = []
    try:
        verdict = _carry_out(delivery, account, patience, probe, exchanges)
    except LeaseLost as lost:
        return _lost(delivery, str(lost))
    duration_ms = round((time.monotonic() - clock) * 1000)
    try:
        settled = settle(delivery, verdict, started_at, duration_ms, exchanges)
    except Exception as error:  # noqa: BLE001 - an answer that cannot be stored must not come back at every sweep
        verdict = after_failure(delivery, error)
        settled = settle(delivery, verdict, started_at, duration_ms, [])
    if not settled:
        return _lost(delivery, verdict.detail)
    return Attempt(delivery.pk, delivery.action, verdict.outcome, verdict.detail, verdict.next_attempt_at)


def _carry_out(
    delivery: Delivery,
    account: ProviderAccount | None,
    patience: float,
    probe: Probe | None,
    exchanges: list[Exchange],
) -> Verdict:
    gate: Gate | None = None
    try:
        with contextlib.ExitStack() as stack:
            if account is not None:
                gate = gate_of(account, patience=patience)
                gate.exchanges = exchanges
                gate.enter()
                stack.enter_context(traffic.watched_by(gate))
            elif delivery.action == Action.CALLBACK:
                stack.enter_context(traffic.watched_by(Recorder(exchanges)))
            done = handler_of(delivery.action)(delivery)
        issued = storable_badge(done.issued) if done.issued is not None else None
    except LeaseLost:
        raise
    except Obsolete as reason:
        return cancelled(str(reason))
    except CeilingReached as reached:
        return postponed(delivery, reached, is_untouched=gate is None or not gate.has_changed_something)
    except Exception as error:  # noqa: BLE001 - no delivery may be lost, whatever its handler does
        if account is not None and health.is_refused_alone(account, delivery, error):
            error = RefusedAlone(str(error), status_code=403)
        if account is not None:
            health.failed(account, error, probe)
        return after_failure(delivery, error)
    if gate is not None:
        health.succeeded(gate.account_id, probe)
    return succeeded(done, issued)


def _lost(delivery: Delivery, detail: str) -> Attempt:
    if Delivery.objects.filter(pk=delivery.pk).exists():
        logger.warning(
            "Delivery %s took longer than its lease, and another worker has it now. Raise "
            'BADGES_CONFIG["deliveries"]["lease"] above the longest time that the provider takes.',
            delivery.pk,
            extra={"action": "lease_lost", "delivery": delivery.pk},
        )
    return Attempt(delivery.pk, delivery.action, LOST, detail)
