"""The consumer groups in the report of ``badges_health``: as text in 80 columns, as JSON, and what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from badges.eventbus.groups import Bus, Consumer, ConsumerState, Group
from badges.eventbus.redis.stats import GroupStats
from badges.management.spans import WIDTH, brief, wrapped

NAME_WIDTH = 40
FORGOTTEN_AFTER = timedelta(days=1)
"""The text only counts consumers that are gone for so long and hold nothing: the bus keeps their names for ever."""


def troubles(bus: Bus, now: datetime, max_age: timedelta) -> Iterator[str]:
    """What is wrong with the consumer groups, a sentence each.

    Arguments:
        bus: the consumer groups.
        now: when they were read.
        max_age: how old the oldest unread event, and the oldest pending one, may be.
    """
    if bus.error:
        yield f"How far the consumers are cannot be told: {bus.error}"
    for group in bus.groups:
        if group.stats is not None:
            yield from _troubles(group, group.stats, now, max_age)


def _troubles(group: Group, stats: GroupStats, now: datetime, max_age: timedelta) -> Iterator[str]:
    retired = " If the group is not used any more, forget its consumers in the admin." if group.is_known else ""
    if not stats.exists:
        why = "If Redis lost its data, a running consumer makes it again." if group.is_known else "Is the name right?"
        yield f"{group}: the bus knows no such group. {why}{retired}"
    if group.is_unattended(now):
        seen = "none was ever seen" if group.seen_at is None else f"the last was seen {brief(now - group.seen_at)} ago"
        yield f"{group}: {_number(stats)} unread, and no consumer is there to read: {seen}. Start one.{retired}"
    if stats.oldest_unread_seconds is not None and stats.oldest_unread_seconds > max_age.total_seconds():
        yield f"{group}: the oldest unread event is {_brief(stats.oldest_unread_seconds)} old; {_limit(max_age)}."
    if stats.oldest_pending_seconds is not None and stats.oldest_pending_seconds > max_age.total_seconds():
        yield (
            f"{group}: the oldest pending event, which a consumer took and has not finished, is "
            f"{_brief(stats.oldest_pending_seconds)} old; {_limit(max_age)}."
        )
    if stats.trimmed:
        yield (
            f"{group}: {_events(stats.trimmed)} gone from the bus unread, and lost. Raise "
            "EVENT_BUS_REDIS_STREAM_MAX_LEN where events are produced, and see that a consumer always runs."
        )


def as_json(bus: Bus, now: datetime) -> dict[str, Any]:
    """The consumer groups for programs; documented in docs/operations.rst, and only ever added to."""
    return {
        "error": bus.error,
        "note": bus.note,
        "groups": [
            {
                "topic": group.topic,
                "group": group.group_id,
                **_stats(group.stats),
                "seen_at": _iso(group.seen_at),
                "unattended": group.is_unattended(now),
                "consumers": [_consumer(consumer) for consumer in group.consumers],
            }
            for group in bus.groups
        ],
    }


def _stats(stats: GroupStats | None) -> dict[str, Any]:
    if stats is None:
        names = ("exists", "length", "lag", "lag_is_at_least", "trimmed", "oldest_unread_seconds")
        return dict.fromkeys((*names, "pending", "oldest_pending_seconds"))
    return {
        "exists": stats.exists,
        "length": stats.length,
        "lag": stats.lag,
        "lag_is_at_least": stats.lag_is_at_least,
        "trimmed": stats.trimmed,
        "oldest_unread_seconds": _whole(stats.oldest_unread_seconds),
        "pending": stats.pending,
        "oldest_pending_seconds": _whole(stats.oldest_pending_seconds),
    }


def _consumer(consumer: Consumer) -> dict[str, Any]:
    return {
        "name": consumer.name,
        "state": consumer.state.value,
        "seen_at": _iso(consumer.seen_at),
        "started_at": _iso(consumer.started_at),
        "stopped_at": _iso(consumer.stopped_at),
        "pending": consumer.pending,
        "events": consumer.events,
        "awards": consumer.awards,
        "last_error": consumer.last_error,
    }


def as_text(bus: Bus, now: datetime) -> Iterator[str]:
    """The consumer groups for people, line by line."""
    yield f"{'consumer groups':<{NAME_WIDTH}} {'unread':>8} {'oldest':>9} {'pending':>8} {'oldest':>9}"
    for group in bus.groups:
        name = str(group)
        if len(name) > NAME_WIDTH:
            # A stream's name is of no use when it is cut.
            yield from wrapped(name, "")
            name = ""
        yield f"{name:<{NAME_WIDTH}} {_numbers(group.stats)}"
        yield from _consumers(group, now)
    if bus.note:
        yield from wrapped(bus.note, "  ")


def _numbers(stats: GroupStats | None) -> str:
    if stats is None:
        return f"{'?':>8} {'?':>9} {'?':>8} {'?':>9}"
    if not stats.exists:
        return "(not on the bus)".rjust(WIDTH - NAME_WIDTH - 3)
    unread = f"{stats.lag}{'+' * stats.lag_is_at_least}"
    oldest, pending = _brief(stats.oldest_unread_seconds), _brief(stats.oldest_pending_seconds)
    return f"{unread:>8} {oldest:>9} {stats.pending:>8} {pending:>9}"


def _consumers(group: Group, now: datetime) -> Iterator[str]:
    gone = [one for one in group.consumers if now - one.seen_at > FORGOTTEN_AFTER and not one.pending]
    for consumer in group.consumers:
        if consumer not in gone:
            yield from wrapped(f"{consumer.name}: {'; '.join(_details(consumer, now))}", "    ")
    if gone:
        were, hold = ("consumer was", "holds") if len(gone) == 1 else ("consumers were", "hold")
        yield f"    {len(gone)} {were} not seen for over a day, and {hold} nothing"
    if not group.consumers:
        yield "    no consumer was ever seen"


def _details(consumer: Consumer, now: datetime) -> Iterator[str]:
    ago = brief(now - consumer.seen_at)
    if consumer.state is ConsumerState.STOPPED and consumer.stopped_at is not None:
        yield f"stopped {brief(now - consumer.stopped_at)} ago"
    elif consumer.state is ConsumerState.RUNNING:
        yield f"running, seen {ago} ago"
    else:
        yield f"not seen for {ago}"
    if consumer.pending:
        yield f"{consumer.pending} pending"
    if consumer.events is not None and consumer.started_at is not None:
        awards = f"{consumer.awards} award{'s' * (consumer.awards != 1)}"
        events = f"{consumer.events} event{'s' * (consumer.events != 1)}"
        yield f"{events}, {awards} since {consumer.started_at:%Y-%m-%d %H:%M %Z}"
    if consumer.last_error:
        yield f"last error: {consumer.last_error}"


def _number(stats: GroupStats) -> str:
    if stats.lag_is_at_least:
        return f"at least {stats.lag} events are"
    return _events(stats.lag)


def _events(number: int) -> str:
    return f"{number} {'event is' if number == 1 else 'events are'}"


def _limit(max_age: timedelta) -> str:
    return f"the limit is {brief(max_age)}"


def _brief(seconds: float | None) -> str:
    return "-" if seconds is None else brief(timedelta(seconds=seconds))


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds)


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")
