"""``badges_health`` tells how far the consumers of the event bus are, and ends with 1 where they fall behind."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings
from redis import Redis

from badges.eventbus import groups
from badges.eventbus.kinds import DURABLE_CONSUMER
from badges.eventbus.redis.stats import ConsumerStats, GroupStats, connect
from badges.management.spans import WIDTH
from badges.models import BusConsumer
from demo.processes import free_port
from tests.integration.test_health_command import as_json, run

pytestmark = pytest.mark.django_db
GROUP = "credentials"
STOCK = "edx_event_bus_redis.RedisEventConsumer"


@pytest.fixture(autouse=True)
def _durable(settings: Settings, redis_url: str) -> None:
    settings.EVENT_BUS_CONSUMER = DURABLE_CONSUMER
    settings.EVENT_BUS_REDIS_CONNECTION_URL = redis_url


@pytest.fixture
def client() -> Iterator[Redis]:
    with closing(connect()) as client:
        yield client


@pytest.fixture
def topic(client: Redis) -> str:
    """A stream of its own, with the group."""
    name = f"test-{uuid.uuid4()}"
    client.xgroup_create(name, GROUP, mkstream=True)
    return name


def seen(topic: str, name: str = "one", *, minutes_ago: float = 0, stopped: bool = False, **values: Any) -> BusConsumer:
    """A consumer of ours that told of itself so long ago."""
    at = timezone.now() - timedelta(minutes=minutes_ago)
    return BusConsumer.objects.create(
        **{"topic": topic, "group_id": GROUP, "name": name, "started_at": at - timedelta(hours=1), "seen_at": at}
        | {"stopped_at": at if stopped else None}
        | values
    )


def put(client: Redis, topic: str, number: int = 1, *, hours_ago: float = 0) -> None:
    """Put messages on the stream, as if so long ago."""
    at = int((time.time() - hours_ago * 3600) * 1000)
    for place in range(number):
        client.xadd(topic, {"event_data": b"x"}, id=f"{at}-{place + 1}")


def take(client: Redis, topic: str, number: int, consumer: str = "one") -> None:
    """A consumer reads messages, and does not acknowledge them."""
    client.xreadgroup(GROUP, consumer, {topic: ">"}, count=number)


def troubles(*arguments: str) -> tuple[int, list[str]]:
    status, found = as_json(*arguments)
    return status, found["troubles"]


class TestTheExitStatus:
    def test_is_0_where_a_consumer_keeps_up(self, client: Redis, topic: str) -> None:
        seen(topic)
        put(client, topic, 5)
        take(client, topic, 3)
        assert troubles() == (0, [])

    @pytest.mark.parametrize(("hours", "limit", "status"), [(0.9, "1h", 0), (1.1, "1h", 1), (1.9, "2h", 0)])
    def test_is_1_once_the_oldest_unread_event_is_too_old(
        self, client: Redis, topic: str, hours: float, limit: str, status: int
    ) -> None:
        seen(topic)
        put(client, topic, hours_ago=hours)
        expected = [f"{topic} / {GROUP}: the oldest unread event is 1 h old; the limit is 1 h."] if status else []
        assert troubles("--max-age", limit) == (status, expected)

    @pytest.mark.parametrize(("hours", "status"), [(0.9, 0), (1.1, 1)])
    def test_is_1_once_the_oldest_pending_event_is_too_old(
        self, client: Redis, topic: str, hours: float, status: int
    ) -> None:
        seen(topic)
        put(client, topic, hours_ago=hours)
        take(client, topic, 1)
        found, told = troubles()
        assert (found, len(told)) == (status, status)
        assert all(
            "the oldest pending event, which a consumer took and has not finished, is 1 h old" in t for t in told
        )

    @pytest.mark.parametrize(
        ("consumer", "status"),
        [
            ({"minutes_ago": 4}, 0),
            ({"minutes_ago": 6}, 1),
            ({"minutes_ago": 4, "stopped": True}, 0),
            ({"minutes_ago": 6, "stopped": True}, 1),
        ],
    )
    def test_is_1_where_events_are_unread_and_no_consumer_was_seen_for_five_minutes(
        self, client: Redis, topic: str, consumer: dict[str, Any], status: int
    ) -> None:
        seen(topic, **consumer)
        put(client, topic, 2)
        told = (
            f"{topic} / {GROUP}: 2 events are unread, and no consumer is there to read: the last was seen 6 min ago. "
            "Start one. If the group is not used any more, forget its consumers in the admin."
        )
        assert troubles() == (status, [told] if status else [])

    def test_is_0_where_one_consumer_of_several_is_there(self, client: Redis, topic: str) -> None:
        seen(topic, "one", minutes_ago=600)
        seen(topic, "two")
        put(client, topic)
        assert troubles() == (0, [])

    def test_is_0_where_no_consumer_runs_and_nothing_is_unread(self, topic: str) -> None:
        seen(topic, minutes_ago=600)
        assert troubles() == (0, [])

    def test_is_1_where_redis_has_lost_the_group(self, client: Redis, topic: str) -> None:
        seen(topic)
        client.delete(topic)
        status, [told] = troubles()
        assert status == 1
        assert told.startswith(f"{topic} / {GROUP}: the bus knows no such group. If Redis lost its data, a running")

    def test_is_1_where_events_were_trimmed_unread(
        self, topic: str, client: Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen(topic)
        monkeypatch.setattr(groups, "group_stats", lambda *asked: GroupStats(trimmed=7))
        status, [told] = troubles("--ignore-dead")
        assert status == 1
        assert "7 events are gone from the bus unread, and lost. Raise EVENT_BUS_REDIS_STREAM_MAX_LEN" in told

    def test_is_1_where_redis_is_away_and_the_rest_is_told(self, settings: Settings, topic: str) -> None:
        seen(topic)
        settings.EVENT_BUS_REDIS_CONNECTION_URL = f"redis://:secret@127.0.0.1:{free_port()}/0"
        status, found = as_json()
        [told] = found["troubles"]
        assert status == 1
        assert told.startswith("How far the consumers are cannot be told: The event bus's Redis does not answer")
        assert found["waiting"] == 0
        assert found["bus"]["groups"][0]["lag"] is None
        assert found["bus"]["groups"][0]["consumers"][0]["state"] == "running"
        assert "secret" not in run()[1]


class TestTheStockConsumer:
    def test_is_told_of_where_topic_and_group_are_named(self, settings: Settings, client: Redis) -> None:
        settings.EVENT_BUS_CONSUMER = STOCK
        client.xgroup_create("test-named", GROUP, mkstream=True)
        put(client, "test-named", 3, hours_ago=0.1)
        status, found = as_json("--topic", "named", "--group", GROUP)
        [group] = found["bus"]["groups"]
        assert (group["topic"], group["group"], group["lag"], group["unattended"]) == ("test-named", GROUP, 3, True)
        assert (status, found["troubles"]) == (
            1,
            [
                f"test-named / {GROUP}: 3 events are unread, and no consumer is there to read: none was ever seen. "
                "Start one."
            ],
        )
        take(client, "test-named", 1)
        [group] = as_json("--topic", "named", "--group", GROUP)[1]["bus"]["groups"]
        assert [(one["name"], one["state"], one["pending"], one["events"]) for one in group["consumers"]] == [
            ("one", "running", 1, None)
        ]
        assert not group["unattended"]

    def test_may_be_about_to_start_for_the_first_time(self, settings: Settings, client: Redis) -> None:
        settings.EVENT_BUS_CONSUMER = STOCK
        client.xgroup_create("test-first", GROUP, mkstream=True)
        put(client, "test-first", hours_ago=0.05)
        assert troubles("--topic", "first", "--group", GROUP) == (0, [])

    def test_is_asked_whether_the_name_is_right_where_there_is_no_such_group(self, settings: Settings) -> None:
        settings.EVENT_BUS_CONSUMER = STOCK
        told = f"test-misspelt / {GROUP}: the bus knows no such group. Is the name right?"
        assert troubles("--topic", "misspelt", "--group", GROUP) == (1, [told])

    def test_needs_to_be_told_which_groups_there_are(self, settings: Settings) -> None:
        settings.EVENT_BUS_CONSUMER = STOCK
        status, found = as_json()
        assert (status, found["bus"]["groups"]) == (0, [])
        assert "name one with --topic and --group" in found["bus"]["note"]

    @pytest.mark.parametrize("arguments", [("--topic", "t"), ("--group", "g")])
    def test_is_named_by_both_or_not_at_all(self, arguments: tuple[str, str]) -> None:
        with pytest.raises(CommandError, match="belong together") as raised:
            run(*arguments)
        assert raised.value.returncode == 2


def test_the_consumer_of_another_bus_is_not_asked_and_that_is_said(settings: Settings, topic: str) -> None:
    seen(topic, minutes_ago=600)
    settings.EVENT_BUS_CONSUMER = "tests.integration.test_health_of_the_bus.Foreign"
    settings.EVENT_BUS_REDIS_CONNECTION_URL = f"redis://127.0.0.1:{free_port()}/0"
    status, found = as_json()
    assert (status, found["bus"]["error"]) == (0, "")
    assert "which this app does not ask for its lag" in found["bus"]["note"]
    assert "which this app does not ask for its lag" in " ".join(run()[1].split())


class Foreign:
    """A consumer of no bus that is known."""


class TestTheJSON:
    def test_has_the_documented_shape(self, client: Redis, topic: str) -> None:
        row = seen(topic, events=12, awards=3, last_error="It broke.")
        stopped = seen(topic, "two", minutes_ago=30, stopped=True)
        put(client, topic, 5, hours_ago=0.5)
        take(client, topic, 2)
        put(client, topic, 1)

        [group] = as_json()[1]["bus"]["groups"]

        assert datetime.fromisoformat(group["seen_at"]) == row.seen_at.replace(microsecond=0)
        assert 1800 <= group.pop("oldest_unread_seconds") < 1860
        assert 1800 <= group.pop("oldest_pending_seconds") < 1860
        iso = {
            name: value.isoformat(timespec="seconds") for name, value in (("r", row.seen_at), ("s", stopped.seen_at))
        }
        assert group == {
            "topic": topic,
            "group": GROUP,
            "exists": True,
            "length": 6,
            "lag": 4,
            "lag_is_at_least": False,
            "trimmed": 0,
            "pending": 2,
            "seen_at": iso["r"],
            "unattended": False,
            "consumers": [
                {
                    "name": "one",
                    "state": "running",
                    "seen_at": iso["r"],
                    "started_at": row.started_at.isoformat(timespec="seconds"),
                    "stopped_at": None,
                    "pending": 2,
                    "events": 12,
                    "awards": 3,
                    "last_error": "It broke.",
                },
                {
                    "name": "two",
                    "state": "stopped",
                    "seen_at": iso["s"],
                    "started_at": stopped.started_at.isoformat(timespec="seconds"),
                    "stopped_at": iso["s"],
                    "pending": None,
                    "events": 0,
                    "awards": 0,
                    "last_error": "",
                },
            ],
        }

    def test_has_the_same_keys_where_redis_is_away(self, settings: Settings, topic: str) -> None:
        seen(topic)
        [there] = as_json()[1]["bus"]["groups"]
        settings.EVENT_BUS_REDIS_CONNECTION_URL = None
        [away] = as_json()[1]["bus"]["groups"]
        assert there.keys() == away.keys()


class TestTheText:
    def test_is_at_most_80_columns_wide_and_tells_the_essential(self, client: Redis) -> None:
        topic = f"production-{'learning-badges-lifecycle-' * 3}{uuid.uuid4()}"
        client.xgroup_create(topic, GROUP, mkstream=True)
        seen(topic, "credentials-1", events=123456, awards=1, last_error="OperationalError at badges/a.py:7. " * 5)
        seen(topic, "credentials-2", minutes_ago=10)
        seen(topic, "credentials-3", minutes_ago=90, stopped=True)
        put(client, topic, 5, hours_ago=3)
        take(client, topic, 2, "credentials-2")
        _, text = run()
        assert max(len(line) for line in text.splitlines()) <= WIDTH
        told = " ".join(text.split())
        for part in (
            "3 3 h 2 3 h",
            "credentials-1: running, seen 0 s ago; 123456 events, 1 award since",
            "credentials-2: not seen for 10 min; 2 pending;",
            "credentials-3: stopped 1 h ago",
        ):
            assert part in told, text

    def test_only_counts_consumers_that_are_long_gone_and_hold_nothing(
        self, topic: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        day = 86_400
        told = tuple(ConsumerStats(f"c{n}", int(n == 0), 2 * day) for n in range(4))
        monkeypatch.setattr(groups, "group_stats", lambda *asked: GroupStats(consumers=told))
        seen(topic, minutes_ago=3 * 24 * 60)
        text = run()[1]
        assert "c0: not seen for 2 d; 1 pending" in text
        assert "c1" not in text
        assert "4 consumers were not seen for over a day, and hold nothing" in text


@pytest.mark.parametrize("number", [1, 20])
def test_costs_one_query_however_many_consumers_there_are(
    number: int, topic: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for place in range(number):
        seen(topic, str(place))
    with django_assert_num_queries(1):
        assert len(groups.read_bus().groups[0].consumers) == number
