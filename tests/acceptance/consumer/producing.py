"""A producer as a process: puts events on the bus as an LMS does, and writes down which the bus has acknowledged.

The producer of ``edx-event-bus-redis`` swallows its errors. This one sends the same bytes, and goes on until each event
is acknowledged; one whose answer was lost is on the bus twice.
"""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import redis

from tests.acceptance.consumer.history import History

MAX_LENGTH = 10_000
"""The producer's default: ``EVENT_BUS_REDIS_STREAM_MAX_LEN``."""
CHECKED = 20
PAUSE = 0.02


def produce(plan: str, history: str, redis_url: str, stream: str, group: str = "", ahead: str = "0") -> None:
    """Put the events of a file on the bus, in order.

    Arguments:
        plan: a file with a JSON list of ``id``, ``type``, ``time`` (seconds since 1970) and ``data``.
        history: where it is written down.
        stream: the topic with its prefix.
        group: a consumer group that it does not run away from.
        ahead: how many unread messages it leaves this group at most; 0 for any number.
    """
    told, limit = History(Path(history)), int(ahead)
    with redis.Redis.from_url(redis_url, socket_timeout=2) as client:
        for number, wanted in enumerate(json.loads(Path(plan).read_text(encoding="utf-8"))):
            if limit and number % CHECKED == 0:
                _until(lambda: _unread(client, stream, group, limit) < limit)
            fields = message(**wanted)
            added = _insist(lambda fields=fields: client.xadd(stream, fields, maxlen=MAX_LENGTH, approximate=True))  # type: ignore[misc]
            told.write("produced", event=wanted["id"], message=added.decode())


def message(*, id: str, type: str, time: float, data: dict[str, Any]) -> dict[Any, Any]:
    """The fields of a message, as the producer of ``edx-event-bus-redis`` writes them."""
    from edx_event_bus_redis.internal.message import RedisMessage
    from openedx_events.event_bus.avro.serializer import serialize_event_data_to_bytes

    from badges.rules.payload import from_json
    from badges.rules.schema import event_schema, find_signal
    from tests.factories import metadata

    signal = find_signal(type)
    body = serialize_event_data_to_bytes(from_json(event_schema(type), data), signal)
    about = metadata(type, at=datetime.fromtimestamp(time, UTC), event_id=uuid.UUID(id))
    fields: dict[Any, Any] = RedisMessage(topic="", event_data=body, event_metadata=about).to_binary_dict()
    return fields


def _unread(client: redis.Redis, stream: str, group: str, limit: int) -> int:
    """How many messages the group has not read; counts no further than the limit."""
    groups: Any = _insist(lambda: client.xinfo_groups(stream) if client.exists(stream) else [])
    after = {one["name"].decode(): one["last-delivered-id"].decode() for one in groups}.get(group, "0-0")
    return len(_insist(lambda: client.xrange(stream, min=f"({after}", count=limit)))


def _insist(call: Callable[[], Any]) -> Any:
    while True:
        with contextlib.suppress(redis.ConnectionError, redis.TimeoutError):
            return call()
        time.sleep(PAUSE)


def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(PAUSE)
