"""Receivers of other apps that leave the database in a bad state, take long, or come in place of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import Error, connection, transaction
from openedx_events.learning.signals import COURSE_PASSING_STATUS_UPDATED
from pytest_django import Settings

from badges.eventbus import receivers
from badges.eventbus.redis.presence import Presence
from tests.integration.eventbus.redis.bus import Bus, holders, told

pytestmark = pytest.mark.usefixtures("template")


def turn_autocommit_off() -> None:
    transaction.set_autocommit(False)


def begin_and_not_end() -> None:
    transaction.atomic().__enter__()


@pytest.mark.parametrize("leave_open", [turn_autocommit_off, begin_and_not_end])
def test_what_is_acknowledged_is_committed_although_a_receiver_leaves_a_transaction_open(
    bus: Bus, caplog: pytest.LogCaptureFixture, leave_open: Callable[[], None]
) -> None:
    def other(**kwargs: Any) -> None:
        leave_open()

    COURSE_PASSING_STATUS_UPDATED.connect(other)
    bus.produce("anna")

    bus.consume()

    assert connection.autocommit
    assert not connection.in_atomic_block
    connection.connection.rollback()
    assert holders() == ["anna"]
    assert bus.pending() == []
    assert len(told(caplog, "receiver_left_transaction")) == 1


def test_the_connection_on_which_a_receiver_left_a_transaction_open_is_closed(bus: Bus) -> None:
    left: list[Any] = []

    def other(**kwargs: Any) -> None:
        turn_autocommit_off()
        left.append(connection.connection)

    COURSE_PASSING_STATUS_UPDATED.connect(other)
    bus.produce("anna")

    bus.consume()

    with pytest.raises(Error), connection.wrap_database_errors:
        left[0].cursor().execute("SELECT 1")


def test_an_event_is_processed_although_our_receiver_could_not_be_connected(bus: Bus) -> None:
    """Its signal was not known yet when this app was made ready, say."""
    COURSE_PASSING_STATUS_UPDATED.disconnect(receivers.receive, dispatch_uid=receivers.DISPATCH_UID)
    bus.produce("anna")

    try:
        bus.consume()
    finally:
        receivers.connect_configured()

    assert holders() == ["anna"]


def test_an_event_is_not_processed_where_badges_are_switched_off(bus: Bus, settings: Settings) -> None:
    settings.BADGES_ENABLED = False
    COURSE_PASSING_STATUS_UPDATED.disconnect(receivers.receive, dispatch_uid=receivers.DISPATCH_UID)
    bus.produce("anna")

    try:
        bus.consume()
    finally:
        settings.BADGES_ENABLED = True
        receivers.connect_configured()

    assert holders() == []


def test_the_heart_beats_between_two_messages_of_a_batch(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each may keep a receiver of another app busy for long."""
    happened: list[str] = []

    def other(**kwargs: Any) -> None:
        happened.append("message")

    COURSE_PASSING_STATUS_UPDATED.connect(other)
    monkeypatch.setattr(Presence, "beat", lambda presence: happened.append("beat"))
    bus.produce("anna", "berta")

    bus.consume()

    first, second = [number for number, what in enumerate(happened) if what == "message"]
    assert "beat" in happened[first:second]
