"""What is decided after an attempt at a delivery, and how it is written down."""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from attrs import asdict, evolve, field, frozen
from django.db import transaction
from django.utils import timezone

from badges.conf import get_config
from badges.data import Exchange, IssuedBadge
from badges.exceptions import (
    CeilingReached,
    ProviderError,
    UnexpectedAnswer,
    describe,
)
from badges.issuing.actions import Done
from badges.issuing.following import follow, forget
from badges.issuing.health import STOPS, as_sentence
from badges.issuing.retry import Retry, RetryPolicy
from badges.models import Badge, Delivery, DeliveryAttempt
from badges.rules.payload import storable_text

logger = logging.getLogger(__name__)

Status, Outcome = Delivery.Status, DeliveryAttempt.Outcome
POSTPONED = "postponed"


@frozen
class Verdict:
    """What is decided after an attempt."""

    status: str
    """Where the delivery goes."""
    outcome: str
    detail: str
    """What happened, in words that may be shown."""
    reason: str
    """Why this was decided."""
    values: Mapping[str, Any] = field(factory=dict)
    """What else is written to the delivery."""
    status_code: int | None = None
    issued: IssuedBadge | None = None
    is_deleted: bool = False
    """Whether the provider holds nothing of the badge any more."""

    @property
    def next_attempt_at(self) -> datetime | None:
        """When it is attempted again, if it is."""
        found: datetime | None = self.values.get("next_attempt_at")
        return found


def succeeded(done: Done, issued: IssuedBadge | None) -> Verdict:
    """The action succeeded."""
    values = {"last_error": "", "note": done.detail, "failures": 0, "give_up_at": None}
    return Verdict(
        Status.DONE, Outcome.DONE, done.detail, "It succeeded.", values, issued=issued, is_deleted=done.is_deleted
    )


def cancelled(reason: str) -> Verdict:
    """The action is not wanted any more."""
    return Verdict(Status.CANCELLED, Outcome.CANCELLED, reason, reason, {"note": reason})


def postponed(delivery: Delivery, reached: CeilingReached, *, is_untouched: bool) -> Verdict:
    """Our own ceiling of calls was reached. No failure; and no attempt, where the provider was asked to do nothing."""
    next_attempt_at = timezone.now() + timedelta(seconds=reached.retry_after or 0.0)
    values: dict[str, Any] = {"next_attempt_at": next_attempt_at}
    if is_untouched:
        return Verdict(
            Status.PENDING, POSTPONED, str(reached), str(reached), {**values, "attempts": delivery.attempts - 1}
        )
    return Verdict(Status.PENDING, Outcome.RETRY, str(reached), str(reached), {**values, "last_error": str(reached)})


def after_failure(delivery: Delivery, error: Exception) -> Verdict:
    """What to do after an error: wait for the account, try again later, or give up. It is logged here."""
    detail, now = describe(error), timezone.now()
    status_code = error.status_code if isinstance(error, ProviderError) else None
    if isinstance(error, STOPS):
        # One line tells of the account; a line for each delivery would bury it.
        reason = "The whole account is stopped, and its deliveries wait, until its key is changed or works again."
        values: dict[str, Any] = {"next_attempt_at": now, "last_error": detail}
        return Verdict(Status.PENDING, Outcome.WAIT, detail, reason, values, status_code)
    config = get_config().deliveries
    # As they are now: its account may have been stopped and resumed meanwhile, which begins the row of failures anew.
    row = Delivery.objects.filter(pk=delivery.pk).values_list("failures", "give_up_at").first()
    former, known_end = row or (delivery.failures, delivery.give_up_at)
    failures, give_up_at = former + 1, known_end or now + timedelta(seconds=config.give_up_after)
    decision = RetryPolicy(config).decide(
        error,
        failures=failures,
        failing_for=now - (give_up_at - timedelta(seconds=config.give_up_after)),
        chance=random.random(),  # noqa: S311 - jitter, not a secret
    )
    values = {"last_error": detail, "failures": failures, "give_up_at": give_up_at}
    log = {"action": "delivery_failed", "delivery": delivery.pk, "attempt": delivery.attempts}
    if isinstance(decision, Retry):
        values["next_attempt_at"] = now + decision.delay
        logger.warning(
            "Delivery %s (%s) failed and is tried again at %s: %s",
            delivery.pk,
            delivery.action,
            values["next_attempt_at"].isoformat(timespec="seconds"),
            detail,
            extra=log,
        )
        return Verdict(Status.PENDING, Outcome.RETRY, detail, decision.reason, values, status_code)
    logger.error(
        "Delivery %s (%s) was given up: %s Mend the cause and retry it in the admin.",
        delivery.pk,
        delivery.action,
        as_sentence(detail),
        extra=log,
    )
    return Verdict(Status.DEAD, Outcome.DEAD, detail, decision.reason, values, status_code)


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


def settle(
    delivery: Delivery, verdict: Verdict, started_at: datetime, duration_ms: int, exchanges: Sequence[Exchange]
) -> bool:
    """Write down what is decided; False where the lease is not ours any more, and then nothing is written."""
    with transaction.atomic():
        if verdict.is_deleted:
            forget([delivery.own_badge.pk])
        elif verdict.issued is not None:
            # The badge first, as everywhere: whoever revokes it at this moment locks the two rows in this order.
            # A webhook may have told of a later state while the provider's answer was on its way.
            badge = Badge.objects.select_for_update().filter(pk=delivery.own_badge.pk).first()
            if badge is not None:
                follow(badge, verdict.issued, None)
        mine = Delivery.objects.filter(pk=delivery.pk, status=Status.IN_PROGRESS, lease_token=delivery.lease_token)
        if not mine.move(verdict.status, **verdict.values):
            transaction.set_rollback(True)
            return False
        if verdict.outcome == POSTPONED:
            return True
        DeliveryAttempt.objects.create(
            delivery=delivery,
            number=delivery.attempts,
            started_at=started_at,
            duration_ms=duration_ms,
            outcome=verdict.outcome,
            status_code=verdict.status_code,
            detail=verdict.detail,
            reason=verdict.reason,
            exchanges=[asdict(exchange) for exchange in exchanges],
        )
    return True
