"""What staff do with dead events: process them again, or discard them.

The order of locks is: the dead event, then what processing locks. Nothing locks a dead event while it holds any of
that.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Iterable, Iterator

from attrs import frozen
from django.db import DatabaseError, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from badges.conf import get_config
from badges.data import IncomingEvent, Origin
from badges.exceptions import BadgesError, ConfigurationError, UnreadableMessage, UnreadablePayload, describe
from badges.models import DeadEvent
from badges.processing import retirements
from badges.processing.dead_events import decoded, event_values, incoming, kind_of
from badges.processing.messages import decode
from badges.processing.patience import is_away, is_contention
from badges.processing.pipeline import NO_EFFECT, Outcome, process_event
from badges.processing.retries import retried
from badges.rules.payload import from_json, storable_text
from badges.rules.schema import event_schema

Kind, Status = DeadEvent.Kind, DeadEvent.Status
LOST = (
    "Nothing is known of this message but where it stood: it is lost, and cannot be replayed. Look at what its "
    "learner's state is where the event came from, and discard this."
)

_NUMBERS = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9]+")
_NUMBER = "[0-9a-f-]+"


class NotPossible(BadgesError):
    """What somebody wants to do with a dead event cannot be done; the text says why. Nothing was changed."""


class Busy(NotPossible):
    """The database is away, or others are in the way; the same may work in a moment."""


@frozen
class Replayed:
    """What came of replaying one dead event."""

    dead_event_id: int
    outcome: Outcome = NO_EFFECT
    error: str = ""
    """Why it could not be replayed, or failed again; empty where it worked."""


def replayable(events: QuerySet[DeadEvent]) -> QuerySet[DeadEvent]:
    """Those of these dead events that can be replayed: they wait, and something is known of them."""
    return events.filter(status=Status.WAITING).exclude(kind=Kind.LOST)


def in_order(events: QuerySet[DeadEvent]) -> list[int]:
    """The ids of dead events in the order of their events; those whose time is not known come last."""
    ordered = events.order_by(F("event_time").asc(nulls_last=True), "pk")
    return list(ordered.values_list("pk", flat=True))


def alike(*events: DeadEvent) -> QuerySet[DeadEvent]:
    """All dead events that can be replayed and failed like one of these, see :func:`kind_of_failure`."""
    if not events:
        return DeadEvent.objects.none()
    same = Q()
    for event_type, kind, pattern in {kind_of_failure(event) for event in events}:
        same |= Q(event_type=event_type, kind=kind, error__regex=pattern)
    return replayable(DeadEvent.objects.filter(same))


def kind_of_failure(event: DeadEvent) -> tuple[str, str, str]:
    """The event type, the kind, and a regular expression for the error: the same text, whatever numbers it names.

    Errors name the id of a message, a time, the length of a name: these are different for each event.
    """
    parts = _NUMBERS.split(event.error)
    return event.event_type, event.kind, f"^{_NUMBER.join(re.escape(part) for part in parts)}$"


def replay(dead_event: DeadEvent) -> Outcome:
    """Process a dead event again; one that could not be decoded is decoded again first.

    One that was replayed already is left alone. The row is locked meanwhile: of two people who do this at the same
    time, one does it. Afterwards ``dead_event`` is as the row is.

    Raises:
        NotPossible: it was discarded, or is lost, or is gone; or the database is busy. Nothing was changed.
        BadgesError: it failed again; it stays where it is, with the new error.
    """
    try:
        return _replay(dead_event.pk)
    finally:
        # Gone, or the database is: that is told already.
        with contextlib.suppress(DeadEvent.DoesNotExist, DatabaseError):
            dead_event.refresh_from_db()


def replay_all(ids: Iterable[int]) -> Iterator[Replayed]:
    """Replay dead events one after the other, in this order, each in a transaction of its own, and tell of each.

    Raises:
        Busy: the database is away or busy; the present one and the rest still wait.
    """
    for pk in ids:
        try:
            came = Replayed(pk, _replay(pk))
        except Busy:
            raise
        except BadgesError as error:
            came = Replayed(pk, error=str(error))
        yield came


def discard(dead_event: DeadEvent, reason: str) -> bool:
    """Say that a dead event is not to be processed, for a reason.

    It stays, with the reason, so that ``catch_up`` leaves it out. A group that is made to read it again processes it.

    Returns:
        Whether it waited. One that was replayed or discarded already is left alone.

    Raises:
        NotPossible: there is no reason.
    """
    return bool(discard_all([dead_event.pk], reason))


def discard_all(ids: Collection[int], reason: str) -> list[DeadEvent]:
    """The same for many: those that waited, and are discarded now.

    Raises:
        NotPossible: there is no reason.
    """
    note = storable_text(reason).strip()
    if not note:
        raise NotPossible("Enter a reason.")
    with transaction.atomic():
        # By nothing but their keys: along another index a database would lock them in another order.
        locked = DeadEvent.objects.select_for_update().filter(pk__in=list(ids)).order_by("pk")
        rows = [row for row in locked.defer("payload", "body") if row.status == Status.WAITING]
        keys = [row.pk for row in rows]
        DeadEvent.objects.filter(pk__in=keys).update(status=Status.DISCARDED, note=note, modified=timezone.now())
    return rows


def put_back(dead_event: DeadEvent) -> bool:
    """Let a discarded dead event wait again, so that it can be replayed. The reason of then stays with it.

    Returns:
        Whether it was discarded.
    """
    discarded = DeadEvent.objects.filter(pk=dead_event.pk, status=Status.DISCARDED)
    return bool(discarded.update(status=Status.WAITING, modified=timezone.now()))


def fill_in(row: DeadEvent, event: IncomingEvent) -> None:
    """Put an event into the row of a message that could not be decoded so far; one that has an event is left alone."""
    if row.event_id is not None:
        return
    for name, value in event_values(event).items():
        setattr(row, name, value)
    # Its event may have come in another message, too, and have a row already.
    if not DeadEvent.objects.filter(event_id=event.event_id).exists():
        row.event_id = event.event_id


def _replay(pk: int) -> Outcome:
    try:
        return retried(lambda: _transact(pk))
    except NotPossible:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the event must be kept with it
        if is_away(error) or is_contention(error):
            raise Busy(f"The database did not take it ({describe(error)}) Nothing was changed; try again.") from None
        failure = error
    # Outside of the handler: a database's error, whose text may quote the payload, must not travel along.
    retried(lambda: _note_failure(pk, failure))
    if isinstance(failure, BadgesError):
        raise failure
    raise UnreadablePayload(f"The event failed again: {describe(failure)}")


def _transact(pk: int) -> Outcome:
    retirement = _retirement_of(pk)
    if retirement is not None:
        # Not under the lock of the row: it empties dead events, this one among them.
        retirements.carry_out(retirement)
        DeadEvent.objects.filter(pk=pk).update(status=Status.REPLAYED, modified=timezone.now())
        return NO_EFFECT
    with transaction.atomic():
        row = DeadEvent.objects.select_for_update().filter(pk=pk).first()
        if row is None:
            raise NotPossible(f"There is no dead event {pk} any more.")
        if row.status == Status.REPLAYED:
            return NO_EFFECT
        _require_possible(row)
        event = _event_of(row)
        _require_configured(event.event_type)
        outcome = process_event(event)
        fill_in(row, event)
        row.status = Status.REPLAYED
        row.save()
    return outcome


def _retirement_of(pk: int) -> IncomingEvent | None:
    """The event of a row that is to be replayed, if it tells of a learner's retirement."""
    row = DeadEvent.objects.filter(pk=pk, event_type__in=retirements.event_types()).first()
    if row is None or row.status == Status.REPLAYED:
        return None
    _require_possible(row)
    return _event_of(row)


def _require_possible(row: DeadEvent) -> None:
    if row.status == Status.DISCARDED:
        raise NotPossible(f"It was discarded: {row.note} To replay it all the same, put it back on its page first.")
    if row.kind == Kind.LOST:
        raise NotPossible(LOST)


def _require_configured(event_type: str) -> None:
    if event_type not in get_config().events:
        raise ConfigurationError(
            f'BADGES_CONFIG["events"] does not have the type {event_type}: a replay would do nothing. '
            "Add the type and replay the event, or discard it."
        )


def _event_of(row: DeadEvent) -> IncomingEvent:
    """What a row holds, as an event.

    Raises:
        UnreadableMessage: its message still cannot be decoded.
        UnreadablePayload: its payload is not what its type declares.
        NotPossible: it turned out to be an event that was discarded.
    """
    if row.event_id is None or row.event_time is None:
        event = _decoded(row)
        twin = DeadEvent.objects.filter(event_id=event.event_id, status=Status.DISCARDED).first()
        if twin is not None:
            raise NotPossible(f"It is the same event as dead event {twin.pk}, which was discarded: {twin.note}")
        return event
    return IncomingEvent(
        event_type=row.event_type,
        event_id=row.event_id,
        time=row.event_time,
        arguments=from_json(event_schema(row.event_type), row.payload),
        metadata=row.metadata,
        origin=Origin(row.topic, row.message_id) if row.message_id else None,
    )


def _decoded(row: DeadEvent) -> IncomingEvent:
    if not row.body:
        raise UnreadableMessage("Neither an event nor a message is stored here. Discard it.")
    origin = Origin(row.topic, row.message_id or "")
    try:
        fields = decoded(row.body)
    except ValueError:
        raise UnreadableMessage("The stored message is not what this app stores. Discard it.") from None
    message = decode(fields, origin)
    return incoming(message.metadata, message.arguments, origin)


def _note_failure(pk: int, error: Exception) -> None:
    with transaction.atomic():
        row = DeadEvent.objects.select_for_update().filter(pk=pk).first()
        if row is None or row.status != Status.WAITING:
            return
        if row.event_id is None:
            with contextlib.suppress(UnreadableMessage):
                fill_in(row, _decoded(row))
        row.kind, row.error, row.attempts = kind_of(error), describe(error), row.attempts + 1
        row.save()
