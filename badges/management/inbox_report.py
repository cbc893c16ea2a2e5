"""What a run of ``deliver_badges`` tells of the inbox of webhooks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from badges.issuing import health
from badges.models import WebhookEvent
from badges.webhooks import outcomes
from badges.webhooks.processing import Attempt, due_now, process_due

WORDS = {
    outcomes.PROCESSED: "processed",
    outcomes.IGNORED: "ignored",
    outcomes.RETRY: "to be retried",
    outcomes.WAITS: "waiting for their account",
    outcomes.DEAD: "given up",
    outcomes.POSTPONED: "postponed by the ceiling of calls",
    outcomes.UNKNOWN: "not known to their provider",
    outcomes.LOST: "lost to another worker",
    outcomes.BROKEN: "not worked on at all",
}
WELL = frozenset({outcomes.PROCESSED, outcomes.IGNORED, outcomes.POSTPONED, outcomes.UNKNOWN})
"""What is worth no line of its own where only failures are."""


def process_inbox(
    limit: int | None,
    is_stopping: Callable[[], bool],
    say: Callable[[str], object] | None,
    complain: Callable[[str], object],
    *,
    is_brief: bool,
) -> Counter[str]:
    """Process what is due in the inbox, and tell of each attempt.

    Arguments:
        limit: at most this many events.
        is_stopping: asked before each event; once true, the rest is left.
        say: takes a line; None for none.
        complain: takes a line of what could not be worked on at all.
        is_brief: whether only failures are told.

    Returns:
        Outcome -> how many.

    Raises:
        django.db.Error: the database is away.
    """

    def on_event(attempt: Attempt) -> None:
        name = f"webhook event {attempt.event_id} {attempt.event_type}".rstrip()
        detail = " ".join(attempt.detail.split())
        if attempt.outcome == outcomes.BROKEN:
            complain(f"{name}: {detail}")
        elif say is not None and (not is_brief or attempt.outcome not in WELL):
            say(f"{name}: {attempt.outcome}. {detail}".rstrip())

    return process_due(limit=limit, is_stopping=is_stopping, on_event=on_event)


def counted(found: Counter[str]) -> str:
    """How many events were worked on, and with what outcome."""
    told = ", ".join(f"{found[name]} {words}" for name, words in WORDS.items() if found[name])
    number = found.total()
    return f"{number} {'webhook event' if number == 1 else 'webhook events'}: {told}."


def broken(found: Counter[str]) -> str:
    """What makes a run one that failed; empty for nothing."""
    if not (number := found[outcomes.BROKEN]):
        return ""
    return f"{number} {'webhook event' if number == 1 else 'webhook events'} could not be worked on at all; see above."


def needs_person(found: Counter[str]) -> str:
    """What somebody has to look at; empty for nothing."""
    if not (number := found[outcomes.DEAD]):
        return ""
    told, them = ("1 webhook event was", "it") if number == 1 else (f"{number} webhook events were", "them")
    return f"{told} given up. Mend the cause and replay {them} in the admin."


def preview(limit: int | None) -> Iterator[str]:
    """A line for each event that a run would look at. Asks nobody."""
    blocked = set(health.blocked_accounts())
    free = set(due_now(sorted(blocked)).values_list("pk", flat=True))
    rows = due_now([]).select_related("account")
    for row in rows.only("event_type", "is_proven", "status", "account__name", "account__provider")[:limit]:
        where = f'account "{row.account.name}" ({row.account.provider})'
        left = ", left by its worker" if row.status == WebhookEvent.Status.PROCESSING else ""
        waits = "" if row.pk in free else ": waits for its account"
        yield f"webhook event {row.pk} {row.event_type}, {where}{left}{waits}"
