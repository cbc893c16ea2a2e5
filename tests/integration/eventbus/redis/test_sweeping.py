"""A consumer carries out due deliveries when it is idle, and now and then when it is not."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from pytest_django import Settings

from badges.conf import ConsumerSettings
from badges.eventbus.redis import sweeping
from badges.eventbus.redis.stopping import Stop
from badges.eventbus.redis.sweeping import Deliveries
from badges.issuing.sweep import SweepReport
from badges.models import Delivery
from tests.integration.eventbus.redis.bus import QUICK, Bus, told


def test_an_idle_consumer_does_what_is_due(bus: Bus, template: object, settings: Settings) -> None:
    settings.BADGES_CONFIG = {"consumer": {**QUICK, "work_for": 1e-9}}
    bus.produce("anna")
    bus.consume()
    assert list(Delivery.objects.values_list("status", flat=True)) == ["pending"]
    settings.BADGES_CONFIG = {"consumer": {**QUICK, "sweep_every": 0.001}}

    bus.consume_until(lambda: Delivery.objects.filter(status="done").exists())

    assert list(Delivery.objects.values_list("status", flat=True)) == ["done"]


@pytest.mark.parametrize(("max_wait_ms", "expected"), [(1, True), (60_000, False)])
def test_it_is_idle_when_nothing_came_for_as_long_as_it_is_to_wait(
    bus: Bus,
    settings: Settings,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
    max_wait_ms: int,
    expected: bool,
) -> None:
    seen: list[bool] = []

    def note(self: Deliveries, *, is_idle: bool) -> None:
        seen.append(is_idle)

    monkeypatch.setattr(Deliveries, "sweep_if_due", note)
    # No read blocks for longer than half of it.
    settings.EVENT_BUS_REDIS_CONNECTION_URL = f"{redis_url.partition('?')[0]}?socket_timeout=2"

    bus.consume_until(lambda: len(seen) >= 3, max_wait_ms=max_wait_ms)

    assert seen[-1] is expected


class Sweeps:
    """Counts sweeps, at times that the test says."""

    def __init__(self, patch: pytest.MonkeyPatch, **config: Any) -> None:
        self.now = 0.0
        self.number = 0
        self.works_for = 0.0
        self.error: Exception | None = None
        self.inbox_error: Exception | None = None
        self.inbox_works_for = 0.0
        patch.setattr(sweeping, "sweep", self.sweep)
        patch.setattr(sweeping, "process_due", self.process_due)
        self.beats: list[float] = []
        self.stop = Stop()
        self.deliveries = Deliveries(
            ConsumerSettings(**config), self.stop, lambda: self.beats.append(self.now), lambda: self.now
        )

    def sweep(self, *, patience: float, is_stopping: Any) -> SweepReport:
        self.number += 1
        if self.error:
            raise self.error
        while self.works_for > 0 and not is_stopping():
            self.now += 1
            self.works_for -= 1
        return SweepReport()

    def process_due(self, *, patience: float, is_stopping: Any) -> Counter[str]:
        if self.inbox_error:
            raise self.inbox_error
        while self.inbox_works_for > 0 and not is_stopping():
            self.now += 0.5
            self.inbox_works_for -= 0.5
        return Counter()

    def at(self, now: float, *, is_idle: bool = True) -> int:
        self.now = now
        self.deliveries.sweep_if_due(is_idle=is_idle)
        return self.number


@pytest.fixture
def sweeps(monkeypatch: pytest.MonkeyPatch) -> Sweeps:
    return Sweeps(monkeypatch, sweep_every=10, work_for=5)


def test_it_sweeps_every_so_many_seconds(sweeps: Sweeps) -> None:
    assert [sweeps.at(now) for now in (0, 9.9, 10, 11, 19.9, 20)] == [0, 0, 1, 1, 1, 2]


def test_one_that_is_never_idle_sweeps_more_rarely(sweeps: Sweeps) -> None:
    assert [sweeps.at(now, is_idle=False) for now in (10, 59.9, 60, 119, 120)] == [0, 0, 1, 1, 2]


def test_a_sweep_that_takes_long_is_cut_and_goes_on_after_a_look_for_messages(sweeps: Sweeps) -> None:
    sweeps.works_for = 8

    assert sweeps.at(10) == 1
    assert sweeps.now == 15
    assert [sweeps.at(15, is_idle=False), sweeps.at(15)] == [1, 2]
    assert sweeps.now == 18
    assert sweeps.at(18) == 2


def test_it_is_told_to_be_alive_while_it_sweeps(sweeps: Sweeps) -> None:
    sweeps.works_for = 3

    sweeps.at(10)

    assert sorted(set(sweeps.beats))[:3] == [10, 11, 12]


def test_a_sweep_that_fails_is_logged_and_tried_again(sweeps: Sweeps, caplog: pytest.LogCaptureFixture) -> None:
    sweeps.error = ZeroDivisionError()

    assert [sweeps.at(10), sweeps.at(20)] == [1, 2]
    assert len(told(caplog, "sweep_failed")) == 2


def test_who_is_asked_to_end_sweeps_no_longer(sweeps: Sweeps) -> None:
    sweeps.works_for = 3
    sweeps.stop.requested = True

    sweeps.at(10)

    assert sweeps.now == 10


def test_with_the_feature_off_nothing_is_swept(sweeps: Sweeps, settings: Settings) -> None:
    settings.BADGES_ENABLED = False

    assert sweeps.at(10) == 0


def test_a_task_engine_that_is_away_is_logged_and_no_more(
    sweeps: Sweeps, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise ConnectionError

    monkeypatch.setattr(sweeping, "enqueue_all", fail)

    sweeps.deliveries.begin([1])

    assert told(caplog, "deliveries_not_started")


def test_the_inbox_takes_half_of_a_turn_and_deliveries_the_rest(sweeps: Sweeps) -> None:
    sweeps.inbox_works_for = sweeps.works_for = 100

    assert sweeps.at(10) == 1

    assert (sweeps.inbox_works_for, sweeps.works_for) == (97.5, 97)
    assert sweeps.deliveries.was_cut


def test_an_inbox_that_fails_keeps_no_delivery_waiting(sweeps: Sweeps, caplog: pytest.LogCaptureFixture) -> None:
    sweeps.inbox_error = ZeroDivisionError()

    assert [sweeps.at(10), sweeps.at(20)] == [1, 2]
    assert len(told(caplog, "inbox_failed")) == 2
