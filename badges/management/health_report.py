"""The report of ``badges_health``: as text in 80 columns, and as JSON that stays as it is documented."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from badges.issuing.summary import AccountState, AccountSummary, Queue, Summary

WIDTH = 80
NAME_WIDTH, STATE_WIDTH = 38, 10
UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def troubles(found: Summary, max_age: timedelta, *, ignore_dead: bool = False) -> list[str]:
    """Why not all is well, a sentence each; empty if it is.

    Arguments:
        found: the health of everything.
        max_age: how old the oldest waiting delivery may be.
        ignore_dead: whether deliveries that were given up are no trouble.
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
    return told


def as_json(found: Summary, max_age: timedelta, told: list[str]) -> dict[str, Any]:
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
        "events": {"dead": found.dead_events},
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


def as_text(found: Summary, told: list[str]) -> Iterator[str]:
    """The report for people, with its ``troubles``, line by line."""
    yield f"Badges at {_date(found.at)}: {'all is well.' if not told else 'not all is well.'}"
    for sentence in told:
        yield from _wrapped(sentence, "  ! ")
    yield ""
    yield _row("", "state", "waiting", "oldest", "dead")
    for account in found.accounts:
        yield _row(f"{account.provider}: {account.name}", account.state.value, *_numbers(account.queue, found.at))
        for detail in _details(account, found.at):
            yield from _wrapped(detail, "    ")
    if not found.accounts:
        yield "  no accounts"
    yield _row("announcements", "", *_numbers(found.announcements, found.at))
    if found.without_account != Queue():
        yield _row("without an account", "", *_numbers(found.without_account, found.at))
    yield _row("together", "", *_numbers(Queue(found.waiting, found.oldest_at, found.dead), found.at))
    yield ""
    yield f"Dead events: {found.dead_events}"


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


def brief(span: timedelta) -> str:
    """A time span in its largest unit: ``3 h``."""
    seconds = max(0, round(span.total_seconds()))
    for size, unit in UNITS:
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return "0 s"


def _numbers(queue: Queue, now: datetime) -> tuple[str, str, str]:
    oldest = "-" if queue.oldest_at is None else brief(now - queue.oldest_at)
    return str(queue.waiting), oldest, str(queue.dead)


def _row(name: str, state: str, waiting: str, oldest: str, dead: str) -> str:
    shown = textwrap.shorten(name, NAME_WIDTH, placeholder="...") if len(name) > NAME_WIDTH else name
    return f"{shown:<{NAME_WIDTH}} {state:<{STATE_WIDTH}} {waiting:>8} {oldest:>9} {dead:>8}"


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=" " * len(indent))


def _date(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S %Z}"
