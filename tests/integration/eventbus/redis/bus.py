"""A topic of its own on a real Redis, and our consumer on it."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import redis

from badges.eventbus.redis import DurableConsumer
from badges.eventbus.redis.presence import Tally
from badges.models import Badge
from tests.integration import bus_messages

GROUP = "credentials"
QUICK = {"first_retry": 0.001, "longest_retry": 0.002, "claim_every": 0.001}
"""Settings with which a test waits for nothing."""


class Bus:
    """What a test does to a topic, and sees of it."""

    def __init__(self, url: str) -> None:
        self.client = redis.Redis.from_url(url)
        self.topic = f"topic-{uuid.uuid4()}"
        self.stream = f"test-{self.topic}"

    def produce(self, *usernames: str, **changes: Any) -> list[str]:
        """Put passing-status events on the topic; gives the ids of their messages."""
        return [self.add(bus_messages.fields(username, **changes)) for username in usernames]

    def add(self, fields: dict[bytes, bytes]) -> str:
        """Put a message on the topic as it is; gives its id."""
        found: Any = self.client.xadd(self.stream, fields)  # type: ignore[arg-type]
        return str(found.decode())

    def consumer(self, name: str = "one", **options: Any) -> DurableConsumer:
        """A consumer that ends when all is read."""
        return DurableConsumer(self.topic, GROUP, name, **{"until_empty": True, "max_wait_ms": 1, **options})

    def consume(self, name: str = "one", **options: Any) -> DurableConsumer:
        """Let a consumer work until all is read."""
        consumer = self.consumer(name, **options)
        consumer.consume_indefinitely()
        return consumer

    def consume_until(self, condition: Callable[[], object], name: str = "one", **options: Any) -> DurableConsumer:
        """Let a consumer work until a condition is true, which it looks at about twice a second, and then end it."""
        end = time.monotonic() + 20

        def look(tally: Tally) -> None:
            assert time.monotonic() < end, "not in time"
            consumer.stop.requested = bool(condition())

        consumer = self.consumer(name, until_empty=False, on_progress=look, **options)
        consumer.consume_indefinitely()
        return consumer

    def take_and_die(self, name: str, count: int) -> list[str]:
        """What a consumer does that is killed right after it has read: the ids of what it took."""
        self.make_group()
        answer: Any = self.client.xreadgroup(GROUP, name, {self.stream: ">"}, count=count)
        messages = next(iter(answer.values()))[0] if isinstance(answer, dict) else answer[0][1]
        return [message_id.decode() for message_id, _ in messages]

    def make_group(self, position: str = "0") -> None:
        with contextlib.suppress(redis.ResponseError):
            self.client.xgroup_create(self.stream, GROUP, position, mkstream=True)

    def pending(self) -> list[str]:
        """The ids of messages that were delivered and not acknowledged."""
        rows: Any = self.client.xpending_range(self.stream, GROUP, "-", "+", 10_000)
        return [row["message_id"].decode() for row in rows]

    def position(self) -> str:
        """The newest message that the group has taken."""
        [group] = [one for one in self.client.xinfo_groups(self.stream) if one["name"].decode() == GROUP]
        return str(group["last-delivered-id"].decode())


def holders() -> list[str]:
    """Who has a badge."""
    return sorted(Badge.objects.values_list("user__username", flat=True))


def once(*steps: Callable[[], object]) -> Callable[[], None]:
    """What takes these steps when it is called first, and nothing later."""
    todo = list(steps)

    def take() -> None:
        while todo:
            todo.pop(0)()

    return take


def told(caplog: pytest.LogCaptureFixture, action: str) -> list[str]:
    """The log lines of one kind."""
    return [record.getMessage() for record in caplog.records if getattr(record, "action", "") == action]
