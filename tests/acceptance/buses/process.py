"""A consumer of somebody else as a process of its own, on a database server that can be killed."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import edx_event_bus_kafka
import edx_event_bus_redis
import redis
from attrs import frozen
from edx_event_bus_kafka.internal.config import get_schema_registry_client
from openedx_events.learning.signals import COURSE_PASSING_STATUS_UPDATED
from pytest_django import Settings

from demo.processes import Child
from demo.redis import redis_server
from tests import factories
from tests.acceptance.buses.kafka import running_kafka
from tests.acceptance.project import Project

# Not where the app's own signals go.
TOPIC, GROUP = "learning-course-passing", "credentials"
FULL_TOPIC = f"test-{TOPIC}"


@frozen
class Bus:
    """What an operator configures, and what the bus says."""

    environment: dict[str, str]
    extra: dict[str, Any]
    produce: Callable[[list[str]], None]
    """Usernames of learners who pass."""
    acknowledged: Callable[[], int]
    """How many messages the group has done with."""


@contextlib.contextmanager
def redis_bus(settings: Settings) -> Iterator[Bus]:
    """event-bus-redis."""
    with redis_server() as url, contextlib.closing(redis.Redis.from_url(url)) as client:
        settings.EVENT_BUS_REDIS_CONNECTION_URL = url
        producer = edx_event_bus_redis.create_producer()

        def acknowledged() -> int:
            found: Any = client.xinfo_groups(FULL_TOPIC)
            if not found:
                return 0
            [group] = found
            delivered: Any = client.xrange(FULL_TOPIC, max=group["last-delivered-id"])
            return len(delivered) - int(group["pending"])

        yield Bus(
            {
                "BADGES_TEST_BUS_CONSUMER": "edx_event_bus_redis.RedisEventConsumer",
                "BADGES_TEST_REDIS_URL": url,
            },
            {"consumer_name": "one", "check_backlog": True},
            lambda usernames: _send(producer, usernames),
            acknowledged,
        )
        producer.client.close()


@contextlib.contextmanager
def kafka_bus(settings: Settings) -> Iterator[Bus]:
    """event-bus-kafka."""
    with running_kafka() as kafka:
        settings.EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS = kafka.bootstrap_servers
        settings.EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL = kafka.registry_url
        producer = edx_event_bus_kafka.create_producer()
        kafka.begin_at_the_start(FULL_TOPIC, GROUP)

        def produce(usernames: list[str]) -> None:
            _send(producer, usernames)
            producer.prepare_for_shutdown()

        yield Bus(
            {
                "BADGES_TEST_BUS_CONSUMER": "edx_event_bus_kafka.KafkaEventConsumer",
                "BADGES_TEST_KAFKA_SERVERS": kafka.bootstrap_servers,
                "BADGES_TEST_KAFKA_REGISTRY": kafka.registry_url,
            },
            {},
            produce,
            lambda: kafka.committed(FULL_TOPIC, GROUP),
        )
        get_schema_registry_client().close()


def _send(producer: Any, usernames: list[str]) -> None:
    for username in usernames:
        producer.send(
            signal=COURSE_PASSING_STATUS_UPDATED,
            topic=TOPIC,
            event_key_field="course_passing_status.course.course_key",
            event_data={"course_passing_status": factories.passing_status(username)},
            event_metadata=factories.metadata(),
        )


class Installation(Project):
    """The app behind such a consumer, on a database of its own."""

    def __init__(self, folder: Path, bus: Bus, database_url: str) -> None:
        self.folder = folder
        self.bus = bus
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BADGES_TEST_")}
        self.environment = {
            **kept,
            **bus.environment,
            "DJANGO_SETTINGS_MODULE": "tests.acceptance.buses.settings",
            "BADGES_TEST_DATABASE_URL": database_url,
            "BADGES_TEST_CONFIG": json.dumps({"consumer": {"longest_retry": 1}}),
            "PYTHONUNBUFFERED": "1",
        }
        self.manage("migrate", "--verbosity", "0", "--skip-checks")
        self.python("RequirementFactory(rules=[('is_passing', 'eq', 'true'), ('course.course_key', 'eq', COURSE)])")

    @property
    def log(self) -> str:
        """What the consumer wrote so far."""
        return (self.folder / "consumer.log").read_text(errors="replace")

    @contextlib.contextmanager
    def consumer(self) -> Iterator[Child]:
        """The consumer, as the bus's own documentation starts it."""
        extra = f"--extra={json.dumps(self.bus.extra)}"
        with self.start("consumer", "consume_events", "-t", TOPIC, "-g", GROUP, extra) as child:
            yield child

    def holders(self) -> list[str]:
        """Who has the badge."""
        code = "print(json.dumps(sorted(Badge.objects.values_list('user__username', flat=True))))"
        found: list[str] = self.python(code)
        return found

    def dead_events(self) -> int:
        """How many events were parked."""
        return int(self.python("print(DeadEvent.objects.count())"))
