"""Signals in: one receiver, connected to exactly the configured events."""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Callable
from typing import Any

from django.db import Error, connection
from openedx_events.data import EventsMetadata
from openedx_events.tooling import SIGNAL_PROCESSED_FROM_EVENT_BUS, OpenEdxPublicSignal

from badges.conf import get_config
from badges.data import IncomingEvent
from badges.eventbus.collector import collect
from badges.exceptions import BadgesError, ConfigurationError, describe
from badges.processing.dead_events import EventLost, incoming, park
from badges.processing.patience import Patience
from badges.processing.pipeline import process_event
from badges.rules.schema import find_signal
from badges.toggles import is_badges_enabled

logger = logging.getLogger(__name__)

DISPATCH_UID = "badges.eventbus.receive"
_connected: list[OpenEdxPublicSignal] = []


def receive(signal: OpenEdxPublicSignal, metadata: EventsMetadata, **kwargs: Any) -> None:
    """Give an event from a bus to whoever collects; else process it here and now, or park it as a dead event.

    A database that is away or busy is waited for: as long as it takes where the event came over a bus, whose consumer
    acknowledges it when this returns; ``BADGES_CONFIG["consumer"]["wait_in_process"]`` seconds where it was sent in
    this process, by a web request, say; and not at all within somebody's transaction. Whoever sent the signal sees
    no error of ours but this one.

    Raises:
        EventLost: the event could be neither processed nor parked, and nothing more may be waited for.
    """
    arguments = {name: kwargs.get(name) for name in signal.init_data}
    is_from_bus = bool(kwargs.get(SIGNAL_PROCESSED_FROM_EVENT_BUS))
    # What is sent here while a consumer dispatches is on no bus: nobody would bring it again.
    if is_from_bus and collect(metadata, arguments):
        return
    event = incoming(metadata, arguments)
    if not is_from_bus:
        _keep(event, Patience(seconds=get_config().consumer.wait_in_process))
        return
    try:
        _keep(event, Patience())
    except (KeyboardInterrupt, SystemExit) as end:
        # The consumer of event-bus-redis acknowledges on its way out whatever it holds.
        _park_in_a_hurry(event, end)
        raise
    finally:
        _leave_no_connection()


def _keep(event: IncomingEvent, patience: Patience) -> None:
    while (failure := _failure(lambda: process_event(event))) is not None:
        if patience.waited_out(failure):
            continue
        unkept = _failure(functools.partial(park, event, failure))
        if unkept is None:
            return
        if not patience.waited_out(unkept):
            logger.error(
                "Event %s of type %s is lost, unless it is delivered again.",
                event.event_id,
                event.event_type,
                extra={"action": "event_lost", "event_id": str(event.event_id)},
            )
            raise (
                unkept
                if isinstance(unkept, EventLost)
                else EventLost(
                    f"Event {event.event_id} of type {event.event_type} could be neither processed "
                    f"({describe(failure)}) nor stored ({describe(unkept)})."
                )
            )


def _failure(work: Callable[[], object]) -> Exception | None:
    """What the work raised. Given back, so that what is raised next does not drag along what it quotes."""
    try:
        work()
    except Exception as error:  # noqa: BLE001 - whatever it is, the event must be kept
        return error
    return None


def _park_in_a_hurry(event: IncomingEvent, end: BaseException) -> None:
    try:
        park(event, end)
    except Exception as error:  # noqa: BLE001 - the process ends, whatever this is
        logger.critical(
            "Event %s of type %s was not finished, and could not be parked (%s) when the process was interrupted. "
            "The bus may have it acknowledged: have it delivered again.",
            event.event_id,
            event.event_type,
            describe(error),
            extra={"action": "event_interrupted", "event_id": str(event.event_id)},
        )


def _leave_no_connection() -> None:
    """Close the connection, for the next message's sake.

    The stock consumers look before each message whether an open connection still works. Where it does not, and the
    database is away, they fail before they call any receiver, and acknowledge the message all the same.
    """
    if not connection.in_atomic_block:
        with contextlib.suppress(Error):
            connection.close()


def connect_configured() -> None:
    """Connect the receiver to the events of ``BADGES_CONFIG["events"]``, to those of retirement, and to no other."""
    while _connected:
        _connected.pop().disconnect(receive, dispatch_uid=DISPATCH_UID)
    if not is_badges_enabled():
        return
    try:
        config = get_config()
    except ConfigurationError as error:
        logger.error("Badges take no events in: %s", error, extra={"action": "not_connected"})  # noqa: TRY400
        return
    for event_type in dict.fromkeys((*config.events, *config.retirement.events)):
        try:
            signal = find_signal(event_type)
        except BadgesError as error:
            logger.error("Badges cannot listen to an event: %s", error, extra={"action": "not_connected"})  # noqa: TRY400
            continue
        signal.connect(receive, dispatch_uid=DISPATCH_UID, weak=False)
        _connected.append(signal)
