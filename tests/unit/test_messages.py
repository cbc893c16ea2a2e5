"""A message of the Redis event bus is read as the bus's own consumer reads it, or refused in words."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from edx_event_bus_redis.internal.message import RedisMessage
from hypothesis import given
from hypothesis import strategies as st
from openedx_events.event_bus.avro.serializer import serialize_event_data_to_bytes
from openedx_events.learning.signals import COURSE_ENROLLMENT_CREATED, COURSE_PASSING_STATUS_UPDATED

from badges.data import Origin
from badges.exceptions import UnknownEventType, UnreadableMessage
from badges.processing import messages
from badges.processing.messages import decode
from tests.factories import PASSING, metadata, passing_status

ORIGIN = Origin("test-topic", "1763736000123-0")


def fields(**changes: Any) -> dict[bytes, bytes]:
    """A message as the bus's producer writes it, with some fields changed; None takes one away."""
    arguments = {"course_passing_status": passing_status("anna")}
    body = serialize_event_data_to_bytes(arguments, COURSE_PASSING_STATUS_UPDATED)
    written = RedisMessage("test-topic", body, metadata(at=5)).to_binary_dict()
    for name, value in changes.items():
        written[name.encode()] = value
    return {name: value for name, value in written.items() if value is not None}


def test_a_message_of_the_producer_comes_back_as_it_was_sent() -> None:
    sent = metadata(at=5)
    body = serialize_event_data_to_bytes(
        {"course_passing_status": passing_status("anna")}, COURSE_PASSING_STATUS_UPDATED
    )

    message = decode(RedisMessage("test-topic", body, sent).to_binary_dict(), ORIGIN)

    assert message.signal is COURSE_PASSING_STATUS_UPDATED
    assert message.metadata == sent
    assert message.event_id == sent.id
    assert message.arguments == {"course_passing_status": passing_status("anna")}


@pytest.mark.parametrize("absent", [None, b""])
def test_a_message_without_an_id_has_the_same_one_at_every_reading(absent: bytes | None) -> None:
    written = fields(id=absent)

    first, second = decode(written, ORIGIN), decode(written, ORIGIN)
    other = decode(written, Origin("test-topic", "1763736000123-1"))

    assert first.event_id == second.event_id == first.metadata.id
    assert first.event_id != other.event_id


def test_a_message_without_a_time_has_the_time_at_which_the_bus_took_it() -> None:
    assert decode(fields(time=None), ORIGIN).metadata.time == datetime(2025, 11, 21, 14, 40, 0, 123000, UTC)


def test_an_unknown_type_is_told_apart_from_nonsense() -> None:
    with pytest.raises(
        UnknownEventType, match=r'"org.openedx.new.v1" of message 1763736000123-0 of test-topic is unknown'
    ):
        decode(fields(type=b"org.openedx.new.v1"), ORIGIN)


def test_unknown_types_by_the_thousand_walk_through_openedx_events_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownEventType):
        decode(fields(type=b"org.openedx.new.v1"), ORIGIN)
    monkeypatch.setattr("pkgutil.walk_packages", lambda *args: pytest.fail("walked again"))

    with pytest.raises(UnknownEventType):
        decode(fields(type=b"org.openedx.newer.v1"), ORIGIN)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"type": None}, 'lack "type"'),
        ({"type": b""}, 'lack "type"'),
        ({"type": b"\xff"}, 'cannot be read: "type"'),
        ({"id": b"not-a-uuid"}, 'cannot be read: "id"'),
        ({"time": b"yesterday"}, 'cannot be read: "time"'),
        ({"time": b"2026-01-01T00:00:00"}, 'cannot be read: "time"'),
        ({"id": b"17", "sourcelib": b"ten"}, 'cannot be read: "id", "sourcelib"'),
        ({"event_data": None}, "There is no body"),
        ({"event_data": b""}, f"is not what the type {PASSING} declares"),
        ({"event_data": b"anna@example.com"}, "same version of openedx-events"),
    ],
)
def test_nonsense_is_refused_in_words_that_quote_no_payload(changes: dict[str, bytes], words: str) -> None:
    with pytest.raises(UnreadableMessage, match=words) as caught:
        decode(fields(**changes), ORIGIN)

    assert not isinstance(caught.value, UnknownEventType)
    assert "1763736000123-0 of test-topic" in str(caught.value)
    assert "anna" not in str(caught.value)


def test_a_body_of_another_type_is_refused() -> None:
    with pytest.raises(UnreadableMessage):
        decode(fields(type=COURSE_ENROLLMENT_CREATED.event_type.encode()), ORIGIN)


@given(st.dictionaries(st.sampled_from([b"type", b"id", b"time", b"minorversion", b"event_data"]), st.binary()))
def test_whatever_stands_in_a_message_it_is_read_or_refused(changes: dict[bytes, bytes]) -> None:
    try:
        message = decode({**fields(), **changes}, ORIGIN)
    except UnreadableMessage:
        return
    assert isinstance(message.event_id, uuid.UUID)


def test_the_schema_of_a_signal_is_built_once(monkeypatch: pytest.MonkeyPatch) -> None:
    decode(fields(), ORIGIN)
    monkeypatch.setattr(messages, "AvroSignalDeserializer", lambda signal: pytest.fail("built again"))

    decode(fields(), ORIGIN)
