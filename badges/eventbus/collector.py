"""Collecting the events that our receiver gets, instead of processing each at once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

from badges.data import IncomingEvent

_collected: ContextVar[list[IncomingEvent] | None] = ContextVar("badges.eventbus.collector._collected", default=None)


@contextlib.contextmanager
def collecting() -> Iterator[list[IncomingEvent]]:
    """Within it, what our receiver gets is put in this list, in order, and nothing else is done with it."""
    events: list[IncomingEvent] = []
    token = _collected.set(events)
    try:
        yield events
    finally:
        _collected.reset(token)


def collect(event: IncomingEvent) -> bool:
    """Keep an event for whoever collects, and say whether anybody does."""
    events = _collected.get()
    if events is None:
        return False
    events.append(event)
    return True
