"""Messages of the Redis event bus, as its producer writes them."""

from __future__ import annotations

import uuid
from typing import Any

import redis
from edx_event_bus_redis.internal.message import RedisMessage
from openedx_events.event_bus.avro.serializer import serialize_event_data_to_bytes
from openedx_events.learning.signals import COURSE_PASSING_STATUS_UPDATED

from badges.data import Origin
from tests import factories
from tests.factories import moment
from tests.integration.commands import Ended, run

TOPIC = "test-learning-badges-lifecycle"


def origin(number: int = 1) -> Origin:
    """Where a message stands: the so many-th after a fixed start."""
    return Origin(TOPIC, f"1767225600000-{number}")


def fields(
    username: str = "anna", *, at: float = 0, event_id: uuid.UUID | None = None, **changes: Any
) -> dict[bytes, bytes]:
    """The fields of a message with a passing-status event; ``header=...`` changes one, None takes it away."""
    headers = {name: changes.pop(name) for name in ("type", "id", "time", "event_data", "note") if name in changes}
    arguments = {"course_passing_status": factories.passing_status(username, **changes)}
    body = serialize_event_data_to_bytes(arguments, COURSE_PASSING_STATUS_UPDATED)
    written: dict[bytes, bytes | None] = RedisMessage(
        TOPIC, body, factories.metadata(at=at, event_id=event_id)
    ).to_binary_dict()
    written |= {name.encode(): value for name, value in headers.items()}
    return {name: value for name, value in written.items() if value is not None}


class Bus:
    """A topic of its own."""

    def __init__(self, url: str) -> None:
        self.client = redis.Redis.from_url(url)
        self.topic = f"topic-{uuid.uuid4()}"
        self.stream = f"test-{self.topic}"

    def put(self, username: str = "anna", *, seconds: float | None = None, **values: Any) -> str:
        """Add a message; ``seconds`` after a fixed start by the clock of the bus. Gives its id."""
        place = "*" if seconds is None else f"{int(moment(seconds).timestamp() * 1000)}-0"
        written: Any = fields(username, **values)
        message_id: Any = self.client.xadd(self.stream, written, id=place)
        return str(message_id.decode())

    def catch_up(self, *arguments: str, **options: Any) -> Ended:
        return run("catch_up", "-t", self.topic, *arguments, **options)
