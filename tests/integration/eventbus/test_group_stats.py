"""What is asked of Redis about a consumer group: how far it is, what it holds, and since when."""

from __future__ import annotations

import os
import signal
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import evolve
from pytest_django import Settings
from redis import Redis

from badges.eventbus.producer import BusUnavailable
from badges.eventbus.redis import stats
from badges.eventbus.redis.stats import GroupStats, connect, group_stats
from demo.processes import free_port
from demo.redis import redis_server

GROUP = "credentials"
AT = 1_800_000_000
"""Seconds: when the first message of a test is put on the stream. So the last one is, a second a message later."""
IN_TIME = 20.0
"""Seconds: far above what it takes, for a machine that is busy, and far below the 90 that the URLs say."""


@pytest.fixture
def client(settings: Settings, redis_url: str) -> Iterator[Redis]:
    settings.EVENT_BUS_REDIS_CONNECTION_URL = redis_url
    with closing(connect()) as client:
        yield client


@pytest.fixture
def topic() -> str:
    """A stream of its own."""
    return f"test-{uuid.uuid4()}"


def filled(client: Redis, topic: str, number: int, *, start: str = "0") -> list[str]:
    """A stream with so many messages and the group, which has read none."""
    client.xgroup_create(topic, GROUP, id=start, mkstream=True)
    return added(client, topic, number)


def added(client: Redis, topic: str, number: int, *, first: int = 0) -> list[str]:
    ids = [f"{(AT + place) * 1000}-0" for place in range(first, first + number)]
    pipeline = client.pipeline(transaction=False)
    for message_id in ids:
        pipeline.xadd(topic, {"event_data": b"x"}, id=message_id)
    pipeline.execute()
    return ids


def read(client: Redis, topic: str, number: int, consumer: str = "one") -> list[bytes]:
    """A consumer takes so many messages."""
    taken: Any = client.xreadgroup(GROUP, consumer, {topic: ">"}, count=number)
    return [message_id for message_id, _ in taken[0][1]]


def told(client: Redis, topic: str, seconds: float = 0) -> GroupStats:
    """What is told so many seconds after the first message."""
    return group_stats(client, topic, GROUP, datetime.fromtimestamp(AT + seconds, UTC))


class TestAGroup:
    def test_that_has_read_nothing_lags_by_all_there_is(self, client: Redis, topic: str) -> None:
        filled(client, topic, 5)
        found = told(client, topic, seconds=100)
        assert (found.exists, found.length, found.lag, found.lag_is_at_least) == (True, 5, 5, False)
        assert found.oldest_unread_seconds == 100
        assert (found.pending, found.oldest_pending_seconds, found.consumers) == (0, None, ())

    def test_tells_what_is_unread_and_what_is_pending_apart(self, client: Redis, topic: str) -> None:
        filled(client, topic, 10)
        taken = read(client, topic, 4)
        client.xack(topic, GROUP, *taken[:3])
        found = told(client, topic, seconds=100)
        assert (found.lag, found.oldest_unread_seconds) == (6, 96)
        assert (found.pending, found.oldest_pending_seconds) == (1, 97)

    def test_that_is_through_lags_by_nothing(self, client: Redis, topic: str) -> None:
        filled(client, topic, 3)
        client.xack(topic, GROUP, *read(client, topic, 3))
        assert evolve(told(client, topic, 9), consumers=()) == GroupStats(length=3)

    def test_names_its_consumers_with_what_they_hold(self, client: Redis, topic: str) -> None:
        filled(client, topic, 5)
        read(client, topic, 2, "one")
        read(client, topic, 1, "two")
        found = told(client, topic).consumers
        assert [(one.name, one.pending) for one in found] == [("one", 2), ("two", 1)]
        assert all(0 <= one.idle_seconds < 60 for one in found)

    def test_does_not_count_what_another_group_has_not_read(self, client: Redis, topic: str) -> None:
        filled(client, topic, 5)
        client.xgroup_create(topic, "other", id="$")
        assert group_stats(client, topic, "other").lag == 0
        assert told(client, topic).lag == 5

    def test_tells_ages_by_the_clock_of_redis(self, client: Redis, topic: str) -> None:
        client.xgroup_create(topic, GROUP, id="0", mkstream=True)
        client.xadd(topic, {"event_data": b"x"})
        age = group_stats(client, topic, GROUP).oldest_unread_seconds
        assert age is not None
        assert 0 <= age < 60

    def test_never_tells_a_negative_age(self, client: Redis, topic: str) -> None:
        filled(client, topic, 1)
        assert told(client, topic, seconds=-50).oldest_unread_seconds == 0

    def test_that_is_new_on_an_empty_stream_is_well(self, client: Redis, topic: str) -> None:
        filled(client, topic, 0)
        assert told(client, topic) == GroupStats()

    @pytest.mark.parametrize("of_another", [True, False])
    def test_that_is_not_there_is_told_as_such(self, client: Redis, topic: str, of_another: bool) -> None:
        if of_another:
            client.xgroup_create(topic, "other", mkstream=True)
        assert not told(client, topic).exists

    def test_whose_position_was_changed_is_counted(self, client: Redis, topic: str) -> None:
        # Redis 7 does not know the lag from there on, Redis 6.2 never does.
        ids = filled(client, topic, 2500)
        client.xgroup_setid(topic, GROUP, ids[99])
        found = told(client, topic)
        assert (found.lag, found.lag_is_at_least) == (2400, False)

    def test_far_behind_is_counted_to_a_limit(self, client: Redis, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(stats, "PAGE", 10)
        monkeypatch.setattr(stats, "PAGES", 3)
        ids = filled(client, topic, 50)
        client.xgroup_setid(topic, GROUP, ids[9])
        assert (told(client, topic).lag, told(client, topic).lag_is_at_least) == (30, True)
        client.xgroup_setid(topic, GROUP, ids[19])
        assert (told(client, topic).lag, told(client, topic).lag_is_at_least) == (30, False)

    def test_lags_by_what_is_left_of_a_trimmed_stream(self, client: Redis, topic: str) -> None:
        filled(client, topic, 10)
        read(client, topic, 2)
        client.xtrim(topic, maxlen=3, approximate=False)
        found = told(client, topic, seconds=100)
        assert (found.lag, found.oldest_unread_seconds) == (3, 93)
        assert (found.pending, found.oldest_pending_seconds) == (2, 100)

    def test_tells_what_was_trimmed_unread_where_redis_does(self, client: Redis, topic: str) -> None:
        filled(client, topic, 10)
        client.xack(topic, GROUP, *read(client, topic, 2))
        client.xtrim(topic, maxlen=8, approximate=False)
        assert told(client, topic).trimmed == 0
        client.xtrim(topic, maxlen=3, approximate=False)
        knows = int(client.info("server")["redis_version"].split(".")[0]) >= 7
        assert told(client, topic).trimmed == (5 if knows else 0)
        client.xtrim(topic, maxlen=0, approximate=False)
        assert told(client, topic).trimmed == (8 if knows else 0)

    def test_that_begins_on_a_trimmed_stream_has_lost_nothing(self, client: Redis, topic: str) -> None:
        added(client, topic, 10)
        client.xtrim(topic, maxlen=3, approximate=False)
        client.xgroup_create(topic, GROUP, id="0")
        assert (told(client, topic).lag, told(client, topic).trimmed) == (3, 0)

    def test_is_asked_in_two_requests_where_redis_tells_its_lag(
        self, client: Redis, topic: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        filled(client, topic, 3000)
        sent: list[str] = []
        execute = Redis.execute_command

        def counted(self: Redis, *args: Any, **options: Any) -> Any:
            sent.append(args[0])
            return execute(self, *args, **options)

        monkeypatch.setattr(Redis, "execute_command", counted)
        told(client, topic)
        assert sent == ["XRANGE"]


class TestRedisAway:
    def test_is_told_in_a_sentence_without_the_address(self, settings: Settings) -> None:
        settings.EVENT_BUS_REDIS_CONNECTION_URL = f"redis://user:secret@127.0.0.1:{free_port()}/0"
        with closing(connect()) as client, pytest.raises(BusUnavailable, match="does not answer") as raised:
            group_stats(client, "t", GROUP)
        assert "secret" not in str(raised.value)

    def test_is_found_out_in_time_where_it_takes_connections_and_is_silent(self, settings: Settings) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
            settings.EVENT_BUS_REDIS_CONNECTION_URL = f"redis://127.0.0.1:{port}/0?socket_timeout=90"
            begun = time.monotonic()
            with closing(connect()) as client, pytest.raises(BusUnavailable):
                group_stats(client, "t", GROUP)
        assert time.monotonic() - begun < IN_TIME

    def test_is_found_out_in_time_where_it_hangs_later(self, settings: Settings, topic: str) -> None:
        with redis_server() as url:
            settings.EVENT_BUS_REDIS_CONNECTION_URL = url
            with closing(connect()) as client:
                filled(client, topic, 1)
                pid = client.info("server")["process_id"]
                os.kill(pid, signal.SIGSTOP)
                try:
                    begun = time.monotonic()
                    with pytest.raises(BusUnavailable, match="TimeoutError"):
                        told(client, topic)
                    assert time.monotonic() - begun < IN_TIME
                finally:
                    os.kill(pid, signal.SIGCONT)

    @pytest.mark.parametrize(("url", "why"), [("", "is not set"), ("nonsense", "cannot be read"), (None, "is not set")])
    def test_is_told_where_its_address_is_wrong(self, settings: Settings, url: str | None, why: str) -> None:
        settings.EVENT_BUS_REDIS_CONNECTION_URL = url
        with pytest.raises(BusUnavailable, match=why):
            connect()

    def test_is_told_where_the_name_is_no_stream(self, client: Redis, topic: str) -> None:
        client.set(topic, "x")
        with pytest.raises(BusUnavailable, match="does not tell of the stream"):
            told(client, topic)


@pytest.mark.parametrize("options", ["&decode_responses=True", "&protocol=3", "&protocol=2"])
def test_is_understood_in_every_form_that_the_address_may_ask_for(
    settings: Settings, client: Redis, topic: str, options: str
) -> None:
    filled(client, topic, 2)
    read(client, topic, 1)
    settings.EVENT_BUS_REDIS_CONNECTION_URL += options
    with closing(connect()) as other:
        found = told(other, topic)
    assert (found.lag, found.pending, [one.name for one in found.consumers]) == (1, 1, ["one"])
