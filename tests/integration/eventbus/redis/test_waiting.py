"""Redis or the database away: it waits and goes on, and nothing is acknowledged meanwhile (facts L2, L9, L11)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from openedx_events.learning.signals import COURSE_PASSING_STATUS_UPDATED
from pytest_django import Settings

from badges.eventbus.redis import batches
from badges.eventbus.redis.stream import Stream
from badges.issuing.sweep import SweepReport
from badges.models import DeadEvent
from badges.processing.pipeline import process_batch
from demo.processes import Server
from demo.redis import empty, restartable_redis
from tests.integration.eventbus.outage import Outage
from tests.integration.eventbus.redis.bus import Bus, holders, once, told

pytestmark = pytest.mark.usefixtures("template")
LEARNERS = ["anna", "berta", "clara"]


@pytest.fixture
def own_redis(bus: Bus, settings: Settings) -> Iterator[Server]:
    """A Redis that the test can kill; the bus is moved there."""
    with restartable_redis(sync="always") as server:
        settings.EVENT_BUS_REDIS_CONNECTION_URL = server.url
        settings.EVENT_BUS_REDIS_CONSUMER_POLL_FAILURE_SLEEP = 0.01
        bus.client.close()
        bus.client = redis.Redis.from_url(server.url)
        yield server


class TestADatabaseThatIsAway:
    """The stock consumer acknowledges what comes meanwhile, and calls no receiver."""

    def test_from_before_the_first_message(self, outage: Outage, bus: Bus) -> None:
        produced = bus.produce(*LEARNERS)
        bus.make_group()
        pending: list[list[str]] = []
        outage.at_each_try = lambda: pending.append(bus.pending())
        outage.begin(refusals=5)

        bus.consume()

        assert holders() == LEARNERS
        assert bus.pending() == []
        assert pending
        assert all(found in ([], produced) for found in pending)
        assert not DeadEvent.objects.exists()

    def test_in_the_middle_of_a_batch(self, outage: Outage, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
        produced = bus.produce(*LEARNERS)
        seen: list[str] = []
        pending: list[list[str]] = []

        def other(course_passing_status: Any, **kwargs: Any) -> None:
            seen.append(course_passing_status.user.pii.username)

        COURSE_PASSING_STATUS_UPDATED.connect(other)
        begin: Iterator[Callable[[], None]] = iter([lambda: outage.begin(refusals=5)])

        def process(events: Any) -> Any:
            next(begin, lambda: None)()
            return process_batch(events)

        monkeypatch.setattr(batches, "process_batch", process)
        outage.at_each_try = lambda: pending.append(bus.pending())

        consumer = bus.consume()

        assert holders() == LEARNERS
        assert pending == [produced] * 5
        assert bus.pending() == []
        assert seen == LEARNERS, "receivers of other apps are called once"
        assert consumer.tally.parked == 0

    def test_when_it_is_asked_to_end_it_leaves_everything_to_the_next_start(self, outage: Outage, bus: Bus) -> None:
        produced = bus.produce(*LEARNERS)
        consumer = bus.consumer()

        def stop() -> None:
            consumer.stop.requested = True

        outage.at_each_try = stop
        outage.begin(refusals=10**9)

        consumer.consume_indefinitely()

        assert outage.is_on
        assert bus.pending() == produced
        outage.end()
        bus.consume()
        assert holders() == LEARNERS

    def test_nothing_is_delivered_again_while_it_is_away(self, outage: Outage, bus: Bus) -> None:
        bus.produce(*LEARNERS)
        taken = bus.take_and_die("one", 3)
        consumer = bus.consumer()

        def stop() -> None:
            consumer.stop.requested = True

        outage.at_each_try = stop
        outage.begin(refusals=10**9)

        consumer.consume_indefinitely()

        rows: Any = bus.client.xpending_range(bus.stream, "credentials", "-", "+", 10)
        assert [row["times_delivered"] for row in rows] == [1] * len(taken)


def _begin_without_redis(server: Server, bus: Bus, caplog: pytest.LogCaptureFixture) -> None:
    """Consume one event from a Redis that comes back only after it was told to be away."""
    bus.produce("anna")
    server.kill()
    come = once(server.start)

    def come_back() -> bool:
        if told(caplog, "redis_away"):
            come()
        return holders() == ["anna"]

    bus.consume_until(come_back)


class TestARedisThatIsAway:
    """The stock consumer ends, or fails each second for ever."""

    def test_from_the_beginning(self, own_redis: Server, bus: Bus, caplog: pytest.LogCaptureFixture) -> None:
        _begin_without_redis(own_redis, bus, caplog)

        assert bus.pending() == []
        assert told(caplog, "redis_back")

    def test_where_it_starts_is_told_once_and_not_at_every_try(
        self, own_redis: Server, bus: Bus, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO", logger="badges")
        _begin_without_redis(own_redis, bus, caplog)

        assert len(told(caplog, "backlog_is_read")) == 1

    def test_under_it(self, own_redis: Server, bus: Bus) -> None:
        bus.produce("anna")

        go_away = once(own_redis.kill, own_redis.start, lambda: bus.produce("berta"))

        def restart() -> bool:
            if holders() == ["anna"]:
                go_away()
            return "berta" in holders()

        bus.consume_until(restart)

        assert holders() == ["anna", "berta"]

    def test_and_back_without_what_it_kept(self, own_redis: Server, bus: Bus, caplog: pytest.LogCaptureFixture) -> None:
        bus.produce("anna")

        go_away = once(own_redis.kill, lambda: empty(own_redis), own_redis.start, lambda: bus.produce("berta"))

        def restart_empty() -> bool:
            if holders() == ["anna"]:
                go_away()
            return "berta" in holders()

        bus.consume_until(restart_empty)

        assert holders() == ["anna", "berta"]
        assert told(caplog, "group_made_anew")

    def test_messages_whose_reading_was_not_answered_are_not_forgotten(
        self, bus: Bus, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.EVENT_BUS_REDIS_CONSUMER_POLL_FAILURE_SLEEP = 0.001
        bus.produce(*LEARNERS)
        read = Stream.read
        failures = iter([redis.ConnectionError])

        def lose_answer(self: Stream, *args: Any) -> Any:
            found = read(self, *args)
            for failure in failures:
                raise failure
            return found

        monkeypatch.setattr(Stream, "read", lose_answer)

        bus.consume()

        assert holders() == LEARNERS
        assert bus.pending() == []

    def test_what_could_not_be_acknowledged_is_not_processed_again(
        self, bus: Bus, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.EVENT_BUS_REDIS_CONSUMER_POLL_FAILURE_SLEEP = 0.001
        bus.produce(*LEARNERS)
        acknowledge = Stream.acknowledge
        failures = iter([redis.TimeoutError])

        def fail(self: Stream, ids: list[str]) -> None:
            if ids:
                for failure in failures:
                    raise failure
            acknowledge(self, ids)

        monkeypatch.setattr(Stream, "acknowledge", fail)

        consumer = bus.consume()

        assert consumer.tally.events == 3
        assert bus.pending() == []

    def test_deliveries_go_on_meanwhile(
        self, own_redis: Server, bus: Bus, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.BADGES_CONFIG = {
            "consumer": {**settings.BADGES_CONFIG["consumer"], "sweep_every": 0.001},
        }
        swept: list[bool] = []

        def sweep(**kwargs: Any) -> SweepReport:
            swept.append(True)
            return SweepReport()

        monkeypatch.setattr("badges.eventbus.redis.sweeping.sweep", sweep)
        own_redis.kill()

        bus.consume_until(lambda: swept)

        assert swept

    def test_too_many_failures_in_a_row_end_it_where_the_setting_says_so(
        self, own_redis: Server, bus: Bus, settings: Settings
    ) -> None:
        settings.EVENT_BUS_REDIS_CONSUMER_CONSECUTIVE_ERRORS_LIMIT = 3
        own_redis.kill()

        with pytest.raises(SystemExit) as ended:
            bus.consume()

        assert ended.value.code == 1

    @pytest.mark.parametrize("timeout", ["", "?socket_timeout=0.5", "?socket_timeout=1", "?protocol=3"])
    def test_an_idle_consumer_is_not_hurt_by_the_timeouts_of_its_client(
        self, bus: Bus, settings: Settings, redis_url: str, timeout: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        settings.EVENT_BUS_REDIS_CONNECTION_URL = redis_url.partition("?")[0] + timeout
        looks: list[bool] = []

        def third_look() -> bool:
            looks.append(True)
            if len(looks) == 3:
                bus.produce("anna")
            return holders() == ["anna"]

        bus.consume_until(third_look, max_wait_ms=60_000)

        assert not told(caplog, "redis_away")


@pytest.mark.parametrize("url", [None, "localhost:6379", "redis://:secret@host:port/0", 17])
def test_a_wrong_address_is_told_in_a_sentence_without_the_password(
    bus: Bus, settings: Settings, url: object, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    settings.EVENT_BUS_REDIS_CONNECTION_URL = url

    with pytest.raises(SystemExit) as ended:
        bus.consume()

    assert ended.value.code == 1
    assert "EVENT_BUS_REDIS_CONNECTION_URL" in told(caplog, "consumer_crashed")[0]
    assert "secret" not in caplog.text
