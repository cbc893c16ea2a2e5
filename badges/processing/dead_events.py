"""Events that could not be processed: parking them, and processing them again."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime

from django.db import transaction
from openedx_events.data import EventsMetadata

from badges.conf import get_config
from badges.data import IncomingEvent
from badges.exceptions import BadgesError, ConfigurationError, UnreadablePayload, describe
from badges.models import DeadEvent
from badges.processing.pipeline import Outcome, process_event
from badges.processing.retries import retried
from badges.rules.payload import from_json, storable, to_json
from badges.rules.schema import event_schema

logger = logging.getLogger(__name__)


class EventLost(BadgesError):
    """An event could be neither processed nor stored."""


def park(event: IncomingEvent, error: BaseException) -> DeadEvent:
    """Store an event that could not be processed, so that staff can see and replay it.

    Raises:
        EventLost: it could not even be stored.
    """
    reason = describe(error)
    values = {
        "event_type": event.event_type,
        "event_time": event.time,
        "payload": storable({name: to_json(value) for name, value in event.arguments.items()}),
        "metadata": storable(to_json(event.metadata)),
        "error": reason,
        "status": DeadEvent.Status.WAITING,
    }
    try:
        dead, _ = retried(lambda: DeadEvent.objects.update_or_create(event_id=event.event_id, defaults=values))
    except Exception as failure:  # noqa: BLE001 - a database's own text quotes the payload
        lost = EventLost(
            f"Event {event.event_id} of type {event.event_type} could be neither processed ({reason}) nor stored "
            f"({describe(failure)}). If the bus still has it, have it delivered again."
        )
    else:
        _log_parked(event, dead, reason)
        return dead
    # Outside of the handler: the database's error must not travel along as the context of ours.
    raise lost


def _log_parked(event: IncomingEvent, dead: DeadEvent, reason: str) -> None:
    logger.error(
        "Event %s of type %s could not be processed and was parked as dead event %s: %s "
        "Replay it in the admin when the cause is mended.",
        event.event_id,
        event.event_type,
        dead.pk,
        reason,
        extra={"action": "event_parked", "event_id": str(event.event_id)},
    )


def replay(dead_event: DeadEvent) -> Outcome:
    """Process a parked event again. One that was replayed already has no further effect.

    Raises:
        BadgesError: it failed again; the event stays where it is, with the new error.
    """
    try:
        if dead_event.event_type not in get_config().events:
            raise ConfigurationError(
                f'BADGES_CONFIG["events"] does not have the type {dead_event.event_type}: a replay would do nothing. '
                "Add the type, then replay the event."
            )
        arguments = from_json(event_schema(dead_event.event_type), dead_event.payload)
        with transaction.atomic():
            outcome = process_event(
                IncomingEvent(
                    event_type=dead_event.event_type,
                    event_id=dead_event.event_id,
                    time=dead_event.event_time,
                    arguments=arguments,
                    metadata=dead_event.metadata,
                )
            )
            dead_event.status = DeadEvent.Status.REPLAYED
            dead_event.save(update_fields=["status", "modified"])
    except Exception as error:
        dead_event.status = DeadEvent.Status.WAITING
        dead_event.error = describe(error)
        dead_event.save(update_fields=["status", "error", "modified"])
        if isinstance(error, BadgesError):
            raise
        raise UnreadablePayload(f"The event failed again: {dead_event.error}") from error
    return outcome


def incoming(metadata: EventsMetadata, arguments: Mapping[str, object]) -> IncomingEvent:
    """An event as receivers get it, in the form that processing takes."""
    time: datetime = metadata.time
    return IncomingEvent(
        event_type=metadata.event_type,
        event_id=metadata.id,
        time=time,
        arguments=arguments,
        metadata=metadata.to_json_data(),
    )
