"""How long the receiver waits for the database, and what becomes of an event when that is over."""

from __future__ import annotations

import traceback
import uuid
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from openedx_events.learning.signals import COURSE_PASSING_STATUS_UPDATED
from pytest_django import Settings

from badges.data import Origin
from badges.eventbus import receivers
from badges.eventbus.collector import collecting
from badges.eventbus.receivers import receive
from badges.models import Badge, DeadEvent
from badges.processing import pipeline
from badges.processing.dead_events import EventLost
from tests import factories
from tests.factories import BadgeTemplateFactory
from tests.integration.eventbus.outage import Outage
from tests.integration.processing.helpers import passes

FOR_EVER = 1_000_000_000
LOCK_TIMEOUT = OperationalError(1205, "Lock wait timeout exceeded")


def take(*, from_bus: bool, username: str = "anna") -> None:
    """Have an event received; what the receiver raises comes through."""
    data = factories.passing_status(username)
    receive(
        COURSE_PASSING_STATUS_UPDATED,
        metadata=factories.metadata(),
        from_event_bus=from_bus,
        course_passing_status=data,
    )


def failing(*errors: BaseException) -> Any:
    """Processing that fails with these errors, one after the other, and then succeeds."""
    left = list(errors)

    def process(event: Any) -> pipeline.Outcome:
        if left:
            raise left.pop(0)
        return pipeline.process_event(event)

    return process


@pytest.fixture(autouse=True)
def _template(outage: Outage) -> None:
    passes(BadgeTemplateFactory())


class TestSentInTheProcess:
    """A web request must not hang."""

    @pytest.fixture(autouse=True)
    def _short(self, settings: Settings) -> None:
        consumer = {"first_retry": 0.001, "longest_retry": 0.002, "wait_in_process": 0.2}
        settings.BADGES_CONFIG = {"consumer": consumer}

    def test_a_short_outage_is_waited_out(self, outage: Outage, settings: Settings) -> None:
        settings.BADGES_CONFIG = {"consumer": {**settings.BADGES_CONFIG["consumer"], "wait_in_process": 60}}
        outage.begin(refusals=3)

        take(from_bus=False)

        assert Badge.objects.count() == 1

    def test_a_long_one_is_an_error_that_tells_nothing_of_the_learner(self, outage: Outage) -> None:
        outage.begin(refusals=FOR_EVER)

        with pytest.raises(EventLost, match=r"neither processed .* nor stored") as failure:
            take(from_bus=False)

        outage.end()
        assert "anna" not in "".join(traceback.format_exception(failure.value))
        assert not Badge.objects.exists()

    def test_what_always_loses_against_others_is_parked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(receivers, "process_event", failing(*[LOCK_TIMEOUT] * 10_000))

        take(from_bus=False)

        assert DeadEvent.objects.count() == 1

    def test_the_callers_connection_stays_open(self) -> None:
        take(from_bus=False)

        assert connection.connection is not None


class TestWithinSomebodysTransaction:
    """Nothing can be waited for there, and its connection is not ours."""

    @pytest.mark.parametrize("from_bus", [True, False])
    def test_nothing_is_waited_for(self, outage: Outage, from_bus: bool) -> None:
        with transaction.atomic():
            outage.begin(refusals=FOR_EVER)
            with pytest.raises(EventLost):
                take(from_bus=from_bus)

        assert outage.tries == 0

    def test_losing_against_others_parks_the_event(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(receivers, "process_event", failing(LOCK_TIMEOUT))

        with transaction.atomic():
            take(from_bus=True)

        assert DeadEvent.objects.count() == 1

    def test_the_connection_stays_open(self) -> None:
        with transaction.atomic():
            take(from_bus=True)
            assert connection.connection is not None


class TestFromABus:
    """As long as it takes: the message is not acknowledged meanwhile."""

    def test_an_outage_is_waited_out(self, outage: Outage) -> None:
        outage.begin(refusals=500)

        take(from_bus=True)

        assert outage.tries == 500
        assert Badge.objects.count() == 1

    def test_losing_against_others_is_not_the_events_failure(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(receivers, "process_event", failing(*[LOCK_TIMEOUT] * 50))

        take(from_bus=True)

        assert Badge.objects.count() == 1
        assert not DeadEvent.objects.exists()

    def test_an_event_that_fails_is_parked_when_the_database_is_back(
        self, outage: Outage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(event: Any) -> pipeline.Outcome:
            if not outage.tries:
                connection.ensure_connection()
                outage.begin(refusals=5)
            raise ZeroDivisionError

        monkeypatch.setattr(receivers, "process_event", fail)

        take(from_bus=True)

        assert outage.tries == 5
        assert "ZeroDivisionError" in DeadEvent.objects.get().error

    def test_an_event_that_breaks_every_connection_is_parked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        breaking = [OperationalError(2006, "Server has gone away") for _ in range(10_000)]
        monkeypatch.setattr(receivers, "process_event", failing(*breaking))

        take(from_bus=True)

        assert DeadEvent.objects.count() == 1

    def test_no_connection_is_left_behind(self) -> None:
        take(from_bus=True)

        assert connection.connection is None

    def test_no_connection_is_left_behind_by_one_that_fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(receivers, "process_event", failing(ZeroDivisionError()))

        take(from_bus=True)

        assert connection.connection is None

    @pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
    def test_one_that_is_interrupted_while_the_database_is_away_is_told_in_the_log(
        self, outage: Outage, caplog: pytest.LogCaptureFixture, end: type[BaseException]
    ) -> None:
        def interrupt() -> None:
            if outage.tries == 3:
                raise end

        outage.at_each_try = interrupt
        outage.begin(refusals=FOR_EVER)

        with pytest.raises(end):
            take(from_bus=True)

        assert "have it delivered again" in caplog.text
        assert "anna" not in caplog.text


def test_while_somebody_collects_nothing_is_processed_and_no_connection_closed() -> None:
    with collecting(uuid.uuid4(), Origin("topic", "1-0")) as events:
        take(from_bus=True)

    assert [event.event_type for event in events] == [factories.PASSING]
    assert not Badge.objects.exists()
    assert connection.connection is not None
