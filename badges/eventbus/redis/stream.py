"""Everything that a consumer says to Redis: one consumer's view of one stream and its group. Needs Redis 6.2.

Every method may raise ``redis.RedisError``; nothing is tried again here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from attrs import define, field, frozen
from edx_event_bus_redis.internal.config import load_common_settings
from redis import ResponseError
from redis.backoff import NoBackoff
from redis.retry import Retry
from walrus import Database

from badges.exceptions import ConfigurationError

BEGINNING, END = "0", "$"
LONGEST_BLOCK = 1.0
"""Seconds that one read may block: so long a signal waits at most, and no socket's timeout is shorter by default."""
SHORTEST_BLOCK = 0.3
SOCKET_TIMEOUT = 5.0
"""Seconds, where the URL says nothing: redis-py before 8 would wait for ever for a machine that is gone."""


@frozen
class Entry:
    """A message in our hands."""

    message_id: str
    fields: Mapping[bytes, bytes] = field(repr=False)
    times_delivered: int = 1
    """How often it was given to a consumer, this time included."""


@frozen
class Pending:
    """A message that some consumer took and did not acknowledge."""

    message_id: str
    consumer: str
    times_delivered: int


@frozen
class Taken:
    """What came of taking pending messages."""

    entries: tuple[Entry, ...] = ()
    lost: tuple[str, ...] = ()
    """Ids of messages that the stream has no more."""


@define
class Stream:
    """One consumer of one group of one stream."""

    topic: str
    """With its prefix: the name of the stream."""
    group_id: str
    consumer_name: str
    _client: Database | None = None

    @property
    def client(self) -> Database:
        """The client of Redis; made when first needed, connected when first used.

        Raises:
            ConfigurationError: ``EVENT_BUS_REDIS_CONNECTION_URL`` is missing, or is no URL of a Redis.
        """
        if self._client is None:
            self._client = self._open()
        return self._client

    def _open(self) -> Database:
        config = load_common_settings()
        if config is None:
            raise ConfigurationError("EVENT_BUS_REDIS_CONNECTION_URL is not set. Set it to redis://host:6379/0, say.")
        try:
            return Database.from_url(
                config["url"],
                # A read that is repeated unseen leaves what the first one took: the loop has to know.
                retry=Retry(NoBackoff(), 0),
                socket_timeout=SOCKET_TIMEOUT,
                socket_connect_timeout=SOCKET_TIMEOUT,
                protocol=2,
            )
        except (ValueError, AttributeError, TypeError):
            # Their text quotes the URL, which may hold a password.
            raise ConfigurationError(
                "EVENT_BUS_REDIS_CONNECTION_URL cannot be read. It looks like redis://[[user]:[password]]@host:6379/0."
            ) from None

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.connection_pool.disconnect()

    def create_group(self, position: str) -> bool:
        """Make the group, reading after this position, and the stream if need be; False if the group was there."""
        try:
            self.client.xgroup_create(self.topic, self.group_id, position, mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise
            return False
        return True

    def position(self) -> str:
        """The id of the newest message that the group has taken."""
        for group in self.client.xinfo_groups(self.topic):
            if _text(group["name"]) == self.group_id:
                return _text(group["last-delivered-id"])
        return "0-0"

    def go_back(self, message_id: str) -> None:
        """Have the group read what comes after this message, again."""
        self.client.xgroup_setid(self.topic, self.group_id, message_id)

    def has_messages_between(self, after: str, until: str) -> bool:
        """Whether the stream has a message after the one id, up to and with the other."""
        return bool(self.client.xrange(self.topic, f"({after}", until, count=1))

    def pages(self, first: str, last: str, size: int) -> Iterator[list[Entry]]:
        """What the stream has between two ids, whoever took it; both are included, unless one begins with "("."""
        while page := self.client.xrange(self.topic, first, last, count=size):
            yield [Entry(_text(message_id), fields) for message_id, fields in page]
            first = f"({_text(page[-1][0])}"

    def read(self, count: int, wait: float) -> list[Entry]:
        """Take messages that nobody in the group has taken yet.

        Arguments:
            count: at most so many.
            wait: seconds to wait for the first one; cut to what signals and the socket allow, see :attr:`may_block`.
        """
        # 0 would mean for ever.
        block = max(1, int(min(wait, self._longest_block()) * 1000)) if self.may_block else None
        answer: Any = self.client.xreadgroup(
            self.group_id, self.consumer_name, {self.topic: ">"}, count=count, block=block
        )
        if not answer:
            return []
        # The third version of Redis's protocol, which a URL can ask for, answers in another form.
        found = next(iter(answer.values()))[0] if isinstance(answer, dict) else answer[0][1]
        return [Entry(_text(message_id), fields) for message_id, fields in found]

    def own_pending(self, count: int, after: str = "") -> list[Pending]:
        """What this consumer took and did not acknowledge, oldest first, after this id."""
        return self._pending(count=count, min=f"({after}" if after else "-", consumername=self.consumer_name)

    def left_pending(self, count: int, idle: float, after: str = "") -> list[Pending]:
        """What any consumer took and did not acknowledge for so many seconds, oldest first, after this id."""
        return self._pending(count=count, min=f"({after}" if after else "-", idle=int(idle * 1000))

    def _pending(self, **kwargs: Any) -> list[Pending]:
        rows = self.client.xpending_range(self.topic, self.group_id, max="+", **kwargs)
        return [Pending(_text(row["message_id"]), _text(row["consumer"]), row["times_delivered"]) for row in rows]

    def take(self, pending: Sequence[Pending], idle: float = 0.0) -> Taken:
        """Make pending messages ours, and count that they are delivered once more.

        Arguments:
            pending: as listed a moment ago. What somebody else took or acknowledged since is left out.
            idle: seconds that nobody may have touched them for.
        """
        # Looked for first: Redis 7 forgets a pending message whose entry is gone when it is claimed.
        found = self._find(pending)
        present = [one for one in pending if one.message_id in found]
        lost = tuple(one.message_id for one in pending if one.message_id not in found)
        claimed = self._claim(present, idle)
        if missed := [one for one in present if one.message_id not in claimed]:
            # Trimmed between the two looks: nobody has it now but we.
            claimed |= {one.message_id for one in missed} - self._find(missed).keys()
        entries = (
            Entry(one.message_id, found[one.message_id], one.times_delivered + 1)
            for one in present
            if one.message_id in claimed
        )
        return Taken(tuple(entries), lost)

    def _find(self, pending: Sequence[Pending]) -> dict[str, Mapping[bytes, bytes]]:
        if not pending:
            return {}
        pipeline = self.client.pipeline(transaction=False)
        for one in pending:
            pipeline.xrange(self.topic, one.message_id, one.message_id)
        return {_text(message_id): fields for answer in pipeline.execute() for message_id, fields in answer}

    def _claim(self, pending: Sequence[Pending], idle: float) -> set[str]:
        if not pending:
            return set()
        by_count: dict[int, list[str]] = defaultdict(list)
        for one in pending:
            by_count[one.times_delivered].append(one.message_id)
        pipeline = self.client.pipeline(transaction=False)
        for times, ids in by_count.items():
            pipeline.xclaim(
                self.topic,
                self.group_id,
                self.consumer_name,
                min_idle_time=int(idle * 1000),
                message_ids=ids,
                retrycount=times + 1,
                justid=True,
            )
        return {_text(message_id) for answer in pipeline.execute() for message_id in answer}

    def acknowledge(self, message_ids: Iterable[str]) -> None:
        """Tell that these messages are finished, in one call. Telling it again changes nothing."""
        if ids := list(message_ids):
            self.client.xack(self.topic, self.group_id, *ids)

    @property
    def may_block(self) -> bool:
        """Whether a read may wait: not with a socket whose timeout is hardly longer than Redis is exact."""
        return self._longest_block() >= SHORTEST_BLOCK

    def _longest_block(self) -> float:
        timeout = self.client.connection_pool.connection_kwargs.get("socket_timeout")
        return min(LONGEST_BLOCK, float(timeout) / 2) if timeout else LONGEST_BLOCK


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def order(message_id: str) -> tuple[int, int]:
    """What message ids are compared by."""
    first, _, second = message_id.partition("-")
    return int(first), int(second or 0)
