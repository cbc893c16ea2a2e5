"""The report of ``badges_health``: as text in 80 columns, and as JSON that stays as it is documented."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from badges.eventbus.groups import Bus
from badges.issuing.summary import AccountState, AccountSummary, Queue, Summary
from badges.management import bus_report
from badges.management.spans import brief, wrapped
from badges.models import DeadEvent

NAME_WIDTH, STATE_WIDTH = 38, 10


def troubles(found: Summary, bus: Bus, max_age: timedelta, *, ignore_dead: bool = False) -> list[str]:
    """Why not all is well, a sentence each; empty if it is.

    Arguments:
        found: the health of everything but the bus.
        bus: the health of the consumer groups.
        max_age: how old the oldest waiting delivery, unread event or pending event may be.
        ignore_dead: whether deliveries that were given up and dead events are no trouble.
    """
    told = [
        f'The {account.provider} account "{account.name}" is stopped: {account.reason}' for account in found.stopped
    ]
    if found.oldest_at is not None and found.waits_longer_than(max_age):
        age = brief(found.at - found.oldest_at)
        told.append(f"The oldest waiting delivery is {age} old; the limit is {brief(max_age)}.")
    if found.dead and not ignore_dead:
        were, them = ("delivery was", "it") if found.dead == 1 else ("deliveries were", "them")
        told.append(f"{found.dead} {were} given up; retry, cancel or mark {them} as done in the admin.")
    told += _inbox(found, max_age, ignore_dead=ignore_dead)
    told += bus_report.troubles(bus, found.at, max_age)
    return [*told, *_dead_events(found, ignore_dead=ignore_dead)]


def _inbox(found: Summary, max_age: timedelta, *, ignore_dead: bool) -> Iterator[str]:
    inbox = found.inbox
    if inbox.oldest_at is not None and found.at - inbox.oldest_at > max_age:
        yield (
            f"The oldest waiting webhook event is {brief(found.at - inbox.oldest_at)} old; the limit is "
            f"{brief(max_age)}. The idle consumer, deliver_badges, or the workers of a task engine process them."
        )
    if inbox.dead and not ignore_dead:
        were, them = ("webhook event was", "it") if inbox.dead == 1 else ("webhook events were", "them")
        yield f"{inbox.dead} {were} given up; process {them} again or discard {them} in the admin."


def _dead_events(found: Summary, *, ignore_dead: bool) -> Iterator[str]:
    lost = found.dead_by_kind.get(DeadEvent.Kind.LOST, 0)
    waiting = found.dead_events - lost
    if waiting and not ignore_dead:
        waits, them = ("event waits", "it") if waiting == 1 else ("events wait", "them")
        yield f"{waiting} dead {waits}; replay or discard {them} in the admin."
    if lost:
        is_lost, it, them = ("event is", "it", "it") if lost == 1 else ("events are", "they", "them")
        yield (
            f"{lost} {is_lost} lost: the bus had {them} no more when {it} should have been read again. See the dead "
            f'events of the kind "lost", and discard {them} when that is dealt with.'
        )


def as_json(found: Summary, bus: Bus, max_age: timedelta, told: list[str]) -> dict[str, Any]:
    """The report for programs, with its ``troubles``; documented in docs/operations.rst, and only ever added to."""
    return {
        "version": 1,
        "at": _iso(found.at),
        "healthy": not told,
        "troubles": told,
        "max_age_seconds": round(max_age.total_seconds()),
        "waiting": found.waiting,
        "oldest_waiting_at": _iso(found.oldest_at),
        "oldest_waiting_seconds": _seconds(found.at, found.oldest_at),
        "dead": found.dead,
        "accounts": [_account(account, found.at) for account in found.accounts],
        "announcements": _queue(found.announcements, found.at),
        "without_account": _queue(found.without_account, found.at),
        "callbacks": {
            **_queue(found.callbacks, found.at),
            "resting": [
                {
                    "id": endpoint.id,
                    "name": endpoint.name,
                    "resting_until": _iso(endpoint.until),
                    "failures": endpoint.failures,
                    "last_error": endpoint.last_error,
                }
                for endpoint in found.resting
            ],
        },
        "inbox": _queue(found.inbox, found.at),
        "events": {"dead": found.dead_events, "by_kind": dict(found.dead_by_kind)},
        "bus": bus_report.as_json(bus, found.at),
    }


def _account(account: AccountSummary, now: datetime) -> dict[str, Any]:
    sync = account.sync
    return {
        "id": account.id,
        "provider": account.provider,
        "name": account.name,
        "state": account.state.value,
        "reason": account.reason,
        "stopped_at": _iso(account.since),
        "resting_until": _iso(account.until),
        "next_check_at": _iso(account.next_check_at),
        "failures": account.failures,
        "last_success_at": _iso(account.last_success_at),
        "last_error_at": _iso(account.last_error_at),
        "last_error": account.last_error,
        **_queue(account.queue, now),
        "sync": None
        if sync is None
        else {
            "started_at": _iso(sync.started_at),
            "finished_at": _iso(sync.finished_at),
            "last_error": sync.last_error,
        },
    }


def _queue(queue: Queue, now: datetime) -> dict[str, Any]:
    return {
        "waiting": queue.waiting,
        "oldest_waiting_at": _iso(queue.oldest_at),
        "oldest_waiting_seconds": _seconds(now, queue.oldest_at),
        "dead": queue.dead,
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")


def _seconds(now: datetime, moment: datetime | None) -> int | None:
    return None if moment is None else max(0, round((now - moment).total_seconds()))


def as_text(found: Summary, bus: Bus, told: list[str]) -> Iterator[str]:
    """The report for people, with its ``troubles``, line by line."""
    yield f"Badges at {_date(found.at)}: {'all is well.' if not told else 'not all is well.'}"
    for sentence in told:
        yield from wrapped(sentence, "  ! ")
    yield ""
    yield _row("", "state", "waiting", "oldest", "dead")
    for account in found.accounts:
        yield _row(f"{account.provider}: {account.name}", account.state.value, *_numbers(account.queue, found.at))
        for detail in _details(account, found.at):
            yield from wrapped(detail, "    ")
    if not found.accounts:
        yield "  no accounts"
    yield _row("announcements", "", *_numbers(found.announcements, found.at))
    if found.without_account != Queue():
        yield _row("without an account", "", *_numbers(found.without_account, found.at))
    if found.callbacks != Queue() or found.resting:
        yield _row("callbacks", "resting" if found.resting else "", *_numbers(found.callbacks, found.at))
    for endpoint in found.resting:
        text = f'the endpoint "{endpoint.name}" rests until {_date(endpoint.until)}: {endpoint.last_error}'
        yield from wrapped(text, "    ")
    yield _row("together", "", *_numbers(Queue(found.waiting, found.oldest_at, found.dead), found.at))
    yield _row("webhook events", "", *_numbers(found.inbox, found.at))
    yield ""
    yield from bus_report.as_text(bus, found.at)
    yield ""
    kinds = ", ".join(f"{number} {kind.replace('_', ' ')}" for kind, number in found.dead_by_kind.items() if number)
    yield f"Dead events: {found.dead_events}{f' ({kinds})' * bool(kinds)}"


def _details(account: AccountSummary, now: datetime) -> Iterator[str]:
    if account.state is AccountState.STOPPED:
        yield f"stopped since {_date(account.since)}: {account.reason}"
        yield f"next check by itself: {_date(account.next_check_at)}"
    elif account.state is AccountState.RESTING:
        yield f"rests until {_date(account.until)}, {_why_it_rests(account)}"
    elif account.state is AccountState.TRYING:
        yield f"has rested, {_why_it_rests(account)}; the next delivery tries"
    if account.last_success_at is not None:
        yield f"last success {brief(now - account.last_success_at)} ago"
    if account.last_error_at is not None:
        yield f"last error {brief(now - account.last_error_at)} ago: {account.last_error}"
    if account.sync is not None:
        yield _sync(account, now)


def _why_it_rests(account: AccountSummary) -> str:
    if not account.failures:
        return "as the provider asked for a pause"
    return f"after {account.failures} {'failure' if account.failures == 1 else 'failures'} in a row"


def _sync(account: AccountSummary, now: datetime) -> str:
    sync = account.sync
    if sync is None:
        return ""
    if sync.finished_at is not None:
        return f"templates synchronized {brief(now - sync.finished_at)} ago"
    reason = f"; it failed: {sync.last_error}" if sync.last_error else ""
    return f"synchronization of templates begun {brief(now - sync.started_at)} ago, not finished{reason}"


def _numbers(queue: Queue, now: datetime) -> tuple[str, str, str]:
    oldest = "-" if queue.oldest_at is None else brief(now - queue.oldest_at)
    return str(queue.waiting), oldest, str(queue.dead)


def _row(name: str, state: str, waiting: str, oldest: str, dead: str) -> str:
    shown = textwrap.shorten(name, NAME_WIDTH, placeholder="...") if len(name) > NAME_WIDTH else name
    return f"{shown:<{NAME_WIDTH}} {state:<{STATE_WIDTH}} {waiting:>8} {oldest:>9} {dead:>8}"


def _date(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S %Z}"
