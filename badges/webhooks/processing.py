"""The life of an event in the inbox: claimed under a lease, asked for at its provider, applied, settled.

Only what the provider itself tells is applied. An account that is stopped or rests keeps its events waiting, and none
runs out meanwhile. Events may be applied in any order: that a newer one wins is the matter of what applies them.
"""

from __future__ import annotations

import logging
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

from attrs import frozen
from django.db import Error, connection, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from badges.changes import ProviderEvent
from badges.conf import get_config
from badges.data import Notice
from badges.exceptions import BadgesError, ConfigurationError, UnexpectedAnswer, describe
from badges.issuing import health
from badges.issuing.gate import gate_of
from badges.issuing.health import Admission, Probe
from badges.models import ProviderAccount, WebhookEvent
from badges.processing.retries import retried
from badges.providers import registry, traffic
from badges.providers.webhooks import Webhooks
from badges.toggles import is_badges_enabled
from badges.webhooks.applying import apply
from badges.webhooks.outcomes import (
    BROKEN,
    DEAD,
    LOST,
    POSTPONED,
    RETRY,
    WAITS,
    Verdict,
    after_failure,
    applied,
    settle,
)

logger = logging.getLogger(__name__)

Status = WebhookEvent.Status
PATIENCE = 30.0
"""Seconds that a call of a sweep may wait for its turn below its account's ceiling."""
MOST_ATTEMPTS = 50
"""After so many, one that a worker was lost with is not tried any more. Failures alone run out long before."""
MOST_IN_A_ROW = 5
"""So many failures in a row end the turn of a provider that is not asked for its events. The others' accounts rest."""


class LeaseLost(BadgesError):
    """The lease ran out, and another worker has the event."""


@frozen
class Attempt:
    """What came of one attempt at an event."""

    event_id: int
    """Of the row."""
    event_type: str
    outcome: str
    """See :mod:`badges.webhooks.outcomes`."""
    detail: str


OnEvent = Callable[[Attempt], None]


def due(now: datetime | None = None) -> QuerySet[WebhookEvent]:
    """The events that wait for nobody: their time has come, or their worker's lease has run out."""
    now = now or timezone.now()
    return WebhookEvent.objects.filter(
        Q(status__in=(Status.RECEIVED, Status.FAILED), next_attempt_at__lte=now)
        | Q(status=Status.PROCESSING, leased_until__lt=now)
    )


def due_now(blocked: list[int] | None = None) -> QuerySet[WebhookEvent]:
    """The due events in the order of a sweep, without those whose account must not be called.

    Those that proved to be genuine come first, so that nobody else can keep them waiting; then the oldest.

    Arguments:
        blocked: the ids of those accounts; looked up if not given.
    """
    blocked = health.blocked_accounts() if blocked is None else blocked
    waits = Q(account_id__in=blocked) & ~Q(account__provider__in=_unconfirmed())
    found = due().exclude(waits) if blocked else due()
    return found.order_by("-is_proven", F("occurred_at").asc(nulls_last=True), "pk")


def process_due(
    *,
    limit: int | None = None,
    patience: float = PATIENCE,
    is_stopping: Callable[[], bool] = lambda: False,
    on_event: OnEvent | None = None,
) -> Counter[str]:
    """Process everything that is due. What goes wrong with one event does not keep the others waiting.

    Arguments:
        limit: at most this many events.
        patience: seconds that a call may wait for its turn below its account's ceiling.
        is_stopping: asked before each event; once true, the rest is left.
        on_event: told of each attempt.

    Returns:
        Outcome -> how many; see :mod:`badges.webhooks.outcomes`.

    Raises:
        django.db.Error: the database is away.
    """
    outcomes: Counter[str] = Counter()
    if not is_badges_enabled():
        return outcomes
    # Read at once, not by a cursor: an open one would keep SQLite's writers out while events are processed.
    waiting = list(due_now().values_list("pk", "account_id", "account__provider")[:limit])
    blocked: set[int] = set()
    unconfirmed, in_a_row = _unconfirmed(), Counter[int]()
    for event_id, account_id, provider in waiting:
        if is_stopping():
            break
        if account_id in blocked:
            continue
        attempt = _attempt_safely(event_id, patience)
        if attempt is None:
            continue
        outcomes[attempt.outcome] += 1
        in_a_row[account_id] = in_a_row[account_id] + 1 if attempt.outcome == RETRY else 0
        # What such a provider has to be asked for is asked for without its account, which therefore never rests.
        is_failing = provider in unconfirmed and in_a_row[account_id] >= MOST_IN_A_ROW
        if attempt.outcome in (POSTPONED, WAITS) or is_failing:
            blocked.add(account_id)
        if on_event is not None:
            on_event(attempt)
    return outcomes


def process(event_id: int, *, patience: float = 0.0) -> str:
    """Process one event if it is due.

    Arguments:
        event_id: of the row.
        patience: seconds that a call may wait for its turn below its account's ceiling.

    Returns:
        What came of it, see :mod:`badges.webhooks.outcomes`; empty where it is not due, or its account must not be
        called now.

    Raises:
        django.db.Error: the database failed; what was under way is taken up after its lease.
    """
    attempt = _attempt(event_id, patience)
    return attempt.outcome if attempt is not None else ""


def _attempt_safely(event_id: int, patience: float) -> Attempt | None:
    try:
        return _attempt(event_id, patience)
    except Exception as error:
        if isinstance(error, Error) and (connection.connection is None or not connection.is_usable()):
            raise
        detail = describe(error)
        logger.error(  # noqa: TRY400 - described without what the database quotes
            "Webhook event %s could not be worked on at all: %s",
            event_id,
            detail,
            extra={"action": "webhook_broken", "event": event_id},
        )
        return Attempt(event_id, "", BROKEN, detail)


def _attempt(event_id: int, patience: float) -> Attempt | None:
    row = due().select_related("account").filter(pk=event_id).first()
    if row is None:
        return None
    if row.status == Status.PROCESSING and row.attempts >= MOST_ATTEMPTS:
        return _given_up(row)
    webhooks = _webhooks_of(row.account)
    probe: Probe | None = None
    if webhooks is None or webhooks.is_confirmed_by_provider:
        admission = health.admission(row.account)
        if admission is Admission.BLOCKED:
            return None
        probe = admission if isinstance(admission, Probe) else None
    try:
        # Workers are not kept waiting by what anybody can make up.
        patience = patience if row.is_proven else 0.0
        return _work_on(row, webhooks, patience, probe) if _claim(row) else None
    finally:
        if probe is not None:
            health.give_back(probe)


def _claim(row: WebhookEvent) -> bool:
    now = timezone.now()
    token, leased_until = uuid.uuid4(), now + timedelta(seconds=get_config().deliveries.lease)
    # Only who still finds the row as it was read gets the lease.
    as_read = WebhookEvent.objects.filter(
        pk=row.pk, status=row.status, attempts=row.attempts, lease_token=row.lease_token
    )
    claimed = as_read.update(
        status=Status.PROCESSING,
        lease_token=token,
        leased_until=leased_until,
        attempts=row.attempts + 1,
        modified=now,
    )
    row.lease_token, row.attempts = token, row.attempts + 1
    return bool(claimed)


def _work_on(row: WebhookEvent, webhooks: Webhooks | None, patience: float, probe: Probe | None) -> Attempt:
    try:
        event = _event(row, webhooks, patience, probe)
        verdict = retried(lambda: _apply(row, event))
    except LeaseLost:
        return _lost(row)
    except Exception as error:
        if isinstance(error, Error) and (connection.connection is None or not connection.is_usable()):
            raise
        verdict = after_failure(row, error)
        if not settle(row, verdict):
            return _lost(row)
    return Attempt(row.pk, verdict.event_type or row.event_type, verdict.outcome, verdict.detail)


def _event(row: WebhookEvent, webhooks: Webhooks | None, patience: float, probe: Probe | None) -> ProviderEvent:
    """The event as its provider tells it; the health of the account is learned from the call."""
    if webhooks is None:
        raise ConfigurationError(
            f'The provider "{row.account.provider}" is not registered, or does not take webhooks any more.'
        )
    notice = Notice(
        event_id=row.event_id,
        event_type=row.event_type,
        # Of what says no time itself, it is known when it came.
        occurred_at=row.occurred_at or row.received_at,
        account_external_id=row.account.external_id or "",
    )
    body = row.body.encode()
    if webhooks.is_confirmed_by_provider:
        event = _asked(row.account, webhooks, notice, body, patience, probe)
    else:
        event = webhooks.event(None, notice, body)
    if event.event_id.casefold() != row.event_id.casefold():
        raise UnexpectedAnswer("The provider answered another event than the one that it was asked for.")
    return event


def _asked(
    account: ProviderAccount, webhooks: Webhooks, notice: Notice, body: bytes, patience: float, probe: Probe | None
) -> ProviderEvent:
    try:
        gate = gate_of(account, patience=patience)
        gate.enter()
        with traffic.watched_by(gate):
            event = webhooks.event(registry.connect(account.as_data()), notice, body)
    except Exception as error:
        error = health.of_reading(error)
        health.failed(account, error, probe)
        raise error from None
    health.answered(account.pk, probe)
    return event


def _apply(row: WebhookEvent, event: ProviderEvent) -> Verdict:
    """Apply an event and settle its row, all or nothing."""
    with transaction.atomic():
        # The lock keeps whoever takes over after the lease waiting until it is settled.
        mine = WebhookEvent.objects.filter(pk=row.pk, status=Status.PROCESSING, lease_token=row.lease_token)
        if mine.select_for_update().values_list("pk", flat=True).first() is None:
            raise LeaseLost("The lease ran out before the event was applied.")
        verdict = applied(event, apply(event, row.account))
        settle(row, verdict)
    return verdict


def _lost(row: WebhookEvent) -> Attempt:
    # A retirement takes the lease as well, and nobody else has the event then.
    if WebhookEvent.objects.filter(pk=row.pk, attempts__gt=row.attempts).exists():
        logger.warning(
            "Webhook event %s took longer than its lease, and another worker has it now. Raise "
            'BADGES_CONFIG["deliveries"]["lease"] above the longest time that the provider takes.',
            row.pk,
            extra={"action": "lease_lost", "event": row.pk},
        )
    return Attempt(row.pk, row.event_type, LOST, "")


def _given_up(row: WebhookEvent) -> Attempt | None:
    """Give up what takes worker after worker with it: each time it is the first that the next one takes."""
    detail = (
        f"It was tried {row.attempts} times, the last time by a worker that was lost: killed, or slower than its lease."
    )
    now = timezone.now()
    as_read = WebhookEvent.objects.filter(pk=row.pk, status=Status.PROCESSING, lease_token=row.lease_token)
    if not as_read.update(
        status=Status.DEAD, lease_token=None, leased_until=None, finished_at=now, modified=now, last_error=detail
    ):
        return None
    logger.error(
        "Webhook event %s was given up: %s Look for what ended it, mend it and replay the event in the admin.",
        row.pk,
        detail,
        extra={"action": "webhook_failed", "event": row.pk, "attempt": row.attempts},
    )
    return Attempt(row.pk, row.event_type, DEAD, detail)


def _webhooks_of(account: ProviderAccount) -> Webhooks | None:
    try:
        found = registry.provider_class(account.provider).webhooks
    except ConfigurationError:
        return None
    return found() if found is not None else None


def _unconfirmed() -> list[str]:
    """The providers that are not asked for their events."""
    found = []
    for slug in registry.registered():
        try:
            webhooks = registry.provider_class(slug).webhooks
        except ConfigurationError:
            continue
        if webhooks is not None and not webhooks.is_confirmed_by_provider:
            found.append(slug)
    return found
