"""The consumer of event-bus-redis as it is, in the test's process, on a real Redis."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from edx_event_bus_redis import RedisEventConsumer
from edx_event_bus_redis.internal import consumer as internal
from edx_event_bus_redis.internal.producer import RedisEventProducer, create_producer
from openedx_events.learning.signals import COURSE_PASSING_STATUS_UPDATED

from tests import factories

GROUP = "credentials"


class StockBus:
    """A topic of its own with the stock producer and the stock consumer."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        # A poll that waits for nothing; 0 would wait for ever.
        patch.setattr(internal, "CONSUMER_POLL_TIMEOUT", 0.01)
        self.topic = f"topic-{uuid.uuid4()}"
        self.producer: RedisEventProducer = create_producer()

    def produce(self, username: str, **metadata: Any) -> None:
        self.producer.send(
            signal=COURSE_PASSING_STATUS_UPDATED,
            topic=self.topic,
            event_key_field="course_passing_status.course.course_key",
            event_data={"course_passing_status": factories.passing_status(username)},
            event_metadata=factories.metadata(**metadata),
        )

    def consume(self) -> None:
        """Let the consumer work until nothing is left."""
        consumer = self._consumer()
        read = consumer.consumer.read

        def read_or_end(**kwargs: Any) -> Any:
            if not (found := read(count=kwargs["count"], block=1)):
                consumer._shut_down()
            return found

        consumer.consumer.read = read_or_end
        consumer.consume_indefinitely()

    def pending(self) -> list[str]:
        """The ids of messages that were delivered and not acknowledged."""
        return [entry["message_id"] for entry in self._consumer().consumer.pending(count=1000)]

    def _consumer(self) -> RedisEventConsumer:
        return RedisEventConsumer(self.topic, GROUP, consumer_name="one", check_backlog=True)
