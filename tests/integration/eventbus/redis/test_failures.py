"""What fails is tried alone, then again, and becomes a dead event; the others are not held up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError
from openedx_events.learning.signals import COURSE_PASSING_STATUS_UPDATED
from pytest_django import Settings

from badges.data import IncomingEvent
from badges.eventbus.redis import batches
from badges.models import BusConsumer, DeadEvent
from badges.processing.dead_events import EventLost
from badges.processing.pipeline import process_batch
from tests.factories import PASSING
from tests.integration import bus_messages
from tests.integration.eventbus.redis.bus import QUICK, Bus, holders, told

pytestmark = pytest.mark.usefixtures("template")
LEARNERS = ["anna", "berta", "clara"]


def who(event: IncomingEvent) -> str:
    payload: Any = event.arguments["course_passing_status"]
    return str(payload.user.pii.username)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Counter[str]]:
    """Let processing fail for a learner, so many times; gives how often each one was tried alone."""

    def fail(username: str, times: float = float("inf"), error: type[Exception] = ZeroDivisionError) -> Counter[str]:
        alone: Counter[str] = Counter()
        failed = Counter[str]()

        def process_or_fail(events: list[IncomingEvent]) -> Any:
            if len(events) == 1:
                alone[who(events[0])] += 1
            if username in map(who, events) and failed[username] < times:
                failed[username] += 1
                raise error
            return process_batch(events)

        monkeypatch.setattr(batches, "process_batch", process_or_fail)
        return alone

    return fail


def test_one_message_that_fails_becomes_a_dead_event_and_the_others_are_processed(
    bus: Bus, failing: Callable[..., Counter[str]]
) -> None:
    produced = bus.produce(*LEARNERS)
    alone = failing("berta")

    consumer = bus.consume()

    assert holders() == ["anna", "clara"]
    dead = DeadEvent.objects.get()
    assert (dead.kind, dead.event_type, dead.topic, dead.message_id) == ("failed", PASSING, bus.stream, produced[1])
    assert (dead.attempts, alone["berta"]) == (5, 5)
    assert dead.payload["course_passing_status"]["user"]["pii"]["username"] == "berta"
    assert dead.metadata["event_type"] == PASSING
    assert "ZeroDivisionError" in dead.error
    assert bus.pending() == []
    assert (consumer.tally.events, consumer.tally.parked) == (3, 1)


def test_how_often_it_is_tried_is_a_setting(bus: Bus, settings: Settings, failing: Callable[..., Counter[str]]) -> None:
    settings.BADGES_CONFIG = {"consumer": {**QUICK, "attempts": 2}}
    bus.produce("anna", "berta")
    alone = failing("berta")

    bus.consume()

    assert alone == {"anna": 1, "berta": 2}


def test_one_that_fails_for_a_while_is_processed_in_the_end(
    bus: Bus, failing: Callable[..., Counter[str]], caplog: pytest.LogCaptureFixture
) -> None:
    bus.produce(*LEARNERS)
    failing("berta", times=4)

    bus.consume()

    assert holders() == LEARNERS
    assert not DeadEvent.objects.exists()
    assert "attempt 3 of 5" in told(caplog, "message_failed")[-1]


def test_it_is_not_tried_again_before_its_time(
    bus: Bus, settings: Settings, failing: Callable[..., Counter[str]]
) -> None:
    settings.BADGES_CONFIG = {"consumer": {**QUICK, "first_retry": 60, "longest_retry": 60}}
    bus.produce("anna", "berta")
    alone = failing("berta")
    looks: list[bool] = []

    def fifth_look() -> bool:
        looks.append(bool(alone["berta"]))
        return sum(looks) >= 5

    bus.consume_until(fifth_look)

    assert alone["berta"] == 1


def test_while_one_waits_for_its_next_try_new_messages_are_read(
    bus: Bus, settings: Settings, failing: Callable[..., Counter[str]]
) -> None:
    settings.BADGES_CONFIG = {"consumer": {**QUICK, "first_retry": 60, "longest_retry": 60}}
    produced = bus.produce("berta", "anna", "clara")
    failing("berta")

    consumer = bus.consume_until(lambda: holders() == ["anna", "clara"], batch_size=2)

    assert consumer.tally.retried == 1
    assert bus.pending() == [produced[0]]


def test_what_waits_when_it_ends_is_taken_up_at_the_next_start(
    bus: Bus, settings: Settings, failing: Callable[..., Counter[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.BADGES_CONFIG = {"consumer": {**QUICK, "first_retry": 60, "longest_retry": 60}}
    bus.produce(*LEARNERS)
    failing("berta", times=2)
    bus.consume_until(lambda: holders() == ["anna", "clara"])

    bus.consume()

    assert holders() == LEARNERS
    assert bus.pending() == []


def test_when_everything_fails_no_more_is_read_than_can_wait(
    bus: Bus, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.BADGES_CONFIG = {"consumer": {**QUICK, "first_retry": 60, "longest_retry": 60}}

    def fail(events: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(batches, "process_batch", fail)
    produced = bus.produce(*LEARNERS, "doris", "emma")

    bus.consume_until(lambda: len(bus.pending()) >= 2, batch_size=2)

    assert bus.pending() == produced[:2]


def test_an_event_that_is_refused_is_a_dead_event_at_once(bus: Bus) -> None:
    bus.produce("anna", "x" * 200, "clara")

    bus.consume()

    assert holders() == ["anna", "clara"]
    dead = DeadEvent.objects.get()
    assert (dead.attempts, dead.kind) == (1, "failed")
    assert "user record holds 150" in dead.error
    assert bus.pending() == []


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"type": b"org.openedx.unheard.of.v1"}, "unknown_type"),
        ({"event_data": b"\x00"}, "unreadable"),
        ({"event_data": None}, "unreadable"),
        ({"time": b"yesterday"}, "unreadable"),
        ({"type": None}, "unreadable"),
    ],
)
def test_a_message_that_cannot_be_read_is_a_dead_event_at_once(bus: Bus, changes: dict[str, Any], kind: str) -> None:
    bus.produce("anna")
    message_id = bus.add(bus_messages.fields("berta", **changes))
    bus.produce("clara")

    consumer = bus.consume()

    assert holders() == ["anna", "clara"]
    dead = DeadEvent.objects.get()
    assert (dead.kind, dead.topic, dead.message_id) == (kind, bus.stream, message_id)
    assert bus.pending() == []
    assert consumer.tally.parked == 1


def test_what_cannot_even_be_stored_stays_on_the_bus(
    bus: Bus, failing: Callable[..., Counter[str]], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise EventLost("It cannot be stored.")

    produced = bus.produce(*LEARNERS)
    failing("berta")
    monkeypatch.setattr(batches, "park", fail)

    bus.consume_until(lambda: told(caplog, "message_unstored"))

    assert holders() == ["anna", "clara"]
    assert bus.pending() == [produced[1]]


def test_a_batch_that_keeps_losing_against_others_is_applied_one_by_one(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Deadlock(Exception):
        sqlstate = "40P01"

    sizes: list[int] = []

    def lose(events: list[IncomingEvent]) -> Any:
        sizes.append(len(events))
        if len(events) > 1:
            raise OperationalError("deadlock") from Deadlock()
        return process_batch(events)

    monkeypatch.setattr(batches, "process_batch", lose)
    bus.produce(*LEARNERS)

    bus.consume()

    assert sizes == [3, 3, 3, 1, 1, 1]
    assert holders() == LEARNERS
    assert not DeadEvent.objects.exists()


def test_a_deadlock_is_not_an_attempt(bus: Bus, failing: Callable[..., Counter[str]]) -> None:
    class Deadlocked(OperationalError):
        def __init__(self) -> None:
            super().__init__(1213, "Deadlock found")

    bus.produce("berta")
    alone = failing("berta", times=20, error=Deadlocked)

    bus.consume()

    assert alone["berta"] == 21
    assert holders() == ["berta"]


def test_too_many_errors_in_a_row_end_it_with_a_crash_where_the_setting_says_so(
    bus: Bus, settings: Settings, failing: Callable[..., Counter[str]], caplog: pytest.LogCaptureFixture
) -> None:
    settings.EVENT_BUS_REDIS_CONSUMER_CONSECUTIVE_ERRORS_LIMIT = 3
    produced = bus.produce("berta")
    failing("berta")

    with pytest.raises(SystemExit) as ended:
        bus.consume()

    assert ended.value.code == 1
    assert bus.pending() == produced
    assert "3 errors in a row" in told(caplog, "consumer_crashed")[0]
    assert "3 errors in a row" in BusConsumer.objects.get().last_error


def test_receivers_of_other_apps_that_fail_count_as_errors(bus: Bus, settings: Settings) -> None:
    settings.EVENT_BUS_REDIS_CONSUMER_CONSECUTIVE_ERRORS_LIMIT = 2

    def other(**kwargs: Any) -> None:
        raise RuntimeError

    COURSE_PASSING_STATUS_UPDATED.connect(other)
    bus.produce(*LEARNERS)

    with pytest.raises(SystemExit):
        bus.consume()

    assert holders() == LEARNERS
    assert bus.pending() == []


def test_an_error_of_the_loop_itself_is_a_crash_and_loses_nothing(
    bus: Bus, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(self: object) -> None:
        raise MemoryError

    produced = bus.produce(*LEARNERS)
    monkeypatch.setattr(batches.Batches, "ready", fail)

    with pytest.raises(SystemExit) as ended:
        bus.consume()

    assert ended.value.code == 1
    assert bus.pending() == produced
    assert "MemoryError" in told(caplog, "consumer_crashed")[0]
