"""What Redis tells of a consumer group: what it has not read, and what was read and not acknowledged. Never changes it.

Asked by pages and by monitoring, so it is quick or gives up: see :data:`PATIENCE`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from attrs import frozen
from django.conf import settings
from redis import Redis, RedisError, ResponseError
from redis.backoff import NoBackoff
from redis.retry import Retry

from badges.eventbus.producer import BusUnavailable
from badges.models import BusConsumer

PATIENCE = 0.7
"""Seconds that a connection and an answer may take, each."""
PAGE, PAGES = 1000, 10
"""How messages are counted where Redis does not say how many there are: in pages, and at most so many."""


class ConsumerStats(NamedTuple):
    """A consumer as Redis knows it, also one that is long gone."""

    name: str
    pending: int
    """Messages that it took and did not acknowledge."""
    idle_seconds: float
    """Since it last asked for messages."""


@frozen
class GroupStats:
    """A consumer group at one moment. Ages are those of the messages: since they were put on the stream."""

    exists: bool = True
    """Whether there are both, the stream and the group."""
    length: int = 0
    """Messages that the stream has."""
    lag: int = 0
    """Those of them that the group has not read."""
    lag_is_at_least: bool = False
    """Whether there are more than ``lag``: they were counted, and not to the end."""
    trimmed: int = 0
    """Messages that the stream lost before the group read them. Redis 7 and newer tell; 0 where it is not known."""
    pending: int = 0
    """Messages that were read and are not acknowledged yet."""
    oldest_pending_seconds: float | None = None
    oldest_unread_seconds: float | None = None
    consumers: tuple[ConsumerStats, ...] = ()


def connect() -> Redis:
    """A client that gives up soon, for the Redis that the consumers use. To be closed.

    Raises:
        BusUnavailable: ``EVENT_BUS_REDIS_CONNECTION_URL`` is not set, or cannot be read.
    """
    url = getattr(settings, "EVENT_BUS_REDIS_CONNECTION_URL", None)
    if not url:
        raise BusUnavailable("EVENT_BUS_REDIS_CONNECTION_URL is not set, so it is not known which Redis to ask.")
    try:
        client = Redis.from_url(url)
    except ValueError:
        raise BusUnavailable("EVENT_BUS_REDIS_CONNECTION_URL cannot be read. Correct it.") from None
    # What the URL itself says would win over arguments: it is meant for consumers, which wait long.
    client.connection_pool.connection_kwargs.update(
        socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE, retry=Retry(NoBackoff(), 0), decode_responses=False
    )
    return client


def known_groups() -> tuple[tuple[str, str], ...]:
    """Topic (with its prefix) and group of every consumer that has told of itself. One query."""
    rows = BusConsumer.objects.order_by("topic", "group_id").values_list("topic", "group_id").distinct()
    return tuple(rows)


def group_stats(client: Redis, topic: str, group_id: str, now: datetime | None = None) -> GroupStats:
    """How a consumer group does: two requests, and a few more where Redis 6.2 has to count.

    Arguments:
        client: see :func:`connect`.
        topic: the name of the stream: a topic with its prefix.
        group_id: the consumer group.
        now: the moment that ages are told for; by the clock of Redis, which dates the messages, if not given.

    Raises:
        BusUnavailable: Redis did not answer in time, or does not let itself be asked.
    """
    try:
        return _group_stats(client, topic, group_id, now)
    except ResponseError as error:
        raise BusUnavailable(f'Redis does not tell of the stream "{topic}": {error}') from None
    except (RedisError, OSError) as error:
        raise BusUnavailable(
            f"The event bus's Redis does not answer ({type(error).__name__}). Is it up, and is "
            "EVENT_BUS_REDIS_CONNECTION_URL right?"
        ) from None


def _group_stats(client: Redis, topic: str, group_id: str, now: datetime | None) -> GroupStats:
    answers = client.pipeline(transaction=False)
    answers.time()
    answers.xinfo_stream(topic)
    answers.xinfo_groups(topic)
    answers.xinfo_consumers(topic, group_id)
    answers.xpending(topic, group_id)
    clock, stream, groups, consumers, pending = answers.execute(raise_on_error=False)
    if _is_missing(stream):
        return GroupStats(exists=False)
    for answer in (clock, stream, groups):
        if isinstance(answer, Exception):
            raise answer
    group = next((one for one in groups if _text(one["name"]) == group_id), None)
    if group is None:
        return GroupStats(exists=False, length=stream["length"])
    for answer in (consumers, pending):
        if isinstance(answer, Exception):
            raise answer
    seconds = clock[0] + clock[1] / 1e6 if now is None else now.timestamp()
    read = _parsed(group["last-delivered-id"])
    lag, is_at_least = _lag(client, topic, stream, group, read)
    oldest = client.xrange(topic, min=_after(read), count=1) if lag else []
    return GroupStats(
        length=stream["length"],
        lag=lag,
        lag_is_at_least=is_at_least,
        trimmed=_trimmed(stream, group, read),
        pending=pending["pending"],
        oldest_pending_seconds=_age(pending["min"], seconds),
        oldest_unread_seconds=_age(oldest[0][0] if oldest else None, seconds),
        consumers=tuple(ConsumerStats(_text(one["name"]), one["pending"], one["idle"] / 1000) for one in consumers),
    )


def _lag(
    client: Redis, topic: str, stream: Mapping[str, Any], group: Mapping[str, Any], read: tuple[int, int]
) -> tuple[int, bool]:
    """How many messages the group has not read, and whether there are more."""
    first, last = _entry(stream, "first-entry"), _entry(stream, "last-entry")
    if first is None or last is None or last <= read:
        return 0, False
    if first > read:
        return stream["length"], False
    told = group.get("lag")
    if isinstance(told, int):
        return min(max(told, 0), stream["length"]), False
    # Redis 6.2 does not tell, and newer ones do not know after a change of the group's position, or a deletion.
    return _counted(client, topic, read)


def _counted(client: Redis, topic: str, read: tuple[int, int]) -> tuple[int, bool]:
    number, until = 0, time.monotonic() + PATIENCE
    for _ in range(PAGES):
        page: Sequence[Any] = client.xrange(topic, min=_after(read), count=PAGE) or ()
        number += len(page)
        if len(page) < PAGE:
            return number, False
        read = _parsed(page[-1][0])
        if time.monotonic() > until:
            break
    return number, bool(client.xrange(topic, min=_after(read), count=1))


def _trimmed(stream: Mapping[str, Any], group: Mapping[str, Any], read: tuple[int, int]) -> int:
    """Messages that are gone unread. It can be told while the group stands before all that is left."""
    first, added, counted = _entry(stream, "first-entry"), stream.get("entries-added"), group.get("entries-read")
    if (first is not None and first <= read) or not isinstance(added, int) or not isinstance(counted, int):
        return 0
    gone: int = added - counted - stream["length"]
    return max(0, gone)


def _is_missing(answer: object) -> bool:
    return isinstance(answer, ResponseError) and "no such key" in str(answer).lower()


def _entry(stream: Mapping[str, Any], name: str) -> tuple[int, int] | None:
    entry: Sequence[Any] | None = stream.get(name)
    return _parsed(entry[0]) if entry else None


def _parsed(message_id: bytes | str) -> tuple[int, int]:
    milliseconds, _, sequence = _text(message_id).partition("-")
    return int(milliseconds), int(sequence)


def _after(message_id: tuple[int, int]) -> str:
    return f"{message_id[0]}-{message_id[1] + 1}"


def _age(message_id: bytes | str | None, now: float) -> float | None:
    """Seconds since a message was put on the stream: Redis begins its id with the time."""
    return None if message_id is None else max(0.0, now - _parsed(message_id)[0] / 1000)


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
