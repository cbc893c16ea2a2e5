"""Hindsight: what the bus has already brought, looked at again for those who are known only now.

A penalty for a learner without progress leaves no trace. So where several consumers share a group, or one of them
died with messages in its hands, a penalty can be finished before the older event that it undoes. The stream still
has it: after such an older event it is read again, and applied.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from badges.conf import get_config
from badges.data import IncomingEvent, Origin
from badges.eventbus.redis.stream import Entry, Stream, order
from badges.exceptions import UnreadableMessage
from badges.models import DeadEvent
from badges.processing import learners
from badges.processing.effects import Begun
from badges.processing.messages import BODY, TYPE, decode
from badges.processing.patience import is_away, is_contention
from badges.processing.pipeline import BatchOutcome, process_batch

PAGE = 500
"""Messages that are read again at a time."""
FEW = 20
"""For so many learners it is cheaper to look for their names in a message than to decode it."""


def look_back(
    stream: Stream,
    message_ids: Collection[str],
    begun: Iterable[Begun],
    *,
    is_redelivered: bool = False,
    on_page: Callable[[], None] = lambda: None,
) -> BatchOutcome:
    """Apply the newer events of these learners that the group has taken already, whoever in it has.

    Call it after the batch is committed and before it is acknowledged: if this does not come to its end, the batch is
    delivered again, and with it this.

    Arguments:
        stream: the stream that the batch came from.
        message_ids: the messages that were applied.
        begun: the learners, each with the time from which on their events count.
        is_redelivered: whether these are messages that were taken before; else they are one piece of the stream.
        on_page: called before each page that is read again: events that are dated long ago make many of them.

    Returns:
        What the events did, all of them together.

    Raises:
        redis.RedisError: Redis is away.
        django.db.Error: the database is away; nothing of the page at hand was changed.
    """
    total, since = BatchOutcome(), _earliest(begun)
    while since and message_ids:
        further: list[Begun] = []
        for first, last in _ranges(stream, message_ids, min(since.values()), is_redelivered=is_redelivered):
            for page in stream.pages(first, last, PAGE):
                on_page()
                for done in _apply(_undiscarded(_of_interest(page, since, stream.topic))):
                    further += done.begun
                    total = BatchOutcome(
                        total.fulfilled + done.fulfilled,
                        total.reset + done.reset,
                        total.awarded + done.awarded,
                        total.revoked + done.revoked,
                    )
        # What is known only by this look may be undone by what it passed before, and by the batch itself.
        since, is_redelivered = _earliest(further), True
    return total


def _earliest(begun: Iterable[Begun]) -> dict[str, datetime]:
    since: dict[str, datetime] = {}
    for one in begun:
        since[one.username] = min(since.get(one.username, one.time), one.time)
    return since


def _undiscarded(events: Iterable[IncomingEvent]) -> list[IncomingEvent]:
    """Without what staff decided not to process."""
    found = list(events)
    if not found:
        return found
    rows = DeadEvent.objects.filter(status=DeadEvent.Status.DISCARDED, event_id__in={event.event_id for event in found})
    discarded = set(rows.values_list("event_id", flat=True))
    return [event for event in found if event.event_id not in discarded]


def _apply(events: Sequence[IncomingEvent]) -> Iterator[BatchOutcome]:
    try:
        yield process_batch(events)
    except Exception as error:
        if is_away(error) or is_contention(error):
            raise
        if len(events) > 1:
            for event in events:
                yield from _apply([event])
        # A single one that fails is parked by whoever took it from the group, and not by the batch at hand.


def everyone_in(events: Iterable[IncomingEvent]) -> list[Begun]:
    """The learners of these events. For a batch that was delivered before: whom it concerned then is not known now."""
    found = ((learners.identify(event), event.time) for event in events)
    return [Begun(learner.username, time) for learner, time in found if learner is not None]


def _ranges(
    stream: Stream, message_ids: Collection[str], since: datetime, *, is_redelivered: bool
) -> Iterator[tuple[str, str]]:
    """The first and last ids of what is read again: what was sent since then, and that the group has taken."""
    ids = sorted(message_ids, key=order)
    position = stream.position()
    start = f"{max(0, int(since.timestamp() * 1000))}-0"
    if is_redelivered:
        yield min(start, ids[0], key=order), position
        return
    # A batch that was read in one piece has no message of others inside.
    if order(start) < order(ids[0]):
        yield start, f"({ids[0]}"
    if order(ids[-1]) < order(position):
        yield f"({ids[-1]}", position


def _of_interest(page: Sequence[Entry], since: Mapping[str, datetime], topic: str) -> Iterator[IncomingEvent]:
    types = frozenset(event_type.encode() for event_type in get_config().events)
    # Avro holds a text as its bytes: where a name is not among them, the event is not about its bearer.
    names = [username.encode() for username in since] if len(since) <= FEW else []
    for entry in page:
        if entry.fields.get(TYPE) not in types:
            continue
        body = entry.fields.get(BODY, b"")
        if names and not any(name in body for name in names):
            continue
        origin = Origin(topic, entry.message_id)
        try:
            message = decode(entry.fields, origin)
        except UnreadableMessage:
            # Whoever took it from the group parks it.
            continue
        event = IncomingEvent(
            event_type=message.metadata.event_type,
            event_id=message.event_id,
            time=message.metadata.time,
            arguments=message.arguments,
            metadata=message.metadata,
            origin=origin,
        )
        learner = learners.identify(event)
        if learner is not None and learner.username in since and event.time >= since[learner.username]:
            yield event
