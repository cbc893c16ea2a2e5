"""Reading a stream again, whoever read it before, and processing what was never seen.

No consumer group is touched: nothing is acknowledged, and no signal is sent, for other apps have seen the events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from attrs import define, field, frozen
from django.db import transaction
from openedx_events.tooling import OpenEdxPublicSignal
from redis import ResponseError

from badges.conf import get_config
from badges.data import IncomingEvent, Origin
from badges.eventbus.redis.hindsight import everyone_in, look_back
from badges.eventbus.redis.stream import Entry, Stream, order
from badges.exceptions import BadgesError, UnreadableMessage
from badges.issuing import tasks
from badges.models import DeadEvent
from badges.processing.catching_up import CaughtUp, catch_up
from badges.processing.dead_events import incoming, park_message, time_of_message
from badges.processing.messages import TYPE, decode
from badges.processing.patience import Patience

REHEARSED_AT_ONCE = 50_000
"""Messages whose changes a rehearsal keeps locked before it rolls them back: consumers wait meanwhile."""


class NoStream(BadgesError):
    """There is no such stream."""


@frozen
class Extent:
    """What a stream has."""

    length: int
    first: str
    """The id of its first message; empty where it has none."""
    last: str
    is_whole: bool | None
    """Whether it still has all that was ever put on it; None where Redis, before 7.0, does not tell."""

    @property
    def begins_at(self) -> datetime | None:
        """When Redis took the first message."""
        return time_of_message(self.first) if self.first else None

    @property
    def ends_at(self) -> datetime | None:
        """When Redis took the last message."""
        return time_of_message(self.last) if self.last else None

    def lacks(self, start: str) -> bool:
        """Whether messages after this id may be gone. From 0 on is all that there is, and never lacks any."""
        return not self.is_whole and order(start)[0] > 0 and (not self.first or order(start) < order(self.first))


@define
class Tally:
    """What was found and done so far."""

    read: int = 0
    ours: int = 0
    """Messages of the types that ``BADGES_CONFIG["events"]`` names."""
    fulfilled: int = 0
    """Requirements."""
    reset: int = 0
    awarded: int = 0
    """Badges."""
    revoked: int = 0
    parked: int = 0
    """Events that cannot be applied."""
    unreadable: int = 0
    """Messages that cannot be decoded."""
    left_out: int = 0
    """What staff discarded."""
    settled: int = 0
    """Dead events that are done by this."""
    last_id: str = ""
    """The last message that is finished."""

    def add(self, done: CaughtUp) -> None:
        """Count what a batch did."""
        for outcome in done.outcomes:
            self.fulfilled += len(outcome.fulfilled)
            self.reset += len(outcome.reset)
            self.awarded += len(outcome.awarded)
            self.revoked += len(outcome.revoked)
        self.parked += done.parked
        self.left_out += done.left_out
        self.settled += done.settled


def extent(stream: Stream) -> Extent:
    """What a stream has.

    Raises:
        NoStream: there is none of this name.
        redis.RedisError: Redis does not answer.
    """
    try:
        told = stream.client.xinfo_stream(stream.topic)
    except ResponseError as error:
        if "no such key" not in str(error).lower():
            raise
        raise NoStream(
            f'There is no stream "{stream.topic}". Are --topic, EVENT_BUS_TOPIC_PREFIX and '
            "EVENT_BUS_REDIS_CONNECTION_URL right?"
        ) from None
    first, last, added = told["first-entry"], told["last-entry"], told.get("entries-added")
    return Extent(
        length=told["length"],
        first=_text(first[0]) if first else "",
        last=_text(last[0]) if last else "",
        is_whole=None if added is None else added == told["length"],
    )


@define
class Rereading:
    """One run over a part of a stream."""

    stream: Stream
    start: str
    """The id of the first message."""
    end: str
    """The id of the last one."""
    size: int
    """Messages that are read, and processed, at once."""
    is_rehearsal: bool = False
    is_stopping: Callable[[], bool] = lambda: False
    on_page: Callable[[Tally], None] = lambda tally: None
    patience: float = 60.0
    """Seconds that a database that is away or busy is waited for; in a rehearsal it is not."""
    tally: Tally = field(init=False, factory=Tally)

    def run(self) -> Tally:
        """Read, and process what was never seen.

        Raises:
            redis.RedisError: Redis does not answer. What stands before ``tally.last_id`` is done.
            django.db.Error: the same of the database.
        """
        pages = self.stream.pages(self.start, self.end, self.size)
        while self._stretch(pages):
            pass
        return self.tally

    def _stretch(self, pages: Iterator[list[Entry]]) -> bool:
        """Process the next pages; rehearsed together they see what each other did. Whether there are more."""
        if not self.is_rehearsal:
            return self._page(pages)
        more, until = True, self.tally.read + REHEARSED_AT_ONCE
        with transaction.atomic():
            while more and self.tally.read < until:
                more = self._page(pages)
            transaction.set_rollback(True)
        return more

    def _page(self, pages: Iterator[list[Entry]]) -> bool:
        if self.is_stopping() or (entries := next(pages, None)) is None:
            return False
        with tasks.held() as badge_ids:
            self._process(entries)
        self.tally.read += len(entries)
        self.tally.last_id = entries[-1].message_id
        tasks.enqueue_all(badge_ids, self.is_stopping)
        self.on_page(self.tally)
        return True

    def _process(self, entries: Sequence[Entry]) -> None:
        patience, is_again = Patience(self.is_stopping, seconds=self.patience), False
        while True:
            try:
                self._process_once(entries, is_again=is_again)
                return
            except Exception as error:
                if not patience.waited_out(error):
                    raise
                is_again = True

    def _process_once(self, entries: Sequence[Entry], *, is_again: bool) -> None:
        wanted = frozenset(get_config().events)
        events: list[IncomingEvent] = []
        unreadable: list[tuple[Entry, Origin, UnreadableMessage]] = []
        ours = 0
        for entry in entries:
            event_type = entry.fields.get(TYPE, b"").decode("utf-8", "replace")
            is_ours = event_type in wanted
            ours += is_ours
            if not is_ours and _is_known(event_type):
                continue
            origin = Origin(self.stream.topic, entry.message_id)
            try:
                message = decode(entry.fields, origin)
            except UnreadableMessage as error:
                unreadable.append((entry, origin, error))
                continue
            if is_ours:
                events.append(incoming(message.metadata, message.arguments, origin))
        done = catch_up(events, is_rehearsal=self.is_rehearsal)
        # A penalty that an earlier page had, and that is newer than the first word on what it undoes, found nothing.
        begun = everyone_in(events) if is_again else [one for outcome in done.outcomes for one in outcome.begun]
        seen = look_back(self.stream, [entry.message_id for entry in entries], begun)
        left_out = sum(self._is_discarded(*one) for one in unreadable)
        # Not before: what is tried again is counted once.
        self.tally.ours += ours
        self.tally.unreadable += len(unreadable) - left_out
        self.tally.left_out += left_out
        self.tally.add(done)
        self.tally.add(CaughtUp(outcomes=(seen,)))

    def _is_discarded(self, entry: Entry, origin: Origin, error: UnreadableMessage) -> bool:
        """Park a message that cannot be decoded, and tell whether staff had discarded it."""
        if self.is_rehearsal:
            known = DeadEvent.objects.filter(topic=origin.topic, message_id=origin.message_id)
            return known.filter(status=DeadEvent.Status.DISCARDED).exists()
        return park_message(entry.fields, origin, error).status == DeadEvent.Status.DISCARDED


def _is_known(event_type: str) -> bool:
    """Whether it is a type of openedx-events, of no concern here. One that is not loaded yet does no harm."""
    try:
        OpenEdxPublicSignal.get_signal_by_type(event_type)
    except KeyError:
        return False
    return True


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
