"""Sending a message's event through its public signal, as the stock consumer does, and collecting what reaches us."""

from __future__ import annotations

import contextlib
import logging

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from edx_django_utils.cache import RequestCache

from badges.conf import get_config
from badges.data import IncomingEvent, Origin
from badges.eventbus.collector import collecting
from badges.exceptions import describe
from badges.processing import retirements
from badges.processing.dead_events import incoming
from badges.processing.messages import Message
from badges.toggles import is_badges_enabled

logger = logging.getLogger(__name__)


def dispatch(message: Message, origin: Origin) -> tuple[list[IncomingEvent], int]:
    """Send an event to all receivers of its signal.

    A receiver of another app that fails is logged, and not called again: the message counts as received, as with the
    stock consumer. So it is with one that leaves a transaction open; that is rolled back, for what follows would never
    be committed.

    Returns:
        the events that reached our receiver, this one as a rule; and how many receivers failed.
    """
    # Receivers may be written as if a request called them.
    RequestCache.clear_all_namespaces()
    ours = connections[DEFAULT_DB_ALIAS]
    in_transaction = _is_in_transaction(ours)
    with collecting(message.event_id, origin) as events:
        try:
            responses = message.signal.send_event_with_custom_metadata(message.metadata, **message.arguments)
        except Exception as error:  # noqa: BLE001 - with DEBUG on, the error of any receiver comes through
            responses = [("a receiver, or the check of the arguments", error)]
    if not any(event.origin is origin for event in events) and _is_ours(message):
        # The receivers after one that failed were not called, and ours is not connected to a signal that another app
        # made known too late.
        events.append(incoming(message.metadata, message.arguments, origin))
    failed = 0
    if not in_transaction and _is_in_transaction(ours):
        failed += 1
        _roll_back(ours, message, origin)
    for receiver, response in responses or ():
        if isinstance(response, BaseException):
            failed += 1
            _log_failure(message, origin, receiver, response)
    return events, failed


def _is_ours(message: Message) -> bool:
    event_type = message.signal.event_type
    return is_badges_enabled() and (event_type in get_config().events or event_type in retirements.event_types())


def _is_in_transaction(connection: BaseDatabaseWrapper) -> bool:
    """Whether nothing is committed by itself."""
    return connection.connection is not None and (connection.in_atomic_block or not connection.autocommit)


def _roll_back(connection: BaseDatabaseWrapper, message: Message, origin: Origin) -> None:
    # A new connection has no transaction. Where the database is away, that is told and waited for later. SQLite in
    # memory is closed last: Django does not do it, and the database is there as long as somebody is connected.
    former = connection.connection
    for end in (former.rollback, connection.close, connection.connect, former.close):
        with contextlib.suppress(Exception):
            end()
    logger.error(
        "A receiver of event %s of type %s left a transaction open. It was rolled back. Find the receiver "
        "that turns autocommit off, or begins a transaction and does not end it.",
        message.event_id,
        message.signal.event_type,
        extra={
            "action": "receiver_left_transaction",
            "event_id": str(message.event_id),
            "message_id": origin.message_id,
        },
    )


def _log_failure(message: Message, origin: Origin, receiver: object, error: BaseException) -> None:
    name = getattr(receiver, "__qualname__", None)
    shown = f"{getattr(receiver, '__module__', '')}.{name}" if name else str(receiver)
    logger.error(
        "A receiver of event %s of type %s failed: %s: %s It is not called again for this event.",
        message.event_id,
        message.signal.event_type,
        shown,
        describe(error),
        extra={
            "action": "receiver_failed",
            "receiver": shown,
            "event_id": str(message.event_id),
            "message_id": origin.message_id,
        },
    )
