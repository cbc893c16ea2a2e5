"""What is decided after an attempt at an event of the inbox, and how it is written down."""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from attrs import field, frozen
from django.utils import timezone
from django.utils.translation import gettext as _

from badges.changes import ProviderEvent
from badges.conf import get_config
from badges.exceptions import CeilingReached, NoSuchEvent, describe
from badges.issuing.health import STOPS, as_sentence
from badges.issuing.retry import Retry, RetryPolicy, doubled
from badges.models import WebhookEvent
from badges.rules.payload import storable_text
from badges.webhooks.inbox import storable_time

logger = logging.getLogger(__name__)

Status = WebhookEvent.Status

# Outcomes of an attempt. The first three are the statuses in which an event ends.
PROCESSED, IGNORED, DEAD = str(Status.PROCESSED), str(Status.IGNORED), str(Status.DEAD)
RETRY = "retry"
WAITS = "wait"
"""Its account is stopped."""
POSTPONED = "postponed"
"""Our own ceiling of calls was reached."""
UNKNOWN = "unknown"
"""The provider knows no such event, and nobody proved to be its sender: the row is gone."""
LOST = "lost"
"""Another worker had taken over meanwhile."""
BROKEN = "broken"
"""It could not be worked on at all."""

MAY_COME_EARLY = timedelta(minutes=10)
"""So long after it was told of, an event that its provider does not know may be one that cannot be read yet."""
FIRST_LOOK, FIRST_LOOK_ON_TRIAL, LONGEST_LOOK = 10.0, 60.0, 240.0
"""Seconds until it is looked for again; doubled each time, up to a limit. More rarely for what anybody can make up."""
LONGEST_NOTE = 10_000


@frozen
class Verdict:
    """What is decided after an attempt."""

    outcome: str
    status: str
    """Where the event goes; empty where its row goes."""
    detail: str
    """What happened, in words that may be shown."""
    values: Mapping[str, Any] = field(factory=dict)
    """What else is written to it."""
    event_type: str = ""
    """As the provider says it, where it did."""


def applied(event: ProviderEvent, effects: Sequence[str]) -> Verdict:
    """The event was applied."""
    outcome = PROCESSED if effects else IGNORED
    note = "\n".join(effects) or event.note or _("It changes nothing here.")
    event_type = storable_text(event.event_type)[:100]
    values: dict[str, Any] = {"event_type": event_type, "note": storable_text(note)[:LONGEST_NOTE]}
    if (occurred_at := storable_time(event.occurred_at)) is not None:
        values["occurred_at"] = occurred_at
    return Verdict(outcome, outcome, values["note"], {**values, "last_error": "", "give_up_at": None}, event_type)


def after_failure(row: WebhookEvent, error: Exception) -> Verdict:
    """What to do after an error: wait for the account, try again later, or give up. It is logged here."""
    now, detail = timezone.now(), storable_text(describe(error))[:LONGEST_NOTE]
    # What is not its own failure counts against nothing.
    untouched: dict[str, Any] = {"attempts": row.attempts - 1}
    if isinstance(error, CeilingReached):
        has_failed = row.give_up_at is not None
        untouched["next_attempt_at"] = now + timedelta(seconds=error.retry_after or 0.0)
        return Verdict(POSTPONED, Status.FAILED if has_failed else Status.RECEIVED, detail, untouched)
    if isinstance(error, STOPS):
        # When the account works again, a new row of attempts begins.
        values = {**untouched, "give_up_at": None, "next_attempt_at": now, "last_error": detail}
        return Verdict(WAITS, Status.RECEIVED, detail, values)
    if isinstance(error, NoSuchEvent):
        return _not_known(row, detail)
    return _failed(row, error, detail)


def settle(row: WebhookEvent, verdict: Verdict) -> bool:
    """Write down what is decided; False where the lease is not ours any more, and then nothing is written."""
    now = timezone.now()
    mine = WebhookEvent.objects.filter(pk=row.pk, status=Status.PROCESSING, lease_token=row.lease_token)
    if not verdict.status:
        # Proven meanwhile, it is looked for as a proven one is.
        deleted, _rows = mine.filter(is_proven=False).delete()
        if deleted:
            return True
        verdict = _look_again(row, verdict.detail)
    is_over = verdict.status in (Status.PROCESSED, Status.IGNORED, Status.DEAD)
    values = {"finished_at": now if is_over else None, **verdict.values}
    return bool(mine.update(status=verdict.status, lease_token=None, leased_until=None, modified=now, **values))


def _not_known(row: WebhookEvent, detail: str) -> Verdict:
    """The provider knows no such event (yet)."""
    if timezone.now() - row.received_at < MAY_COME_EARLY:
        return _look_again(row, detail)
    if not row.is_proven:
        return Verdict(UNKNOWN, "", detail)
    note = _("The provider knows no such event.")
    return Verdict(IGNORED, Status.IGNORED, note, {"note": note, "last_error": detail, "give_up_at": None})


def _look_again(row: WebhookEvent, detail: str) -> Verdict:
    delay = min(doubled(FIRST_LOOK if row.is_proven else FIRST_LOOK_ON_TRIAL, row.attempts), LONGEST_LOOK)
    next_attempt_at = timezone.now() + timedelta(seconds=delay)
    return Verdict(RETRY, Status.FAILED, detail, {"next_attempt_at": next_attempt_at, "last_error": detail})


def _failed(row: WebhookEvent, error: Exception, detail: str) -> Verdict:
    config, now = get_config().deliveries, timezone.now()
    give_up_at = row.give_up_at or now + timedelta(seconds=config.give_up_after)
    decision = RetryPolicy(config).decide(
        error,
        failures=row.attempts,
        failing_for=now - (give_up_at - timedelta(seconds=config.give_up_after)),
        chance=random.random(),  # noqa: S311 - jitter, not a secret
    )
    values: dict[str, Any] = {"last_error": detail, "give_up_at": give_up_at}
    log = {"action": "webhook_failed", "event": row.pk, "attempt": row.attempts}
    if isinstance(decision, Retry):
        values["next_attempt_at"] = now + decision.delay
        logger.warning(
            "Webhook event %s failed and is tried again at %s: %s",
            row.pk,
            values["next_attempt_at"].isoformat(timespec="seconds"),
            detail,
            extra=log,
        )
        return Verdict(RETRY, Status.FAILED, detail, values)
    logger.error(
        "Webhook event %s was given up: %s Mend the cause and replay it in the admin.",
        row.pk,
        as_sentence(detail),
        extra=log,
    )
    return Verdict(DEAD, Status.DEAD, detail, values)
