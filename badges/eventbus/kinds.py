"""Which consumer ``EVENT_BUS_CONSUMER`` names: what it loses, and whether it can be asked, depends on that."""

from __future__ import annotations

import enum

from django.conf import settings
from django.utils.module_loading import import_string

DURABLE_CONSUMER = "badges.eventbus.redis.DurableConsumer"
"""The consumer of this app, as a value for ``EVENT_BUS_CONSUMER``."""


class ConsumerKind(enum.Enum):
    """What is known of a consumer."""

    NONE = "none"
    DURABLE = "durable"
    """That of this app."""
    STOCK_REDIS = "stock_redis"
    """That of event-bus-redis."""
    KAFKA = "kafka"
    """That of event-bus-kafka."""
    OTHER = "other"
    BROKEN = "broken"
    """It cannot be imported."""

    @property
    def is_redis(self) -> bool:
        """Whether it reads from Redis."""
        return self in (ConsumerKind.DURABLE, ConsumerKind.STOCK_REDIS)


def consumer_path() -> str:
    """The value of ``EVENT_BUS_CONSUMER``; empty if it is not set."""
    return str(getattr(settings, "EVENT_BUS_CONSUMER", None) or "")


def consumer_kind() -> ConsumerKind:
    """The kind of the configured consumer, or of the one that it is derived from."""
    path = consumer_path()
    if not path:
        return ConsumerKind.NONE
    try:
        loaded = import_string(path)
    except Exception:  # noqa: BLE001 - whatever a foreign package raises when it is imported
        return ConsumerKind.BROKEN
    names = [f"{cls.__module__}.{cls.__qualname__}" for cls in getattr(loaded, "__mro__", ())]
    for kind, package in (
        (ConsumerKind.DURABLE, "badges.eventbus.redis"),
        (ConsumerKind.STOCK_REDIS, "edx_event_bus_redis"),
        (ConsumerKind.KAFKA, "edx_event_bus_kafka"),
    ):
        if any(name.startswith(f"{package}.") for name in (*names, path)):
            return kind
    return ConsumerKind.OTHER
