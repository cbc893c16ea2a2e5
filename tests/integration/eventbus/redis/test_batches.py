"""The consumer takes many messages at once, and acknowledges them when their effect is committed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from openedx_events.learning.signals import COURSE_PASSING_STATUS_UPDATED
from pytest_django import Settings

from badges.eventbus.redis import batches
from badges.issuing import tasks
from badges.issuing.deliveries import run_due
from badges.models import DeadEvent, Delivery
from badges.processing.pipeline import process_batch
from tests import factories
from tests.integration import bus_messages
from tests.integration.eventbus.redis.bus import Bus, holders, told

pytestmark = pytest.mark.usefixtures("template")
LEARNERS = ["anna", "berta", "clara"]


def before_batches(monkeypatch: pytest.MonkeyPatch, note: Callable[[Any], int]) -> list[int]:
    """Note something of each batch that is processed."""
    noted: list[int] = []

    def process(events: Any) -> Any:
        noted.append(note(events))
        return process_batch(events)

    monkeypatch.setattr(batches, "process_batch", process)
    return noted


def test_what_was_published_before_it_runs_is_processed_and_acknowledged(bus: Bus) -> None:
    bus.produce(*LEARNERS)

    consumer = bus.consume()

    assert holders() == LEARNERS
    assert bus.pending() == []
    assert (consumer.tally.events, consumer.tally.awards, consumer.tally.parked) == (3, 3, 0)


def test_a_batch_is_one_transaction_and_one_acknowledgement(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    bus.produce(*LEARNERS)
    batched = before_batches(monkeypatch, len)
    bus.client.config_resetstat()

    bus.consume()

    assert batched == [3]
    assert bus.client.info("commandstats")["cmdstat_xack"]["calls"] == 1


def test_batch_size_is_the_most_that_one_transaction_has(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    bus.produce(*LEARNERS)
    batched = before_batches(monkeypatch, len)

    bus.consume(batch_size=2)

    assert batched == [2, 1]


def test_nothing_is_acknowledged_before_the_commit(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    produced = bus.produce(*LEARNERS)
    pending: list[list[str]] = []

    def process(events: Any) -> Any:
        outcome = process_batch(events)
        pending.append(bus.pending())
        return outcome

    monkeypatch.setattr(batches, "process_batch", process)

    bus.consume()

    assert pending == [produced]


def test_other_receivers_see_every_event_as_they_always_did(bus: Bus) -> None:
    seen: list[tuple[str, bool]] = []

    def other(course_passing_status: Any, from_event_bus: bool, **kwargs: Any) -> None:
        seen.append((course_passing_status.user.pii.username, from_event_bus))

    COURSE_PASSING_STATUS_UPDATED.connect(other)
    bus.produce(*LEARNERS)

    bus.consume()

    assert seen == [(learner, True) for learner in LEARNERS]


@pytest.mark.parametrize("debug", [False, True])
def test_a_receiver_of_another_app_that_fails_keeps_nothing_from_us(
    bus: Bus, settings: Settings, caplog: pytest.LogCaptureFixture, debug: bool
) -> None:
    settings.DEBUG = debug

    def other(**kwargs: Any) -> None:
        raise RuntimeError("anna@example.com")

    ours = list(COURSE_PASSING_STATUS_UPDATED.receivers)
    COURSE_PASSING_STATUS_UPDATED.receivers = []
    COURSE_PASSING_STATUS_UPDATED.connect(other)
    # With DEBUG, Django calls nobody after the one that failed.
    COURSE_PASSING_STATUS_UPDATED.receivers += ours
    COURSE_PASSING_STATUS_UPDATED.sender_receivers_cache.clear()
    bus.produce(*LEARNERS)

    bus.consume()

    assert holders() == LEARNERS
    assert bus.pending() == []
    lines = told(caplog, "receiver_failed")
    assert len(lines) == 3
    assert "anna@example.com" not in "".join(lines)
    assert not DeadEvent.objects.exists()


def test_an_event_that_another_receiver_sends_meanwhile_is_processed_at_once(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is on no bus: if the consumer is killed before its batch is committed, nobody brings it again."""

    class Killed(BaseException):
        pass

    def killed(events: Any) -> None:
        raise Killed

    def other(course_passing_status: Any, **kwargs: Any) -> None:
        if course_passing_status.user.pii.username == "anna":
            COURSE_PASSING_STATUS_UPDATED.send_event(course_passing_status=factories.passing_status("zoe"))

    COURSE_PASSING_STATUS_UPDATED.connect(other)
    bus.produce("anna")
    monkeypatch.setattr(batches, "process_batch", killed)

    with pytest.raises(Killed):
        bus.consume()

    assert holders() == ["zoe"]


def test_a_message_of_a_type_that_is_of_no_concern_is_acknowledged(bus: Bus, settings: Settings) -> None:
    settings.BADGES_CONFIG = {**settings.BADGES_CONFIG, "events": []}
    bus.produce("anna")

    consumer = bus.consume()

    assert consumer.tally.events == 1
    assert bus.pending() == []


def test_deliveries_are_started_after_the_acknowledgement(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    pending: list[list[str]] = []

    def run(*args: Any, **kwargs: Any) -> Any:
        pending.append(bus.pending())
        return run_due(*args, **kwargs)

    monkeypatch.setattr(tasks, "run_due", run)
    bus.produce("anna")

    bus.consume()

    assert pending == [[]]
    assert list(Delivery.objects.values_list("status", flat=True)) == ["done"]


def test_deliveries_that_take_too_long_are_left_to_the_sweep(
    bus: Bus, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.BADGES_CONFIG = {"consumer": {**settings.BADGES_CONFIG["consumer"], "work_for": 1e-9}}
    bus.produce(*LEARNERS)

    bus.consume()

    assert holders() == LEARNERS
    assert set(Delivery.objects.values_list("status", flat=True)) == {"pending"}


def test_the_same_message_again_changes_nothing(bus: Bus) -> None:
    fields = bus_messages.fields("anna")
    for _ in range(3):
        bus.add(fields)

    consumer = bus.consume()

    assert (consumer.tally.events, consumer.tally.awards) == (3, 1)
