"""What keeps ``catch_up`` from its end is told in a sentence, with where to go on; and nothing is lost by it."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
import redis
from django.db import DatabaseError, OperationalError
from pytest_django import Settings

from badges.models import Badge, DeadEvent
from badges.processing.catching_up import catch_up
from tests.factories import BadgeTemplateFactory
from tests.integration.bus_messages import Bus
from tests.integration.processing.helpers import passes

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _template() -> None:
    passes(BadgeTemplateFactory())


def usernames() -> set[str]:
    return set(Badge.objects.values_list("user__username", flat=True))


def test_redis_that_is_away_is_told_in_a_sentence(bus: Bus, settings: Settings) -> None:
    settings.EVENT_BUS_REDIS_CONNECTION_URL = "redis://:very-secret@127.0.0.1:1/0"
    ended = bus.catch_up("--from-id", "0")
    assert ended.status == 1
    assert "Redis does not answer (ConnectionError)" in ended.errors
    assert "very-secret" not in ended.errors


@pytest.mark.filterwarnings("ignore:Cannot configure event-bus-redis")
@pytest.mark.parametrize("url", [None, "http://127.0.0.1"])
def test_a_redis_that_is_not_configured_is_told(bus: Bus, settings: Settings, url: str | None) -> None:
    settings.EVENT_BUS_REDIS_CONNECTION_URL = url
    ended = bus.catch_up("--from-id", "0")
    assert (ended.status, "EVENT_BUS_REDIS_CONNECTION_URL" in ended.errors) == (1, True)


def test_a_stream_that_does_not_exist_is_told(bus: Bus) -> None:
    ended = bus.catch_up("--from-id", "0")
    assert ended.status == 1
    assert f'There is no stream "{bus.stream}".' in ended.errors


def test_a_key_that_is_no_stream_is_told(bus: Bus) -> None:
    bus.client.set(bus.stream, "no stream")
    ended = bus.catch_up("--from-id", "0")
    assert (ended.status, "does not let it be read: WRONGTYPE" in ended.errors) == (1, True)


def test_redis_that_goes_away_tells_where_to_go_on(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [bus.put("anna"), bus.put("ben")]

    def then_gone(events: Any, **options: Any) -> Any:
        done = catch_up(events, **options)
        monkeypatch.setattr("redis.Redis.xrange", gone)
        return done

    def gone(*args: Any, **kwargs: Any) -> None:
        raise redis.ConnectionError("gone")

    monkeypatch.setattr("badges.eventbus.redis.rereading.catch_up", then_gone)
    ended = bus.catch_up("--from-id", "0", "--batch-size", "1")

    assert ended.status == 1
    assert f"Go on with --from-id {ids[0]}; what was done stands." in ended.errors
    assert "Read 1 message," in ended.out


def test_a_database_that_fails_tells_where_to_go_on(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(events: Any) -> None:
        raise OperationalError(1213, "Deadlock found")

    monkeypatch.setattr("badges.processing.catching_up.process_batch", fail)
    bus.put()
    ended = bus.catch_up("--from-id", "0")
    assert ended.status == 1
    assert "The database cannot be used (OperationalError). Go on with --from-id 0" in ended.errors
    assert not DeadEvent.objects.exists()


def test_an_event_that_can_neither_be_processed_nor_stored_ends_it(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**values: Any) -> None:
        raise DatabaseError("Failing row contains (anna@example.com).")

    monkeypatch.setattr(DeadEvent.objects, "create", refuse)
    bus.put("x" * 200)
    ended = bus.catch_up("--from-id", "0")
    assert (ended.status, "could be neither processed" in ended.errors) == (1, True)
    assert "example.com" not in ended.errors


def test_a_signal_ends_it_after_the_page_in_hand(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(events: Any, **options: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return catch_up(events, **options)

    monkeypatch.setattr("badges.eventbus.redis.rereading.catch_up", interrupted)
    ids = [bus.put("anna"), bus.put("ben")]

    ended = bus.catch_up("--from-id", "0", "--batch-size", "1")

    assert ended.status == 1
    assert f"Ended by a signal. Go on with --from-id {ids[0]}" in ended.errors
    assert usernames() == {"anna"}


def test_the_feature_that_is_off_processes_nothing(bus: Bus, settings: Settings) -> None:
    bus.put()
    settings.BADGES_ENABLED = False
    assert (bus.catch_up("--from-id", "0").status, usernames()) == (1, set())
