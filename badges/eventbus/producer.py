"""Whether the event bus takes events now: its producers swallow their errors, so it is asked before."""

from __future__ import annotations

from django.conf import settings
from openedx_events.event_bus import get_producer
from redis import RedisError

from badges.exceptions import BadgesError


class BusUnavailable(BadgesError):
    """The event bus cannot be reached, so that an event given to its producer would be lost."""


def is_published(event_type: str) -> bool:
    """Whether ``EVENT_BUS_PRODUCER_CONFIG`` sends events of this type to a topic."""
    topics = (getattr(settings, "EVENT_BUS_PRODUCER_CONFIG", None) or {}).get(event_type) or {}
    return any(isinstance(topic, dict) and topic.get("enabled") is True for topic in topics.values())


def require_bus() -> None:
    """Make sure that the producer's Redis answers. Producers of other buses cannot be asked, and are trusted.

    Raises:
        BusUnavailable: it does not answer.
    """
    ping = getattr(getattr(get_producer(), "client", None), "ping", None)
    if ping is None:
        return
    try:
        ping()
    except RedisError as error:
        raise BusUnavailable(
            f"The event bus's Redis does not answer ({type(error).__name__}). Is it up, and is "
            "EVENT_BUS_REDIS_CONNECTION_URL right?"
        ) from None
