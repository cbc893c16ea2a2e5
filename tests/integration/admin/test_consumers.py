"""The consumers of the event bus: what they do, how far their groups are, and forgetting those that are gone."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.html import strip_tags
from pytest_django import DjangoAssertNumQueries, Settings
from redis import Redis

from badges.eventbus.groups import read_bus
from badges.eventbus.kinds import DURABLE_CONSUMER
from badges.eventbus.redis.stats import connect
from badges.models import BusConsumer
from demo.processes import free_port
from tests import factories
from tests.integration.admin.pages import Staff, act, messages, url

pytestmark = pytest.mark.django_db
GROUP = "credentials"


@pytest.fixture(autouse=True)
def _durable(settings: Settings, redis_url: str) -> None:
    settings.EVENT_BUS_CONSUMER = DURABLE_CONSUMER
    settings.EVENT_BUS_REDIS_CONNECTION_URL = redis_url


@pytest.fixture
def client_of_redis() -> Iterator[Redis]:
    with closing(connect()) as client:
        yield client


@pytest.fixture
def topic(client_of_redis: Redis) -> str:
    """A stream of its own, with the group: five messages three hours old, of which "one" holds two."""
    name = f"test-{uuid.uuid4()}"
    at = int((time.time() - 3 * 3600) * 1000)
    client_of_redis.xgroup_create(name, GROUP, mkstream=True)
    for place in range(5):
        client_of_redis.xadd(name, {"event_data": b"x"}, id=f"{at}-{place + 1}")
    client_of_redis.xreadgroup(GROUP, "one", {name: ">"}, count=2)
    return name


def seen(topic: str, name: str = "one", *, ago: timedelta = timedelta(0), **values: Any) -> BusConsumer:
    at = timezone.now() - ago
    kept = {"topic": topic, "group_id": GROUP, "name": name, "started_at": at, "seen_at": at}
    return BusConsumer.objects.create(**(kept | values))


def text(response: Any) -> str:
    """The page's text without tags, its white space made one space."""
    assert response.status_code == 200
    cells_apart = response.content.decode().replace("</t", " </t").replace("&nbsp;", " ").replace("\xa0", " ")
    return " ".join(strip_tags(cells_apart).split())


class TestTheList:
    def test_tells_what_each_consumer_does(self, admin_client: Client, topic: str) -> None:
        hour = timedelta(hours=1)
        seen(topic, "one", events=123, awards=4)
        seen(topic, "two", ago=hour, last_error="It broke.")
        seen(topic, "three", ago=hour, stopped_at=timezone.now() - hour)
        page = text(admin_client.get(url("busconsumer")))
        for told in (f"one running 123 4 - {topic} / {GROUP}", "not seen for 1 hour 0 0 It broke.", "stopped"):
            assert told in page

    def test_tells_how_far_each_group_is(self, admin_client: Client, topic: str) -> None:
        seen(topic)
        seen(topic, "two")
        page = text(admin_client.get(url("busconsumer")))
        told = (
            f"{topic} / {GROUP}: 3 unread events, the oldest is 3 hours old. "
            "Pending: 2 events, the oldest is 3 hours old."
        )
        assert page.count(told) == 1
        assert "No consumer is there to read" not in page

    def test_says_where_nobody_reads(self, admin_client: Client, client_of_redis: Redis) -> None:
        name = f"test-{uuid.uuid4()}"
        client_of_redis.xgroup_create(name, GROUP, mkstream=True)
        client_of_redis.xadd(name, {"event_data": b"x"})
        seen(name, ago=timedelta(minutes=6))
        page = text(admin_client.get(url("busconsumer")))
        assert "1 unread event, less than a minute old. No consumer is there to read. Pending: none." in page

    def test_says_where_a_group_is_through_and_where_it_is_gone(
        self, admin_client: Client, client_of_redis: Redis
    ) -> None:
        name = f"test-{uuid.uuid4()}"
        client_of_redis.xgroup_create(name, GROUP, mkstream=True)
        seen(name)
        seen(f"{name}-gone")
        page = text(admin_client.get(url("busconsumer")))
        assert f"{name} / {GROUP}: Nothing is unread. Pending: none." in page
        assert f"{name}-gone / {GROUP}: The bus knows no such group." in page

    def test_leads_to_the_dead_events_that_wait(self, admin_client: Client) -> None:
        assert "No dead events wait." in text(admin_client.get(url("busconsumer")))
        waiting = factories.DeadEventFactory()
        factories.DeadEventFactory(status="replayed")
        response = admin_client.get(url("busconsumer"))
        address = f"{url('deadevent')}?status__exact=waiting"
        assert "1 dead event waits" in text(response)
        assert f'href="{address}"' in response.content.decode()
        assert list(admin_client.get(address).context["cl"].result_list) == [waiting]

    def test_works_where_redis_is_away(self, admin_client: Client, settings: Settings, topic: str) -> None:
        seen(topic)
        settings.EVENT_BUS_REDIS_CONNECTION_URL = f"redis://:secret@127.0.0.1:{free_port()}/0"
        page = text(admin_client.get(url("busconsumer")))
        assert "The event bus&#x27;s Redis does not answer (ConnectionError)." in page
        assert "running" in page
        assert "secret" not in page

    def test_says_that_another_bus_is_not_asked(self, admin_client: Client, settings: Settings, topic: str) -> None:
        settings.EVENT_BUS_CONSUMER = f"{__name__}.Foreign"
        seen(topic)
        assert "which this app does not ask for its lag" in text(admin_client.get(url("busconsumer")))


class Foreign:
    """A consumer of no bus that is known."""


class TestThePage:
    def test_tells_everything_of_the_consumer_and_its_group(self, admin_client: Client, topic: str) -> None:
        row = seen(topic, events=123, awards=4, last_message_id="7-0", last_error="It broke.")
        page = text(admin_client.get(url("busconsumer", row.pk, "change")))
        for told in (
            "running",
            "7-0",
            "123",
            "It broke.",
            "3 unread events, the oldest is 3 hours old.",
            "2 events, the oldest is 3 hours old",
            "one: 2 pending, idle for less than a minute",
        ):
            assert told in page

    def test_works_where_redis_is_away(self, admin_client: Client, settings: Settings, topic: str) -> None:
        row = seen(topic)
        settings.EVENT_BUS_REDIS_CONNECTION_URL = f"redis://127.0.0.1:{free_port()}/0"
        assert "Redis does not answer" in text(admin_client.get(url("busconsumer", row.pk, "change")))


@pytest.mark.parametrize("page", ["list", "row"])
def test_the_bus_is_asked_once_a_page(
    admin_client: Client, topic: str, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    rows = [seen(topic, name) for name in ("one", "two", "three")]
    asked: list[Any] = []

    def counted(*args: Any, **options: Any) -> Any:
        asked.append(options)
        return read_bus(*args, **options)

    monkeypatch.setattr("badges.admin.consumers.read_bus", counted)
    admin_client.get(url("busconsumer") if page == "list" else url("busconsumer", rows[0].pk, "change"))
    assert len(asked) == 1


def test_the_list_costs_the_same_for_one_row_and_for_many(
    admin_client: Client, topic: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    seen(topic)
    with django_assert_max_num_queries(15) as few:
        admin_client.get(url("busconsumer"))
    for place in range(30):
        seen(topic, str(place))
    with django_assert_max_num_queries(len(few.captured_queries)):
        admin_client.get(url("busconsumer"))


class TestForgetting:
    LONG = timedelta(days=1, minutes=1)

    def confirmed(self, client: Client, *rows: BusConsumer) -> Any:
        return act(client, "busconsumer", "delete_selected", *rows, post="yes")

    def test_takes_away_what_was_not_seen_for_a_day_once_it_is_confirmed(
        self, admin_client: Client, topic: str
    ) -> None:
        gone = seen(topic, ago=self.LONG)
        page = act(admin_client, "busconsumer", "delete_selected", gone)
        assert "Are you sure" in text(page)
        assert BusConsumer.objects.count() == 1
        self.confirmed(admin_client, gone)
        assert BusConsumer.objects.count() == 0

    def test_keeps_what_was_seen_within_a_day_and_says_so(self, admin_client: Client, topic: str) -> None:
        gone, there = seen(topic, "gone", ago=self.LONG), seen(topic, "there", ago=timedelta(hours=23))
        told = messages(self.confirmed(admin_client, gone, there))
        assert told[0] == "1 consumer was seen within a day, and is kept."
        assert list(BusConsumer.objects.all()) == [there]
        assert messages(self.confirmed(admin_client, there)) == [told[0]]
        assert list(BusConsumer.objects.all()) == [there]

    def test_is_offered_on_the_page_of_what_is_gone_alone(self, admin_client: Client, topic: str) -> None:
        gone, there = seen(topic, "gone", ago=self.LONG), seen(topic, "there")
        for row, status in ((gone, 200), (there, 403)):
            assert admin_client.get(url("busconsumer", row.pk, "delete")).status_code == status

    def test_needs_the_permission_to_delete(self, staff: Staff, topic: str) -> None:
        gone = seen(topic, ago=self.LONG)
        viewer = staff("view_busconsumer")
        assert "Forget selected consumers" not in text(viewer.get(url("busconsumer")))
        self.confirmed(viewer, gone)
        assert BusConsumer.objects.count() == 1
        allowed = staff("view_busconsumer", "delete_busconsumer")
        assert "Forget selected consumers" in text(allowed.get(url("busconsumer")))
        self.confirmed(allowed, gone)
        assert BusConsumer.objects.count() == 0

    def test_leaves_the_bus_as_it_is(self, admin_client: Client, topic: str, client_of_redis: Redis) -> None:
        self.confirmed(admin_client, seen(topic, ago=self.LONG))
        assert client_of_redis.xpending(topic, GROUP)["pending"] == 2


class TestTheScreen:
    def test_shows_and_changes_nothing(self, admin_client: Client, topic: str) -> None:
        row = seen(topic)
        assert 'name="_save"' not in admin_client.get(url("busconsumer", row.pk, "change")).content.decode()
        assert admin_client.get(url("busconsumer", "add")).status_code == 403
        assert admin_client.post(url("busconsumer", row.pk, "change"), {}).status_code == 403

    def test_is_for_those_who_may_view(self, staff: Staff, topic: str) -> None:
        row = seen(topic)
        allowed, refused = staff("view_busconsumer"), staff()
        for address in (url("busconsumer"), url("busconsumer", row.pk, "change")):
            assert allowed.get(address).status_code == 200
            assert refused.get(address).status_code == 403
