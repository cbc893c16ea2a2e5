"""Keeping what could not be processed: events that failed, messages that cannot be read, messages that are lost.

A dead event is known by its event id and, where it came over a bus, by its message: whatever is parked again is the
same row.
"""

from __future__ import annotations

import base64
import contextlib
import logging
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_from_bytes, unquote_to_bytes

from attrs import evolve, frozen
from django.db import transaction
from edx_event_bus_redis.internal.utils import MessageHeader
from openedx_events.data import EventsMetadata

from badges.data import IncomingEvent, Origin
from badges.exceptions import BadgesError, UnknownEventType, UnreadableMessage, describe
from badges.models import DeadEvent
from badges.processing.messages import TIME, TYPE
from badges.processing.patience import is_away, is_contention
from badges.processing.retries import retried
from badges.rules.payload import storable, storable_text, to_json

logger = logging.getLogger(__name__)
Kind, Status = DeadEvent.Kind, DeadEvent.Status
HEADERS = tuple(header.message_header_key for header in MessageHeader.instances)
"""The headers of a message: what is known to hold no personal data."""


class EventLost(BadgesError):
    """An event could be neither processed nor stored."""


def incoming(metadata: EventsMetadata, arguments: Mapping[str, object], origin: Origin | None = None) -> IncomingEvent:
    """An event as receivers get it, in the form that processing takes."""
    return IncomingEvent(
        event_type=metadata.event_type,
        event_id=metadata.id,
        time=metadata.time,
        arguments=arguments,
        metadata=metadata,
        origin=origin,
    )


def park(event: IncomingEvent, error: BaseException, *, attempts: int = 1) -> DeadEvent:
    """Store an event that could not be processed, so that staff can see and replay it.

    Parked again, it is the same row, with the newest error. One that was **discarded** stays as it is: a person
    decided, and a consumer that reads the stream again does not decide otherwise. One that was **replayed** waits
    again: it failed under the configuration of now, and another replay repeats nothing. A message that could not be
    decoded, and now can, becomes the event.

    Arguments:
        event: what failed.
        error: why. Of errors that are not this app's own only type and place are kept.
        attempts: how often it was tried since it was parked last.

    Raises:
        EventLost: it could not be stored.
        django.db.Error: the database is away or busy; park it again later.
    """
    reason = describe(error)
    values = {**event_values(event), "kind": Kind.FAILED, "error": reason}
    return _stored(
        _Parking(event.event_id, event.origin, values, attempts),
        f"Event {event.event_id} of type {event.event_type}",
        reason,
    )


def park_message(
    fields: Mapping[bytes, bytes], origin: Origin, error: UnreadableMessage, *, attempts: int = 1
) -> DeadEvent:
    """Store a message of the bus that could not be decoded, as it is. Parked again it is the same row, as in
    :func:`park`.

    What its headers say is kept for search and filters, and not trusted to be an event's identity.

    Raises:
        EventLost: it could not be stored.
        django.db.Error: the database is away or busy; park it again later.
    """
    reason = describe(error)
    values = {
        "kind": kind_of(error),
        "event_type": _header(fields, TYPE)[:255],
        "event_time": _time(fields),
        "metadata": {name: _header(fields, name.encode()) for name in HEADERS if name.encode() in fields},
        "body": encoded(fields),
        # It may quote a header.
        "error": storable_text(reason),
    }
    told = f"Message {origin.message_id} of {origin.topic}"
    return _stored(_Parking(None, origin, values, attempts), told, reason)


def record_lost(origin: Origin) -> DeadEvent:
    """Store that a consumer was given a message and never finished it, and that the stream has it no more.

    What is stored of this message already, an event that failed, say, stays as it is: then it is not lost.

    Raises:
        EventLost: even that could not be stored.
        django.db.Error: the database is away or busy; do it again later.
    """
    reason = (
        f"Message {origin.message_id} of {origin.topic} was given to a consumer that did not finish it, and the stream "
        "has it no more: it was trimmed. What it said is not known here. Make the stream longer "
        "(EVENT_BUS_REDIS_STREAM_MAX_LEN where events are produced), look at what the learners' state is there, "
        "and discard this."
    )
    values = {"kind": Kind.LOST, "event_time": time_of_message(origin.message_id), "error": reason}
    return _stored(
        _Parking(None, origin, values, 0, is_loss=True), f"Message {origin.message_id} of {origin.topic}", reason
    )


def event_values(event: IncomingEvent) -> dict[str, Any]:
    """What a row holds of an event: without its identity and origin."""
    return {
        "event_type": event.event_type,
        "event_time": event.time,
        "payload": storable({name: to_json(value) for name, value in event.arguments.items()}),
        "metadata": storable(to_json(event.metadata)),
    }


def kind_of(error: BaseException) -> str:
    """Why something is a dead event, from the error."""
    if isinstance(error, UnknownEventType):
        return Kind.UNKNOWN_TYPE
    return Kind.UNREADABLE if isinstance(error, UnreadableMessage) else Kind.FAILED


def encoded(fields: Mapping[bytes, bytes]) -> dict[str, str]:
    """The fields of a message as JSON can hold them, losslessly: names percent-encoded, values base64."""
    return {quote_from_bytes(name): base64.b64encode(value).decode() for name, value in fields.items()}


def decoded(body: Any) -> dict[bytes, bytes]:
    """The fields of a message, from what :func:`encoded` made of them.

    Raises:
        ValueError: it is not what that function makes.
    """
    if not isinstance(body, Mapping) or not all(isinstance(value, str) for value in body.values()):
        raise ValueError("The fields of a message are an object of texts.")
    return {unquote_to_bytes(name): base64.b64decode(value, validate=True) for name, value in body.items()}


def time_of_message(message_id: str) -> datetime | None:
    """When Redis took a message: the first half of its id, in milliseconds. None where it is no such id."""
    with contextlib.suppress(ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(int(message_id.partition("-")[0]) / 1000, UTC)
    return None


@frozen
class _Parking:
    """What is to be stored, and as what."""

    event_id: uuid.UUID | None
    origin: Origin | None
    values: dict[str, Any]
    attempts: int
    is_loss: bool = False
    """Whether it only says that something is gone: what is stored already says more."""


def _stored(parking: _Parking, told: str, reason: str) -> DeadEvent:
    try:
        dead, is_news = retried(lambda: _store(parking))
    except Exception as failure:  # a database's own text quotes the payload
        if is_away(failure) or is_contention(failure):
            raise
        lost = EventLost(
            f"{told} could be neither processed ({reason}) nor stored ({describe(failure)}). If the bus still has it, "
            "have it delivered again."
        )
    else:
        _log(dead, told, reason, is_news=is_news)
        return dead
    # Outside of the handler: the database's error must not travel along as the context of ours.
    raise lost


def _log(dead: DeadEvent, told: str, reason: str, *, is_news: bool) -> None:
    extra = {"action": "event_parked", "dead_event": dead.pk, "event_id": str(dead.event_id or "")}
    if not is_news:
        text = "%s failed again, and stays as dead event %s, which is %s."
        logger.info(text, told, dead.pk, dead.get_status_display(), extra=extra)
    elif dead.kind == Kind.LOST:
        logger.error("%s is LOST, see dead event %s: %s", told, dead.pk, reason, extra=extra)
    else:
        logger.error(
            "%s could not be processed and was parked as dead event %s: %s "
            "Replay it in the admin when the cause is mended.",
            told,
            dead.pk,
            reason,
            extra=extra,
        )


def _store(parking: _Parking) -> tuple[DeadEvent, bool]:
    """The row, and whether it is new or says something new."""
    with transaction.atomic():
        by_id, by_message = _locked(parking.event_id, parking.origin)
        if by_message is not None and by_message.event_id not in (None, parking.event_id) and parking.event_id:
            # A stream that was lost and begun anew has used this message id again.
            parking, by_message = evolve(parking, origin=None), None
        row = by_id or by_message
        if row is None:
            return _create(parking), True
        if by_id is not None and by_message is not None and by_message.pk != by_id.pk:
            _close_twin(by_message, by_id)
        if row.status == Status.DISCARDED or parking.is_loss or _knows_more(row, parking):
            return row, False
        _update(row, parking, has_message=by_message is not None)
        return row, True


def _knows_more(row: DeadEvent, parking: _Parking) -> bool:
    """Whether a row holds the event of a message that, this time, could not even be decoded."""
    return parking.event_id is None and row.event_id is not None


def _create(parking: _Parking) -> DeadEvent:
    return DeadEvent.objects.create(
        event_id=parking.event_id, **_place(parking.origin), **parking.values, attempts=parking.attempts
    )


def _update(row: DeadEvent, parking: _Parking, *, has_message: bool) -> None:
    values = {**parking.values, "status": Status.WAITING, "attempts": row.attempts + parking.attempts}
    if parking.event_id is not None:
        values["event_id"] = parking.event_id
    if row.message_id is None and not has_message:
        values.update(_place(parking.origin))
    for name, value in values.items():
        setattr(row, name, value)
    row.save(update_fields=[*values, "modified"])


def _close_twin(message: DeadEvent, event: DeadEvent) -> None:
    """A message that could not be decoded turned out to be an event that has a row already."""
    if message.status == Status.WAITING:
        message.status, message.note = Status.DISCARDED, f"It is the same event as dead event {event.pk}."
        message.save(update_fields=["status", "note", "modified"])


def _locked(event_id: uuid.UUID | None, origin: Origin | None) -> tuple[DeadEvent | None, DeadEvent | None]:
    """The rows of this event and of this message, which may be one. Locked by their keys, in their order."""
    known: list[dict[str, Any]] = [] if event_id is None else [{"event_id": event_id}]
    if place := _place(origin):
        known.append(place)
    keys = {
        key for values in known for key in DeadEvent.objects.filter(**values).order_by().values_list("pk", flat=True)
    }
    if not keys:
        return None, None
    by_id = by_message = None
    for row in DeadEvent.objects.select_for_update().filter(pk__in=keys).order_by("pk"):
        if event_id is not None and row.event_id == event_id:
            by_id = row
        if place and (row.topic, row.message_id) == (place["topic"], place["message_id"]):
            by_message = row
    return by_id, by_message


def _place(origin: Origin | None) -> dict[str, str]:
    return {} if origin is None else {"topic": origin.topic[:255], "message_id": origin.message_id[:64]}


def _header(fields: Mapping[bytes, bytes], name: bytes) -> str:
    return _text(fields.get(name, b""))


def _text(value: bytes) -> str:
    return storable_text(value.decode("utf-8", "backslashreplace"))


def _time(fields: Mapping[bytes, bytes]) -> datetime | None:
    with contextlib.suppress(ValueError, OverflowError):
        time = datetime.fromisoformat(_header(fields, TIME))
        # Of the year 1, a time zone makes what no database stores.
        return time.astimezone(UTC) if time.tzinfo is not None else None
    return None
