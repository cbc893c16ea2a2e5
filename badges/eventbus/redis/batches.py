"""Applying messages: many in one transaction; alone, where that fails; and parked, where that keeps failing.

A message that fails alone does not hold up the others: those of its batch are applied first, and while it waits for
its next try, new messages are read. Nothing depends on their order, because an event's own time decides. Only when as
many messages wait as a batch has, something is wrong with more than a message, and no new ones are read meanwhile.
A message that waits is not acknowledged: where the process ends, the next start finds it.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from attrs import define, field
from django.db import connections, reset_queries
from redis import RedisError

from badges.conf import ConsumerSettings
from badges.data import IncomingEvent, Origin
from badges.eventbus.redis.dispatch import dispatch
from badges.eventbus.redis.hindsight import everyone_in, look_back
from badges.eventbus.redis.presence import Tally
from badges.eventbus.redis.stopping import Stop, Stopped
from badges.eventbus.redis.stream import Entry, Stream
from badges.exceptions import BadgesError, UnreadableMessage, describe
from badges.issuing.tasks import held
from badges.processing import retirements
from badges.processing.dead_events import park, park_message, record_lost
from badges.processing.messages import decode
from badges.processing.patience import Patience, is_away, is_contention, pauses
from badges.processing.pipeline import BatchOutcome, process_batch

logger = logging.getLogger(__name__)
T = TypeVar("T")

SUSPECT_AFTER = 5
"""A message that was delivered so often and never finished is taken alone: its processing may end the process."""
PARKED_AFTER = 20
MOST_CONTENTIONS = 3
"""A batch that lost so often against other transactions is applied one by one: fewer locks at once."""


class TooManyErrors(BadgesError):
    """So many errors in a row that ``EVENT_BUS_REDIS_CONSUMER_CONSECUTIVE_ERRORS_LIMIT`` says to end."""


@define
class Errors:
    """Errors in a row, of any kind. Only a message that was received without one ends the row."""

    limit: int | None
    in_a_row: int = 0

    def failed(self, number: int = 1) -> None:
        """Raises:
        TooManyErrors: the limit is reached.
        """
        self.in_a_row += number
        if self.limit and self.in_a_row >= self.limit:
            raise TooManyErrors(
                f"{self.in_a_row} errors in a row, as many as EVENT_BUS_REDIS_CONSUMER_CONSECUTIVE_ERRORS_LIMIT allows."
            )

    def succeeded(self) -> None:
        """End the row."""
        self.in_a_row = 0


@define
class Work:
    """What one message asks for."""

    origin: Origin
    events: list[IncomingEvent] = field(factory=list)
    is_redelivered: bool = False
    """Whether it was taken before, so that it may be committed already, and nobody knows how far it came after that."""
    unreadable: tuple[Entry, UnreadableMessage] | None = None
    failed_receivers: int = 0
    """How many receivers of other apps failed."""
    attempts: int = 0
    """How often it failed alone."""
    due: float = 0.0
    """When it is tried again, by the monotonic clock."""
    naps: Iterator[float] | None = None


@define
class Batches:
    """Takes messages, and tells which are finished and may be acknowledged."""

    stream: Stream
    config: ConsumerSettings
    stop: Stop
    tally: Tally
    errors: Errors
    finished: list[str] = field(factory=list)
    """Ids of messages whose effect is committed, or that are stored as dead events."""
    badge_ids: list[int] = field(factory=list)
    """Badges whose deliveries can be started when those messages are acknowledged."""
    waiting: dict[str, Work] = field(factory=dict)
    """Messages that failed and are tried again later."""
    _nap_counted: float = 0.0

    def ready(self) -> None:
        """Wait until the database can be used. Receivers of other apps need it as much as we do.

        Raises:
            Stopped: somebody asked to end meanwhile.
        """
        reset_queries()
        for connection in connections.all(initialized_only=True):
            if connection.connection is not None and not connection.in_atomic_block and not connection.is_usable():
                connection.close()
        self._insist(connections["default"].ensure_connection)

    def take(self, entries: Sequence[Entry]) -> None:
        """Apply messages. Those that are finished are in :attr:`finished`, also when this raises.

        Raises:
            Stopped: somebody asked to end while this waited for something.
            TooManyErrors: see there.
        """
        self.ready()
        works = []
        with held() as badge_ids:
            for entry in entries:
                # Receivers of other apps may be slow.
                self.stop.on_nap()
                works.append(self._prepared(entry))
        # Of what other receivers sent meanwhile, which was processed at once: its deliveries have time.
        self.badge_ids += badge_ids
        readable = [work for work in works if work.unreadable is None]
        try:
            self._apply(readable)
        except Exception as error:  # noqa: BLE001 - whatever it is, it may be that of a single message
            _let_through(error)
            if len(readable) > 1:
                logger.warning(
                    "A batch of %d messages failed and is applied one by one: %s",
                    len(readable),
                    describe(error),
                    extra={"action": "batch_failed", "messages": len(readable)},
                )
            for work in readable:
                self._alone(work)
        for work in works:
            if work.unreadable is not None:
                self._alone(work)

    def retry_due(self) -> None:
        """Try those of the waiting messages again whose time has come.

        Raises:
            Stopped: as above.
            TooManyErrors: as above.
        """
        for work in [work for work in self.waiting.values() if work.due <= time.monotonic()]:
            self._alone(work)

    def next_due(self) -> float | None:
        """Seconds until the first waiting message is due; None where none waits."""
        first = min((work.due for work in self.waiting.values()), default=None)
        return None if first is None else max(0.0, first - time.monotonic())

    def lost(self, message_ids: Sequence[str]) -> None:
        """Record messages that were taken once, never finished, and are no longer on the stream."""
        for message_id in message_ids:
            origin = Origin(self.stream.topic, message_id)
            try:
                self._insist(lambda origin=origin: record_lost(origin))  # type: ignore[misc]
            except Exception as error:  # noqa: BLE001 - it is still pending, and comes again
                _let_through(error)
                self._log_unstored(origin, error)
            else:
                self.tally.parked += 1
                self._finish(message_id)

    def _prepared(self, entry: Entry) -> Work:
        origin = Origin(self.stream.topic, entry.message_id)
        try:
            if entry.times_delivered > PARKED_AFTER:
                raise UnreadableMessage(
                    f"Message {origin.message_id} of {origin.topic} was delivered {entry.times_delivered - 1} times "
                    "and never finished, also when it was taken alone: its processing seems to end the process. It "
                    "was not decoded. See what the log of the consumer ends with, mend that, and replay it."
                )
            message = decode(entry.fields, origin)
        except UnreadableMessage as error:
            return Work(origin, unreadable=(entry, error))
        events, failures = dispatch(message, origin)
        # Asked first: to put the line together costs more than not to write it.
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug(
                "Message %s: event %s of type %s.",
                entry.message_id,
                message.event_id,
                message.metadata.event_type,
                extra={"action": "message_received", "message_id": entry.message_id, "event_id": str(message.event_id)},
            )
        return Work(origin, events, entry.times_delivered > 1, failed_receivers=failures)

    def _apply(self, works: Sequence[Work]) -> None:
        """Apply in one transaction; finished when it returns.

        Raises:
            Exception: nothing was changed.
        """
        by_event = {id(event): work for work in works for event in work.events}
        outcome = self._process(works) if by_event else BatchOutcome()
        self._look_back(works, outcome)
        unstored = set()
        for refusal in outcome.refused:
            work = by_event[id(refusal.event)]
            if not self._park(work, refusal.event, refusal.error, attempts=1):
                unstored.add(work.origin.message_id)
        done = [work for work in works if work.origin.message_id not in unstored]
        for work in done:
            self._finish(work.origin.message_id)
        for work in done:
            if work.failed_receivers:
                self.errors.failed(work.failed_receivers)
            else:
                self.errors.succeeded()

    def _process(self, works: Sequence[Work]) -> BatchOutcome:
        events = [event for work in works for event in work.events]
        patience, contentions = self._patience(), 0
        while True:
            try:
                with held() as badge_ids:
                    outcome = process_batch(events)
            except Exception as error:
                if is_contention(error):
                    contentions += 1
                if not is_contention(error) or retirements.apart(events)[0]:
                    # A retirement comes after the commit of the others.
                    # The commit may have come through, and only its answer not.
                    for work in works:
                        work.is_redelivered = True
                if (contentions >= MOST_CONTENTIONS and len(events) > 1) or not self._waited_out(patience, error):
                    raise
            else:
                self._count(outcome, badge_ids)
                return outcome

    def _look_back(self, works: Sequence[Work], outcome: BatchOutcome) -> None:
        """Apply what others were given meanwhile, and what could not count before this batch did."""
        is_redelivered = any(work.is_redelivered for work in works)
        others = retirements.apart([event for work in works for event in work.events])[1]
        begun = everyone_in(others) if is_redelivered else outcome.begun
        if not begun:
            return
        for work in works:
            # Committed: where this fails and they are applied again, that is no first word any more.
            work.is_redelivered = True
        ids = [work.origin.message_id for work in works]
        # Nor are those that a look has made which was broken off.
        again = itertools.chain((is_redelivered,), itertools.repeat(True))
        with held() as badge_ids:
            seen = self._insist(
                lambda: look_back(self.stream, ids, begun, is_redelivered=next(again), on_page=self.stop.on_nap)
            )
        self._count(seen, badge_ids)

    def _count(self, outcome: BatchOutcome, badge_ids: Sequence[int]) -> None:
        self.tally.awards += len(outcome.awarded)
        self.tally.revocations += len(outcome.revoked)
        self.badge_ids += badge_ids

    def _alone(self, work: Work) -> None:
        try:
            if work.unreadable is None:
                self._apply([work])
            else:
                self._park_unreadable(work, *work.unreadable)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not end the consumer
            _let_through(error)
            self._failed(work, error)

    def _failed(self, work: Work, error: Exception) -> None:
        work.attempts += 1
        self.errors.failed()
        self.tally.last_error = describe(error)
        if work.attempts >= self.config.attempts:
            # All of them: parking must not end at the first that cannot be stored.
            if all([self._park(work, event, error, work.attempts) for event in work.events]):  # noqa: C419
                self._finish(work.origin.message_id)
            return
        work.naps = work.naps or pauses(self.config.first_retry, self.config.longest_retry)
        self._wait(work, next(work.naps))
        logger.warning(
            "Message %s of %s failed, attempt %d of %d, and is tried again: %s",
            work.origin.message_id,
            work.origin.topic,
            work.attempts,
            self.config.attempts,
            describe(error),
            extra={
                "action": "message_failed",
                "message_id": work.origin.message_id,
                "event_ids": [str(event.event_id) for event in work.events],
                "attempt": work.attempts,
            },
        )

    def _park(self, work: Work, event: IncomingEvent, error: Exception, attempts: int) -> bool:
        """Store a dead event; where that fails, the message waits. Says whether it is stored."""
        return self._store(work, lambda: park(event, error, attempts=attempts))

    def _park_unreadable(self, work: Work, entry: Entry, error: UnreadableMessage) -> None:
        if self._store(work, lambda: park_message(entry.fields, work.origin, error)):
            self.errors.failed()
            self._finish(entry.message_id)

    def _store(self, work: Work, write: Callable[[], object]) -> bool:
        try:
            self._insist(write)
        except Exception as error:  # noqa: BLE001 - what is stored nowhere must stay on the bus
            _let_through(error)
            self._log_unstored(work.origin, error)
            self._wait(work, self.config.longest_retry)
            return False
        self.tally.parked += 1
        return True

    def _log_unstored(self, origin: Origin, error: Exception) -> None:
        self.tally.last_error = describe(error)
        logger.error(
            "Message %s of %s stays on the bus, not acknowledged, and is tried again: %s",
            origin.message_id,
            origin.topic,
            describe(error),
            extra={"action": "message_unstored", "message_id": origin.message_id},
        )

    def _finish(self, message_id: str) -> None:
        self.waiting.pop(message_id, None)
        self.tally.retried = len(self.waiting)
        self.tally.events += 1
        self.finished.append(message_id)

    def _wait(self, work: Work, seconds: float) -> None:
        work.due = time.monotonic() + seconds
        self.waiting[work.origin.message_id] = work
        self.tally.retried = len(self.waiting)

    def _insist(self, write: Callable[[], T]) -> T:
        """Do it, as often as only the database keeps it from being done."""
        patience = self._patience()
        while True:
            try:
                return write()
            except Exception as error:
                if not self._waited_out(patience, error):
                    raise

    def _patience(self) -> Patience:
        return Patience(is_stopping=lambda: self.stop.requested, pause=self._nap)

    def _waited_out(self, patience: Patience, error: Exception) -> bool:
        _let_through(error)
        self.tally.last_error = describe(error)
        self.tally.waits_for, self._nap_counted = "database", time.monotonic()
        try:
            is_over = patience.waited_out(error)
        finally:
            self.tally.waits_for = ""
        if is_over:
            self.errors.failed()
        elif is_away(error) or is_contention(error):
            self.stop.check()
        return is_over

    def _nap(self, seconds: float) -> None:
        # A database that stays away is more than one error.
        if time.monotonic() - self._nap_counted >= self.config.longest_retry:
            self._nap_counted = time.monotonic()
            self.errors.failed()
        self.stop.on_nap()
        time.sleep(seconds)


def _let_through(error: Exception) -> None:
    """What ends the consumer, or concerns Redis, is no failure of a message."""
    if isinstance(error, Stopped | TooManyErrors | RedisError):
        raise error
