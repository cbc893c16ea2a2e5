"""Collecting the events of a bus that our receiver gets, instead of processing each at once."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator, Mapping
from contextvars import ContextVar

from openedx_events.data import EventsMetadata

from badges.data import IncomingEvent, Origin
from badges.processing.dead_events import incoming

_collection: ContextVar[tuple[list[IncomingEvent], uuid.UUID, Origin] | None] = ContextVar(
    "badges.eventbus.collector._collection", default=None
)


@contextlib.contextmanager
def collecting(event_id: uuid.UUID, origin: Origin) -> Iterator[list[IncomingEvent]]:
    """Within it, what our receiver gets is put in this list, in order, and nothing else is done with it.

    Arguments:
        event_id: the event that is sent within it; others may come from a bus that another receiver reads.
        origin: where that one came from.
    """
    events: list[IncomingEvent] = []
    token = _collection.set((events, event_id, origin))
    try:
        yield events
    finally:
        _collection.reset(token)


def collect(metadata: EventsMetadata, arguments: Mapping[str, object]) -> bool:
    """Keep an event for whoever collects, and say whether anybody does."""
    collection = _collection.get()
    if collection is None:
        return False
    events, event_id, origin = collection
    events.append(incoming(metadata, arguments, origin if metadata.id == event_id else None))
    return True
