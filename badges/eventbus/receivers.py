"""Signals in: one receiver, connected to exactly the configured events."""

from __future__ import annotations

import logging
from typing import Any

from openedx_events.data import EventsMetadata
from openedx_events.tooling import OpenEdxPublicSignal

from badges.conf import get_config
from badges.exceptions import BadgesError, ConfigurationError
from badges.processing.dead_events import incoming, park
from badges.processing.pipeline import process_event
from badges.rules.schema import find_signal
from badges.toggles import is_badges_enabled

logger = logging.getLogger(__name__)

DISPATCH_UID = "badges.eventbus.receive"
_connected: list[OpenEdxPublicSignal] = []


def receive(signal: OpenEdxPublicSignal, metadata: EventsMetadata, **kwargs: Any) -> None:
    """Process an event, or park it as a dead event. Whoever sent the signal sees no error of ours.

    Raises:
        django.db.Error: the database is away, so that the event can be neither processed nor parked.
    """
    event = incoming(metadata, {name: kwargs.get(name) for name in signal.init_data})
    try:
        process_event(event)
    except Exception as error:  # noqa: BLE001 - whatever it is, the event must be kept
        park(event, error)


def connect_configured() -> None:
    """Connect the receiver to the events of ``BADGES_CONFIG["events"]``, and to no other."""
    while _connected:
        _connected.pop().disconnect(receive, dispatch_uid=DISPATCH_UID)
    if not is_badges_enabled():
        return
    try:
        events = get_config().events
    except ConfigurationError as error:
        logger.error("Badges take no events in: %s", error, extra={"action": "not_connected"})  # noqa: TRY400
        return
    for event_type in events:
        try:
            signal = find_signal(event_type)
        except BadgesError as error:
            logger.error("Badges cannot listen to an event: %s", error, extra={"action": "not_connected"})  # noqa: TRY400
            continue
        signal.connect(receive, dispatch_uid=DISPATCH_UID, weak=False)
        _connected.append(signal)
