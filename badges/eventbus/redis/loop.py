"""The loop of the consumer: what it looks for, in which order, and what it does when Redis fails or nothing comes.

First what this consumer took before and did not finish, then, again and again: what failed and is to be tried again,
what other consumers left, and new messages. A batch is acknowledged in one call when it is committed; its deliveries
are started after that.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence

from attrs import define, field
from edx_event_bus_redis.internal.utils import AUDIT_LOGGING_ENABLED
from redis import RedisError

from badges.eventbus.producer import BusUnavailable
from badges.eventbus.redis import stats
from badges.eventbus.redis.batches import SUSPECT_AFTER, Batches, Errors
from badges.eventbus.redis.options import Options
from badges.eventbus.redis.position import Position
from badges.eventbus.redis.presence import Presence, Tally
from badges.eventbus.redis.stopping import LONGEST_NAP, Stop, Stopped
from badges.eventbus.redis.stream import LONGEST_BLOCK, Entry, Pending, Stream
from badges.eventbus.redis.sweeping import Deliveries
from badges.processing.patience import pauses

logger = logging.getLogger(__name__)

LAG_EVERY = 2.0
"""Seconds between two looks at the lag, where somebody watches."""
LONGEST_REASON = 200
TELL_AGAIN = 60.0
"""Seconds until the log tells again that Redis is away; doubles each time."""


@define
class Run:
    """One run of a consumer."""

    options: Options
    stop: Stop
    tally: Tally
    presence: Presence
    stream: Stream
    until_empty: bool
    batches: Batches = field(init=False)
    deliveries: Deliveries = field(init=False)
    position: Position = field(init=False)
    errors: Errors = field(init=False)
    _unacknowledged: list[str] = field(init=False, factory=list)
    """Finished messages of which Redis could not be told yet."""
    _claimed: float = field(init=False, default=float("-inf"))
    _asked_for_lag: float = field(init=False, default=float("-inf"))
    _nothing_since: float = field(init=False, factory=time.monotonic)
    _away_since: float | None = field(init=False, default=None)
    _told_away: float = field(init=False, default=0.0)
    _naps: Iterator[float] = field(init=False)

    def __attrs_post_init__(self) -> None:
        config = self.options.settings
        self.errors = Errors(self.options.errors_limit)
        self.batches = Batches(self.stream, config, self.stop, self.tally, self.errors)
        self.deliveries = Deliveries(config, self.stop, self.presence.beat)
        self.position = Position(self.stream, self.options)
        self._naps = self._new_naps()

    def consume(self) -> None:
        """Consume until told to stop, or, with ``until_empty``, until everything is read.

        Raises:
            Exception: whatever it cannot go on with.
        """
        logger.info(
            "Consuming %s as %s of group %s, %d messages at a time. It starts where the group stopped.",
            self.stream.topic,
            self.stream.consumer_name,
            self.stream.group_id,
            self.options.batch_size,
            extra={"action": "consumer_started", "topic": self.stream.topic, "group": self.stream.group_id},
        )
        self.presence.tell()
        try:
            while not self._until_redis_fails():
                pass
        except Stopped:
            pass
        finally:
            self.stream.close()
        logger.info(
            "The consumer has ended: %d messages, %d awards, %d dead events. %d messages are left for the next start.",
            self.tally.events,
            self.tally.awards,
            self.tally.parked,
            len(self.batches.waiting),
            extra={"action": "consumer_stopped", "events": self.tally.events, "awards": self.tally.awards},
        )

    def _until_redis_fails(self) -> bool:
        """True when everything is read; False when Redis failed and was waited for."""
        try:
            self.position.ensure()
            self.tally.last_message_id = self.tally.last_message_id or self.stream.position()
            self._redis_is_back()
            self._tell_redis()
            self._take_own()
            while True:
                if self._turn():
                    return True
        except (RedisError, OSError) as error:
            self._wait_for_redis(error)
            return False

    def _turn(self) -> bool:
        """One look for messages. True when everything is read and that is enough."""
        self.stop.check()
        self.presence.tell()
        self.presence.beat()
        self._ask_for_lag()
        self._finishing(self.batches.retry_due)
        if len(self.batches.waiting) >= self.options.batch_size:
            self.stop.pause(min(LONGEST_NAP, self.batches.next_due() or LONGEST_NAP))
            self.deliveries.sweep_if_due(is_idle=True)
            return False
        if time.monotonic() - self._claimed >= self.options.settings.claim_every:
            self._claimed = time.monotonic()
            self._tell_trimmed()
            self._take_left()
        entries = self.stream.read(self.options.batch_size, self._wait())
        if entries:
            self._take(entries)
            self._nothing_since = time.monotonic()
        elif self.until_empty and not self.batches.waiting and not self.stream.own_pending(1):
            return True
        elif not self.stream.may_block:
            self.stop.pause(min(self._wait(), LONGEST_NAP))
        self.deliveries.sweep_if_due(is_idle=self._is_idle())
        return False

    def _is_idle(self) -> bool:
        """Whether nothing came for as long as it is to wait."""
        return time.monotonic() - self._nothing_since >= self.options.max_wait

    def _wait(self) -> float:
        """Seconds that the next read may wait."""
        wait = LONGEST_BLOCK if self._is_idle() else self.options.max_wait
        if self.deliveries.was_cut or (self.until_empty and not self.batches.waiting):
            wait = 0.0
        due = self.batches.next_due()
        return wait if due is None else min(wait, due)

    def _take_own(self) -> None:
        """Take what this consumer took before and did not finish: before it ended, or before Redis failed."""
        after = ""
        while page := self.stream.own_pending(self.options.batch_size, after):
            after = page[-1].message_id
            self._take_pending([one for one in page if one.message_id not in self.batches.waiting], 0.0)

    def _take_left(self) -> None:
        """Take over what somebody took and did not finish for too long: another process of our own name may have."""
        after, idle = "", self.options.claim_after
        while page := self.stream.left_pending(self.options.batch_size, idle, after):
            after = page[-1].message_id
            self._take_pending([one for one in page if one.message_id not in self.batches.waiting], idle)

    def _take_pending(self, pending: Sequence[Pending], idle: float) -> None:
        if not pending:
            return
        # A delivery counts; so that one that has no chance is none, the database must be there.
        self.batches.ready()
        suspects = [one for one in pending if one.times_delivered >= SUSPECT_AFTER]
        ordinary = [one for one in pending if one.times_delivered < SUSPECT_AFTER]
        for group in [ordinary, *([one] for one in suspects)]:
            self.stop.check()
            self.presence.beat()
            taken = self.stream.take(group, idle)
            if taken.entries or taken.lost:
                logger.info(
                    "Took %d messages up that were delivered before and not finished; %d are lost.",
                    len(taken.entries),
                    len(taken.lost),
                    extra={"action": "messages_taken_up", "messages": len(taken.entries), "lost": len(taken.lost)},
                )
            self._finishing(lambda lost=taken.lost: self.batches.lost(lost))  # type: ignore[misc]
            self._take(taken.entries)

    def _take(self, entries: Sequence[Entry]) -> None:
        if not entries:
            return
        before = (self.tally.awards, self.tally.revocations, self.tally.parked)
        self._finishing(lambda: self.batches.take(entries))
        self.tally.last_message_id = entries[-1].message_id
        if AUDIT_LOGGING_ENABLED.is_enabled():
            awards, revocations, parked = (
                self.tally.awards - before[0],
                self.tally.revocations - before[1],
                self.tally.parked - before[2],
            )
            logger.info(
                "%d messages of %s, %s to %s: %d awards, %d revocations, %d dead events, %d to be tried again.",
                len(entries),
                self.stream.topic,
                entries[0].message_id,
                entries[-1].message_id,
                awards,
                revocations,
                parked,
                len(self.batches.waiting),
                extra={
                    "action": "batch_consumed",
                    "topic": self.stream.topic,
                    "messages": len(entries),
                    "first_message_id": entries[0].message_id,
                    "last_message_id": entries[-1].message_id,
                    "awards": awards,
                    "revocations": revocations,
                    "parked": parked,
                },
            )
        self.presence.beat()

    def _finishing(self, work: Callable[[], None]) -> None:
        """Do some work on messages; acknowledge what it finished, however it ends; then start its deliveries."""
        try:
            work()
        finally:
            self._unacknowledged += self.batches.finished
            self.batches.finished = []
            self._tell_redis()
        badge_ids, self.batches.badge_ids = self.batches.badge_ids, []
        if badge_ids:
            self.deliveries.begin(badge_ids)

    def _tell_redis(self) -> None:
        self.stream.acknowledge(self._unacknowledged)
        self._unacknowledged = []

    def _ask_for_lag(self) -> None:
        if self.presence.on_progress is None or time.monotonic() - self._asked_for_lag < LAG_EVERY:
            return
        self._asked_for_lag = time.monotonic()
        if (found := self._stats()) is not None:
            self.tally.lag, self.tally.lag_is_at_least = found.lag, found.lag_is_at_least

    def _tell_trimmed(self) -> None:
        """Tell of messages that are gone before anybody read them. Redis 7 and newer know of them."""
        found = self._stats()
        if found is not None and found.trimmed:
            self.tally.last_error = f"{found.trimmed} messages were trimmed before they were read."
            logger.error(
                "%d messages of %s were trimmed before the group %s read them, and are lost: it was away for too long, "
                "or is too slow. Make the stream longer where events are produced (EVENT_BUS_REDIS_STREAM_MAX_LEN), "
                "and run more consumers.",
                found.trimmed,
                self.stream.topic,
                self.stream.group_id,
                extra={"action": "messages_trimmed", "messages": found.trimmed, "topic": self.stream.topic},
            )

    def _stats(self) -> stats.GroupStats | None:
        with contextlib.suppress(BusUnavailable):
            return stats.group_stats(self.stream.client, self.stream.topic, self.stream.group_id)
        return None

    def _new_naps(self) -> Iterator[float]:
        config = self.options.settings
        return pauses(max(self.options.poll_failure_sleep, 0.01), config.longest_retry)

    def _redis_is_back(self) -> None:
        self.tally.waits_for = ""
        if self._away_since is not None:
            logger.warning(
                "Redis is back after %.0f s.", time.monotonic() - self._away_since, extra={"action": "redis_back"}
            )
        self._away_since = None
        self._naps = self._new_naps()

    def _wait_for_redis(self, error: Exception) -> None:
        now = time.monotonic()
        what = f"{type(error).__name__}: {error}"[:LONGEST_REASON]
        self.tally.last_error, self.tally.waits_for = f"Redis failed: {what}", "Redis"
        if self._away_since is None:
            self._away_since, self._told_away = now, 0.0
        waited = now - self._away_since
        if not self._told_away or waited >= 2 * self._told_away:
            self._told_away = max(waited, TELL_AGAIN / 2)
            logger.error(
                "Redis failed; waiting for it, since %.0f s. Nothing is acknowledged meanwhile. %s",
                waited,
                what,
                extra={"action": "redis_away"},
            )
        self.errors.failed()
        self.presence.tell()
        self.stop.pause(next(self._naps))
        self.deliveries.sweep_if_due(is_idle=True)
