"""Checks of the event bus: whether events come in, what may be lost on the way, and whether announcements go out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import parse_qs

import redis
from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Info
from django.core.checks import Warning as Caution
from django.core.management import get_commands
from openedx_events.learning.signals import BADGE_AWARDED, BADGE_REVOKED

from badges.checks.addresses import split_address
from badges.eventbus.kinds import DURABLE_CONSUMER, ConsumerKind, consumer_kind, consumer_path
from badges.toggles import is_badges_enabled

CHANGE = f'EVENT_BUS_CONSUMER = "{DURABLE_CONSUMER}"'


def check_event_bus(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Whether events come in and announcements go out."""
    if not is_badges_enabled():
        return []
    kind = consumer_kind()
    return [*_consumer(kind), *_announcements(), *(_redis(kind) if kind.is_redis else ())]


def _consumer(kind: ConsumerKind) -> Iterator[CheckMessage]:
    if kind is ConsumerKind.NONE:
        yield Caution(
            "EVENT_BUS_CONSUMER is not set, so consume_events cannot run and only events of this process count.",
            hint=f"For Redis: {CHANGE}.",
            id="badges.W003",
        )
    elif kind is ConsumerKind.BROKEN:
        yield Error(
            f'EVENT_BUS_CONSUMER is "{consumer_path()}", which cannot be imported: consume_events cannot run.',
            hint=f"Correct the path, or install the package. For Redis: {CHANGE}.",
            id="badges.E014",
        )
    elif kind is ConsumerKind.STOCK_REDIS:
        yield Caution(
            "The stock Redis consumer acknowledges an event whatever became of it, so some are lost for good: when the "
            "database goes away, when an error strikes that cannot be kept as a dead event, when a message cannot be "
            "decoded, and, at a restart, all that came meanwhile, unless check_backlog is true.",
            hint=f"The consumer of this app loses none of them, and takes the same options: {CHANGE}.",
            id="badges.W012",
        )
    elif kind is ConsumerKind.KAFKA:
        yield Info(
            "Kafka's consumer commits an event whatever became of it. What this app fails on is kept as a dead event, "
            "and a database that is away is waited for; but what cannot be decoded is lost, and a consumer group "
            "that is new starts with the next event and not with the oldest one.",
            hint="Start the consumer once before events matter. To read again what Kafka has kept, run consume_events "
            "once with the extra option offset_time. Then silence this message.",
            id="badges.I001",
        )
    elif kind is ConsumerKind.DURABLE and (winner := get_commands().get("consume_events")) != "badges":
        yield Caution(
            f"./manage.py consume_events is the command of {winner}: it ends with status 0 when it crashes, so that "
            "nothing may restart it, and it has no --until-empty, no heartbeat and no progress.",
            hint='Put "badges" before "openedx_events" in INSTALLED_APPS.',
            id="badges.W013",
        )


def _redis(kind: ConsumerKind) -> Iterator[CheckMessage]:
    url = getattr(settings, "EVENT_BUS_REDIS_CONNECTION_URL", None)
    if not url:
        yield Caution(
            "EVENT_BUS_REDIS_CONNECTION_URL is not set, so the consumer does not know its Redis.",
            hint='For example "redis://localhost:6379/0".',
            id="badges.W005",
        )
    elif (parts := split_address(url)) is None:
        yield Error("EVENT_BUS_REDIS_CONNECTION_URL cannot be read.", hint="Correct it.", id="badges.E013")
    elif kind is ConsumerKind.STOCK_REDIS and _gives_up_soon() and "socket_timeout" not in parse_qs(parts.query):
        yield Caution(
            f"redis-py {redis.__version__} gives up on a silent connection after 5 seconds, and the stock consumer "
            "waits up to 60 seconds for an event: it would log an error every 5 seconds, and may stop.",
            hint="Use the consumer of this app, or add ?socket_timeout=90 to EVENT_BUS_REDIS_CONNECTION_URL.",
            id="badges.W006",
        )


def _gives_up_soon() -> bool:
    return int(redis.__version__.split(".")[0]) >= 8


def _announcements() -> Iterator[CheckMessage]:
    if not getattr(settings, "EVENT_BUS_PRODUCER", None):
        yield Caution(
            "EVENT_BUS_PRODUCER is not set, so awarded and revoked badges are announced in this process only.",
            hint='For Redis: EVENT_BUS_PRODUCER = "edx_event_bus_redis.create_producer".',
            id="badges.W004",
        )
        return
    config = getattr(settings, "EVENT_BUS_PRODUCER_CONFIG", None) or {}
    for signal in (BADGE_AWARDED, BADGE_REVOKED):
        topics = config.get(signal.event_type) or {}
        if not any(isinstance(topic, dict) and topic.get("enabled") for topic in topics.values()):
            yield Caution(
                f"EVENT_BUS_PRODUCER_CONFIG sends {signal.event_type} to no topic: other services do not hear of it.",
                hint=(
                    'Add {"learning-badges-lifecycle": {"event_key_field": "badge.uuid", "enabled": True}} for it. '
                    "If it is there with BADGES_ENABLED as value: that is read where the settings file defines it."
                ),
                id="badges.W007",
            )
