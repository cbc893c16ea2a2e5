"""How the consumer groups do: what the bus tells of them, beside what their consumers have told of themselves."""

from __future__ import annotations

import contextlib
import enum
import time
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from attrs import evolve, frozen
from django.utils import timezone

from badges.eventbus.kinds import ConsumerKind, consumer_kind, consumer_path
from badges.eventbus.producer import BusUnavailable
from badges.eventbus.redis.stats import GroupStats, connect, group_stats
from badges.models import BusConsumer

SEEN_WITHIN = timedelta(minutes=2)
"""A consumer that runs is heard of within this time: ours every 10 seconds, the stock one once a minute."""
UNATTENDED_AFTER = timedelta(minutes=5)
"""A group with unread messages, none of whose consumers was heard of for so long, is a trouble: no restart takes it."""
TIME_TO_ASK = 1.0
"""Seconds after which no other group is asked about: a page that waits for Redis is better shown without."""


class ConsumerState(enum.StrEnum):
    """What a consumer does."""

    RUNNING = "running"
    STOPPED = "stopped"
    """It said good-bye: it was asked to end, or its last error ended it."""
    MISSING = "missing"
    """It was not heard of for a while, and had not said good-bye."""


@frozen
class Consumer:
    """A consumer of a group: what it told of itself, what the bus knows of it, or both."""

    name: str
    state: ConsumerState
    seen_at: datetime
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    events: int | None = None
    """Since its start; None where it does not tell, as the stock consumer."""
    awards: int | None = None
    last_error: str = ""
    pending: int | None = None
    """Messages that it took and did not acknowledge; None where the bus does not know it, or could not be asked."""


@frozen
class Group:
    """A consumer group."""

    topic: str
    """The name of the stream: with the prefix."""
    group_id: str
    stats: GroupStats | None = None
    """None where the bus could not be asked."""
    consumers: tuple[Consumer, ...] = ()

    @property
    def is_known(self) -> bool:
        """Whether a consumer of ours has told that there is this group, so that it is shown until that is forgotten."""
        return any(consumer.started_at is not None for consumer in self.consumers)

    @property
    def seen_at(self) -> datetime | None:
        """When any of its consumers was heard of last."""
        return max((consumer.seen_at for consumer in self.consumers), default=None)

    def is_unattended(self, now: datetime) -> bool:
        """Whether messages wait that nobody is there to read: no consumer was heard of for longer than a restart."""
        if self.stats is None or self.stats.oldest_unread_seconds is None:
            return False
        # Where there was never a consumer, the first one may be about to start.
        nobody_since = self.seen_at or now - timedelta(seconds=self.stats.oldest_unread_seconds)
        return now - nobody_since > UNATTENDED_AFTER

    def __str__(self) -> str:
        return f"{self.topic} / {self.group_id}"


@frozen
class Bus:
    """Every consumer group that is known."""

    groups: tuple[Group, ...] = ()
    note: str = ""
    """Why there is no group, or why the bus was not asked, although nothing is wrong."""
    error: str = ""
    """Why the bus could not be asked."""


def state_of(row: BusConsumer, now: datetime) -> ConsumerState:
    """What a consumer does, as far as it told."""
    if row.stopped_at is not None:
        return ConsumerState.STOPPED
    return ConsumerState.RUNNING if now - row.seen_at <= SEEN_WITHIN else ConsumerState.MISSING


def read_bus(more: Iterable[tuple[str, str]] = (), only: tuple[str, str] | None = None) -> Bus:
    """How every known consumer group does. One query, and few requests to Redis; one that is away costs two seconds.

    Arguments:
        more: topic (with its prefix) and group of consumers that tell nothing of themselves, as the stock one.
        only: topic and group of the one group that is wanted.

    Raises:
        django.db.Error: the database does not answer. A bus that does not is told by ``Bus.error``.
    """
    wanted = BusConsumer.objects.order_by("topic", "group_id", "name")
    rows = list(wanted if only is None else wanted.filter(topic=only[0], group_id=only[1]))
    known = sorted({*((row.topic, row.group_id) for row in rows), *more})
    now = timezone.now()
    groups = tuple(
        Group(*key, consumers=_consumers([row for row in rows if (row.topic, row.group_id) == key], None, now))
        for key in known
    )
    kind = consumer_kind()
    if kind in (ConsumerKind.KAFKA, ConsumerKind.OTHER):
        note = (
            f'EVENT_BUS_CONSUMER is "{consumer_path()}", which this app does not ask for its lag. '
            "The tools of its bus tell it."
        )
        return Bus(groups, note=note)
    if not groups:
        note = "No consumer of this app has run yet."
        if kind is ConsumerKind.STOCK_REDIS:
            note = "The stock consumer does not tell which groups there are: name one with --topic and --group."
        return Bus(note=note)
    return _asked(groups, rows, now)


def _asked(groups: Sequence[Group], rows: Sequence[BusConsumer], now: datetime) -> Bus:
    found, error, until = list(groups), "", time.monotonic() + TIME_TO_ASK
    try:
        with contextlib.closing(connect()) as client:
            for place, group in enumerate(groups):
                if time.monotonic() > until:
                    error = f"The event bus's Redis is slow: {len(groups) - place} groups were not asked about."
                    break
                stats = group_stats(client, group.topic, group.group_id)
                own = [row for row in rows if (row.topic, row.group_id) == (group.topic, group.group_id)]
                found[place] = evolve(group, stats=stats, consumers=_consumers(own, stats, now))
    except BusUnavailable as failure:
        error = str(failure)
    return Bus(tuple(found), error=error)


def _consumers(rows: Sequence[BusConsumer], stats: GroupStats | None, now: datetime) -> tuple[Consumer, ...]:
    """Those of one group, by name."""
    told = {one.name: one for one in stats.consumers} if stats is not None else {}
    found = []
    for row in rows:
        known = told.pop(row.name, None)
        found.append(
            Consumer(
                name=row.name,
                state=state_of(row, now),
                seen_at=row.seen_at,
                started_at=row.started_at,
                stopped_at=row.stopped_at,
                events=row.events,
                awards=row.awards,
                last_error=row.last_error,
                pending=known.pending if known else None,
            )
        )
    for other in told.values():
        seen_at = now - timedelta(seconds=other.idle_seconds)
        state = ConsumerState.RUNNING if now - seen_at <= SEEN_WITHIN else ConsumerState.MISSING
        found.append(Consumer(name=other.name, state=state, seen_at=seen_at, pending=other.pending))
    return tuple(sorted(found, key=lambda one: one.name))
