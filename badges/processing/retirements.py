"""Events that tell of a learner's retirement: which they are. Who carries them out is registered by a layer above."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from badges.conf import get_config
from badges.data import IncomingEvent
from badges.exceptions import ConfigurationError

Handler = Callable[[IncomingEvent], None]
"""Retires the learner of an event, in transactions of its own. Again, it changes nothing. It raises what stands in the
way."""

_handlers: list[Handler] = []


def register(handler: Handler) -> None:
    """Let a handler carry out retirements. The last one registered counts."""
    _handlers[:] = [handler]


def event_types() -> frozenset[str]:
    """The types of these events: ``BADGES_CONFIG["retirement"]["events"]``."""
    return frozenset(get_config().retirement.events)


def apart(events: Sequence[IncomingEvent]) -> tuple[list[IncomingEvent], list[IncomingEvent]]:
    """Events that tell of retirements, and the others."""
    types = event_types()
    return [event for event in events if event.event_type in types], [
        event for event in events if event.event_type not in types
    ]


def carry_out(event: IncomingEvent) -> None:
    """Retire the learner of an event.

    Raises:
        ConfigurationError: nobody carries that out in this process.
        BadgesError: it cannot be told who the learner is.
        django.db.Error: the database failed; what was done stays done, and the rest is done by another call.
    """
    if not _handlers:
        raise ConfigurationError("Nothing carries out retirements in this process. Is BADGES_ENABLED on?")
    _handlers[0](event)
