"""Processing events that may have been processed before: what was never seen has its effect, the rest changes nothing.

What staff decided stands: discarded dead events are left out. Dead events that succeed now are done.
"""

from __future__ import annotations

import functools
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from attrs import define, field, frozen
from django.db import transaction

from badges.data import IncomingEvent
from badges.models import DeadEvent
from badges.processing.dead_events import park
from badges.processing.patience import is_away, is_contention
from badges.processing.pipeline import BatchOutcome, process_batch
from badges.processing.replaying import fill_in
from badges.processing.retries import retried

Status = DeadEvent.Status
T = TypeVar("T")


@frozen
class CaughtUp:
    """What a batch of events did."""

    outcomes: tuple[BatchOutcome, ...] = ()
    parked: int = 0
    """Events that are dead events now, or would be."""
    left_out: int = 0
    """Events that staff had discarded."""
    settled: int = 0
    """Dead events that waited, and are done now, or would be."""


def catch_up(events: Sequence[IncomingEvent], *, is_rehearsal: bool = False) -> CaughtUp:
    """Process a batch of events in one transaction; if that fails, one by one. What fails then is parked.

    Arguments:
        events: in any order; repetitions are of no matter.
        is_rehearsal: process them, and neither park nor settle anything. The caller's transaction is rolled back.

    Raises:
        django.db.Error: the database is away or busy. What was done stands, and doing it again repeats nothing.
        EventLost: an event could be neither processed nor stored.
    """
    known = _Known.of_events(events)
    wanted = [event for event in events if not any(status == Status.DISCARDED for _, status in known.rows(event))]
    work = _Work(is_rehearsal)
    work.process(wanted)
    waiting = {
        pk: event
        for event in wanted
        if event.event_id not in work.failed
        for pk, status in known.rows(event)
        if status == Status.WAITING
    }
    if not is_rehearsal:
        for event in wanted:
            if event.event_id in work.failed:
                park(event, work.failed[event.event_id])
        for pk in sorted(waiting):
            retried(functools.partial(_settle, pk, waiting[pk]))
    return CaughtUp(tuple(work.outcomes), len(work.failed), len(events) - len(wanted), len(waiting))


@define
class _Work:
    is_rehearsal: bool
    outcomes: list[BatchOutcome] = field(factory=list)
    failed: dict[uuid.UUID, Exception] = field(factory=dict)
    """Id of an event -> why it cannot be applied."""

    def process(self, events: Sequence[IncomingEvent]) -> None:
        try:
            self._process(events)
        except Exception as error:
            if is_away(error) or is_contention(error):
                raise
            self._process_singly(events)

    def _process_singly(self, events: Sequence[IncomingEvent]) -> None:
        for event in events:
            try:
                self._process([event])
            except Exception as error:
                if is_away(error) or is_contention(error):
                    raise
                self.failed[event.event_id] = error

    def _process(self, events: Sequence[IncomingEvent]) -> None:
        done = self._transact(lambda: process_batch(events))
        self.outcomes.append(done)
        self.failed.update((refusal.event.event_id, refusal.error) for refusal in done.refused)

    def _transact(self, process: Callable[[], T]) -> T:
        if not self.is_rehearsal:
            return process()
        # Within a transaction that goes on: a failure must leave it usable.
        with transaction.atomic():
            return process()


@frozen
class _Known:
    """The dead events that a batch of events may be."""

    by_event: dict[uuid.UUID, list[tuple[int, str]]]
    by_message: dict[tuple[str, str], list[tuple[int, str]]]
    """Those whose event is not known."""

    @classmethod
    def of_events(cls, events: Sequence[IncomingEvent]) -> _Known:
        known = cls(defaultdict(list), defaultdict(list))
        for pk, status, event_id in DeadEvent.objects.filter(
            event_id__in={event.event_id for event in events}
        ).values_list("pk", "status", "event_id"):
            if event_id is not None:
                known.by_event[event_id].append((pk, status))
        messages: dict[str, set[str]] = defaultdict(set)
        for event in events:
            if event.origin is not None:
                messages[event.origin.topic].add(event.origin.message_id)
        for topic, ids in messages.items():
            unread = DeadEvent.objects.filter(topic=topic, message_id__in=ids, event_id=None)
            for pk, status, message_id in unread.values_list("pk", "status", "message_id"):
                known.by_message[topic, message_id or ""].append((pk, status))
        return known

    def rows(self, event: IncomingEvent) -> Iterator[tuple[int, str]]:
        """Id and status of each dead event that is this event."""
        yield from self.by_event.get(event.event_id, ())
        if event.origin is not None:
            yield from self.by_message.get((event.origin.topic, event.origin.message_id), ())


def _settle(pk: int, event: IncomingEvent) -> None:
    with transaction.atomic():
        row = DeadEvent.objects.select_for_update().filter(pk=pk).first()
        if row is not None and row.status == Status.WAITING:
            fill_in(row, event)
            row.status = Status.REPLAYED
            row.save()
