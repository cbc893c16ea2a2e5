"""A consumer tells of itself: a row, a heartbeat file, progress, and log lines; and none of that disturbs it."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError
from pytest_django import Settings

from badges.eventbus.redis import DurableConsumer
from badges.eventbus.redis.presence import Presence, Tally
from badges.models import BusConsumer
from tests.integration.commands import run
from tests.integration.eventbus.outage import Outage
from tests.integration.eventbus.redis.bus import GROUP, Bus, holders, told

pytestmark = pytest.mark.usefixtures("template")


def test_its_row_tells_what_it_did(bus: Bus) -> None:
    *_, last = bus.produce("anna", "berta")

    bus.consume("one")

    row = BusConsumer.objects.get()
    assert (row.topic, row.group_id, row.name) == (bus.stream, GROUP, "one")
    assert (row.events, row.awards, row.last_message_id, row.last_error) == (2, 2, last, "")
    assert row.stopped_at is not None
    assert row.started_at < row.seen_at == row.stopped_at


def test_the_row_of_a_running_one_is_not_stopped_and_is_that_of_this_start(bus: Bus) -> None:
    bus.consume("one")
    first = BusConsumer.objects.get()
    found: list[Any] = []

    def look() -> bool:
        found.append(BusConsumer.objects.values_list("stopped_at", "events").get())
        return True

    bus.consume_until(look, "one")

    second = BusConsumer.objects.get()
    assert found[-1] == (None, 0)
    assert second.pk == first.pk
    assert second.started_at > first.started_at


def test_a_row_that_cannot_be_written_disturbs_nothing(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise DatabaseError

    monkeypatch.setattr(BusConsumer.objects, "update_or_create", fail)
    bus.produce("anna")

    bus.consume()

    assert holders() == ["anna"]


def test_the_heartbeat_goes_on_while_the_database_is_away(bus: Bus, outage: Outage, tmp_path: Path) -> None:
    heartbeat = tmp_path / "alive"
    bus.produce("anna")
    consumer = DurableConsumer(bus.topic, GROUP, "one", until_empty=True, heartbeat=heartbeat)
    beaten: list[bool] = []

    def look() -> None:
        # The pause of the waiting is on the way between two tries.
        beaten.append(heartbeat.exists())
        heartbeat.unlink(missing_ok=True)

    consumer.stop.on_nap = look
    outage.at_each_try = lambda: beaten.append(heartbeat.exists())
    outage.begin(refusals=3)

    consumer.consume_indefinitely()

    assert beaten[-1] is True
    assert holders() == ["anna"]


def test_the_heartbeat_begins_when_the_command_minds_signals(
    bus: Bus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sees the file may end it; without a handler that would kill it, with another exit code than promised."""
    former, minded = signal.getsignal(signal.SIGTERM), list[bool]()
    monkeypatch.setattr(Path, "touch", lambda path: minded.append(signal.getsignal(signal.SIGTERM) is not former))
    arguments = ["-t", bus.topic, "-g", GROUP, '--extra={"consumer_name": "one"}', "--until-empty"]

    run("consume_events", *arguments, "--heartbeat-file", str(tmp_path / "alive"))

    assert set(minded) == {True}


class Clock:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_heartbeat_file_is_touched_once_a_second(tmp_path: Path) -> None:
    heartbeat, clock = tmp_path / "alive", Clock()
    presence = Presence("t", "g", "n", Tally(), heartbeat=heartbeat, clock=clock)
    presence.beat()
    heartbeat.unlink()

    clock.now = 0.9
    presence.beat()
    assert not heartbeat.exists()

    clock.now = 1.0
    presence.beat()
    assert heartbeat.exists()


def test_a_heartbeat_file_that_cannot_be_written_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    presence = Presence("t", "g", "n", Tally(), heartbeat=tmp_path / "no" / "alive", clock=clock)

    for second in range(3):
        clock.now = second
        presence.beat()

    assert len(told(caplog, "heartbeat_failed")) == 1


def test_whoever_watches_is_told_the_lag(bus: Bus) -> None:
    bus.produce("anna", "berta", "clara")
    lags: list[int | None] = []
    consumer = bus.consumer(on_progress=lambda tally: lags.append(tally.lag), batch_size=1)

    consumer.consume_indefinitely()

    assert lags[0] is None
    assert consumer.tally.lag == 3


@pytest.mark.parametrize(("is_on", "lines"), [(True, 1), (False, 0)])
def test_audit_logging_is_a_line_for_a_batch(
    bus: Bus, settings: Settings, caplog: pytest.LogCaptureFixture, is_on: bool, lines: int
) -> None:
    caplog.set_level("INFO")
    settings.EVENT_BUS_REDIS_AUDIT_LOGGING_ENABLED = is_on
    first, last = bus.produce("anna", "berta")

    bus.consume()

    found = told(caplog, "batch_consumed")
    assert len(found) == lines
    for line in found:
        assert line.startswith(f"2 messages of {bus.stream}, {first} to {last}: 2 awards, 0 revocations, 0 dead events")


def test_no_log_line_holds_personal_data(bus: Bus, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="badges")
    bus.produce("anna", "x" * 200)

    bus.consume()

    ours = [record.getMessage() for record in caplog.records if record.name.startswith("badges")]
    assert ours
    assert "anna" not in "".join(ours)


def test_consumers_that_are_switched_off_take_nothing(
    bus: Bus, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.EVENT_BUS_REDIS_CONSUMERS_ENABLED = False
    bus.produce("anna")

    consumer = bus.consume()

    assert consumer.tally.events == 0
    assert told(caplog, "consumers_disabled")
    assert not BusConsumer.objects.exists()
