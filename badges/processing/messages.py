"""An event as a message of the Redis event bus carries it.

Headers and body are read by the libraries that wrote them (``edx-event-bus-redis`` and ``openedx-events``), with one
difference: the Avro schema of a signal is built once a process and not once a message, which costs half of the work.
"""

from __future__ import annotations

import functools
import io
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import fastavro
from attrs import field, frozen
from edx_event_bus_redis.internal.utils import MessageHeader, get_metadata_from_headers
from openedx_events.data import EventsMetadata
from openedx_events.event_bus.avro.deserializer import AvroSignalDeserializer
from openedx_events.tooling import OpenEdxPublicSignal, load_all_signals

from badges.data import Origin
from badges.exceptions import UnknownEventType, UnreadableMessage, describe

BODY = b"event_data"
TYPE, ID, TIME = b"type", b"id", b"time"
UNNAMED = uuid.UUID("6f0f2f0e-3c1b-5d3f-9a53-1d1d5c0f7f10")
"""Namespace of the ids of messages that bring none."""


@frozen
class Message:
    """A decoded message: all that its signal is sent with."""

    signal: OpenEdxPublicSignal
    metadata: EventsMetadata = field(repr=False)
    arguments: dict[str, Any] = field(repr=False)
    """Argument of the signal -> data object."""
    event_id: uuid.UUID


def decode(fields: Mapping[bytes, bytes], origin: Origin) -> Message:
    """Read a message of a Redis stream.

    Arguments:
        fields: as Redis gives them.
        origin: where it stands. A message without an id or a time gets them from there, so that a repeat is the same.

    Raises:
        UnknownEventType: openedx-events has no signal for its type.
        UnreadableMessage: its headers or its body are not what its type declares.
    """
    metadata = _metadata(fields, origin)
    signal = _signal(metadata.event_type, origin)
    body = fields.get(BODY)
    if body is None:
        raise UnreadableMessage(
            f"There is no body in {_name(origin)}. Whatever wrote it is not a producer of the event bus."
        )
    try:
        arguments = _reader(signal)(body)
    except Exception as error:  # noqa: BLE001 - whatever Avro and the data classes make of foreign bytes
        raise UnreadableMessage(
            f"The body of {_name(origin)} is not what the type {metadata.event_type} declares ({describe(error)}) "
            "Is the same version of openedx-events installed at both ends of the bus?"
        ) from None
    return Message(signal, metadata, arguments, metadata.id)


def _name(origin: Origin) -> str:
    return f"message {origin.message_id} of {origin.topic}"


def _metadata(fields: Mapping[bytes, bytes], origin: Origin) -> EventsMetadata:
    if not fields.get(TYPE):
        raise UnreadableMessage(
            f'The headers of {_name(origin)} lack "type". Whatever wrote it is not a producer of the event bus.'
        )
    try:
        if not (fields.get(ID) and fields.get(TIME)):
            fields = {**fields, **_from_origin(fields, origin)}
        return get_metadata_from_headers(fields)
    except Exception as error:  # noqa: BLE001 - whatever the conversions make of foreign bytes
        wrong = ", ".join(f'"{name}"' for name in _wrong_headers(fields)) or type(error).__name__
        raise UnreadableMessage(
            f"The headers of {_name(origin)} cannot be read: {wrong}. "
            "Is the same version of edx-event-bus-redis installed at both ends of the bus?"
        ) from None


def _from_origin(fields: Mapping[bytes, bytes], origin: Origin) -> dict[bytes, bytes]:
    made: dict[bytes, bytes] = {}
    if not fields.get(ID):
        made[ID] = str(uuid.uuid5(UNNAMED, f"{origin.topic} {origin.message_id}")).encode()
    if not fields.get(TIME):
        # The first half of a message's id is the time at which Redis took it, in milliseconds.
        milliseconds = int(origin.message_id.partition("-")[0])
        made[TIME] = datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat().encode()
    return made


def _wrong_headers(fields: Mapping[bytes, bytes]) -> list[str]:
    """The headers that cannot be read even alone."""
    wrong: list[str] = []
    for header in MessageHeader.instances:
        name: str = header.message_header_key
        alone = {TYPE: b"-", name.encode(): fields.get(name.encode(), b"")}
        try:
            get_metadata_from_headers(alone)
        except Exception:  # noqa: BLE001
            wrong.append(name)
    return wrong


def _signal(event_type: str, origin: Origin) -> OpenEdxPublicSignal:
    try:
        return OpenEdxPublicSignal.get_signal_by_type(event_type)
    except KeyError:
        _load_all_signals()
    try:
        return OpenEdxPublicSignal.get_signal_by_type(event_type)
    except KeyError:
        raise UnknownEventType(
            f'The event type "{event_type[:255]}" of {_name(origin)} is unknown to openedx-events as it is installed '
            "here. Install the version that the sender has, then replay the message."
        ) from None


# Walking through the package takes long, and unknown types may come by the thousand.
_load_all_signals = functools.cache(load_all_signals)


@functools.cache
def _reader(signal: OpenEdxPublicSignal) -> Callable[[bytes], dict[str, Any]]:
    """What turns a body into the arguments of a signal."""
    deserializer = AvroSignalDeserializer(signal)
    schema = fastavro.parse_schema(deserializer.schema)

    def read(body: bytes) -> dict[str, Any]:
        arguments: dict[str, Any] = deserializer.from_dict(fastavro.schemaless_reader(io.BytesIO(body), schema, None))
        return arguments

    return read
