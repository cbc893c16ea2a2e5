"""Behind the consumer of event-bus-kafka: its real loop, client and serializers, and a broker on this machine."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from attrs import define, field
from edx_event_bus_kafka import KafkaEventConsumer, create_producer
from edx_event_bus_kafka.internal.config import get_schema_registry_client
from openedx_events.learning.signals import COURSE_PASSING_STATUS_UPDATED
from pytest_django import Settings

from badges.models import Badge, DeadEvent
from tests import factories
from tests.acceptance.buses.kafka import Kafka, running_kafka
from tests.factories import BadgeTemplateFactory
from tests.integration.eventbus.outage import Outage, database_outage
from tests.integration.processing.helpers import passes

KEY = "course_passing_status.course.course_key"
UNREADABLE = "x" * 200
"""A username that no user record holds."""


@pytest.fixture(scope="module")
def kafka() -> Iterator[Kafka]:
    with running_kafka() as kafka:
        yield kafka


@define
class Bus:
    """A topic of the test's own, with the real producer and consumer of event-bus-kafka."""

    kafka: Kafka
    topic: str = field(factory=lambda: f"topic-{uuid.uuid4()}")
    group: str = field(factory=lambda: f"group-{uuid.uuid4()}")
    at_commit: Callable[[], object] = lambda: None
    """Asked each time an offset is about to be committed."""
    told: list[object] = field(factory=list)
    """What it answered."""

    @property
    def full_topic(self) -> str:
        return f"test-{self.topic}"

    def produce(self, username: str) -> None:
        producer = create_producer()
        producer.send(
            signal=COURSE_PASSING_STATUS_UPDATED,
            topic=self.topic,
            event_key_field=KEY,
            event_data={"course_passing_status": factories.passing_status(username)},
            event_metadata=factories.metadata(),
        )
        producer.prepare_for_shutdown()

    def consume(self, messages: int) -> None:
        """Let the consumer take so many messages, and leave."""
        self.kafka.begin_at_the_start(self.full_topic, self.group)
        consumer = KafkaEventConsumer(self.topic, self.group)
        client = consumer.consumer

        class Watched:
            """The client, whose commits are seen before they are made."""

            def __getattr__(self, name: str) -> Any:
                return getattr(client, name)

            def commit(watched, *, message: Any) -> None:  # noqa: N805
                self.told.append(self.at_commit())
                client.commit(message=message)
                if len(self.told) == messages:
                    consumer._shut_down()

        consumer.consumer = Watched()
        consumer.consume_indefinitely()

    def committed(self) -> int:
        return self.kafka.committed(self.full_topic, self.group)


@pytest.fixture
def bus(kafka: Kafka, transactional_db: None, settings: Settings) -> Iterator[Bus]:
    settings.EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS = kafka.bootstrap_servers
    settings.EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL = kafka.registry_url
    passes(BadgeTemplateFactory())
    yield Bus(kafka)
    get_schema_registry_client().close()


@pytest.fixture
def outage(bus: Bus, settings: Settings) -> Iterator[Outage]:
    settings.BADGES_CONFIG = {"consumer": {"first_retry": 0.001, "longest_retry": 0.002}}
    with database_outage() as outage:
        yield outage


def holders() -> list[str]:
    return sorted(Badge.objects.values_list("user__username", flat=True))


def test_an_event_is_processed_before_its_offset_is_committed(bus: Bus) -> None:
    bus.produce("anna")
    bus.produce("berta")
    bus.at_commit = holders

    bus.consume(2)

    assert bus.told == [["anna"], ["anna", "berta"]]
    assert bus.committed() == 2


def test_an_event_that_fails_is_parked_before_its_offset_is_committed(bus: Bus) -> None:
    bus.produce(UNREADABLE)
    bus.produce("anna")
    bus.at_commit = DeadEvent.objects.count

    bus.consume(2)

    assert bus.told == [1, 1]
    assert "user record holds 150" in DeadEvent.objects.get().error
    assert holders() == ["anna"]
    assert bus.committed() == 2


def test_a_database_that_is_away_is_waited_for_before_the_commit(bus: Bus, outage: Outage) -> None:
    bus.produce("anna")
    bus.produce("berta")
    bus.at_commit = lambda: outage.tries
    outage.close()
    outage.begin(refusals=7)

    bus.consume(2)

    assert bus.told == [7, 7]
    assert holders() == ["anna", "berta"]


def test_one_that_goes_away_between_two_events_costs_none(bus: Bus, outage: Outage) -> None:
    for username in ("anna", "berta", "clara"):
        bus.produce(username)
    outage.close()
    bus.at_commit = lambda: outage.begin(refusals=3)

    bus.consume(3)

    assert outage.tries == 6
    outage.end()
    assert holders() == ["anna", "berta", "clara"]


@pytest.mark.parametrize(
    ("event_type", "value"),
    [
        (COURSE_PASSING_STATUS_UPDATED.event_type, b"no Avro at all"),
        (COURSE_PASSING_STATUS_UPDATED.event_type, b"\x00\x00\x00\x00\x63of a schema that nobody registered"),
        ("org.openedx.nonsense.v1", b"whatever"),
    ],
)
def test_what_cannot_be_decoded_is_committed_unseen_by_any_receiver(
    bus: Bus, caplog: pytest.LogCaptureFixture, event_type: str, value: bytes
) -> None:
    """That is how the consumer is: documented, and told in its log alone."""
    headers = {"ce_type": event_type, "ce_id": str(uuid.uuid4()), "ce_time": "2026-01-01T00:00:00+00:00"}
    bus.kafka.produce(bus.full_topic, value, headers)

    bus.consume(1)

    assert bus.committed() == 1
    assert "Error consuming event from Kafka" in caplog.text
    assert not DeadEvent.objects.exists()
