"""System checks of the event bus: what may be lost on the way, and the one line that changes it."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest
from django.core.checks import CheckMessage
from openedx_events.event_bus import EventBusConsumer
from pytest_django import Settings

from badges.checks import bus, check_event_bus
from badges.eventbus.kinds import DURABLE_CONSUMER, ConsumerKind, consumer_kind

STOCK = "edx_event_bus_redis.RedisEventConsumer"
KAFKA = "edx_event_bus_kafka.KafkaEventConsumer"
REDIS = "redis://localhost:6379/0"
TOPIC = {"learning-badges-lifecycle": {"event_key_field": "badge.uuid", "enabled": True}}


@pytest.fixture(autouse=True)
def project(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A project in which all is well; gives the apps of its commands."""
    settings.EVENT_BUS_CONSUMER = DURABLE_CONSUMER
    settings.EVENT_BUS_PRODUCER = "edx_event_bus_redis.create_producer"
    settings.EVENT_BUS_REDIS_CONNECTION_URL = REDIS
    settings.EVENT_BUS_PRODUCER_CONFIG = {
        f"org.openedx.learning.badge.{what}.v1": TOPIC for what in ("awarded", "revoked")
    }
    monkeypatch.setattr("redis.__version__", "8.1.0")
    commands = {"consume_events": "badges"}
    monkeypatch.setattr(bus, "get_commands", lambda: commands)
    return commands


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package event-bus-kafka, as far as it is named."""
    package = ModuleType("edx_event_bus_kafka")
    consumer = type("KafkaEventConsumer", (EventBusConsumer,), {"__module__": "edx_event_bus_kafka.internal.consumer"})
    vars(package)["KafkaEventConsumer"] = consumer
    monkeypatch.setitem(sys.modules, "edx_event_bus_kafka", package)


def told() -> list[CheckMessage]:
    messages = check_event_bus(None)
    assert all(message.hint for message in messages)
    return messages


def ids() -> list[str]:
    return [str(message.id).removeprefix("badges.") for message in told()]


def test_all_is_well_with_the_consumer_of_this_app() -> None:
    assert ids() == []


def test_nothing_is_said_while_the_feature_is_off(settings: Settings) -> None:
    settings.BADGES_ENABLED = False
    settings.EVENT_BUS_CONSUMER = settings.EVENT_BUS_PRODUCER = None
    assert ids() == []


class TestTheStockRedisConsumer:
    @pytest.fixture(autouse=True)
    def stock(self, settings: Settings) -> None:
        settings.EVENT_BUS_CONSUMER = STOCK
        settings.EVENT_BUS_REDIS_CONNECTION_URL = f"{REDIS}?socket_timeout=90"

    def test_is_warned_of_with_what_is_at_risk_and_the_line_that_changes_it(self) -> None:
        [message] = told()
        assert message.id == "badges.W012"
        for risk in ("database goes away", "error", "restart", "check_backlog"):
            assert risk in message.msg
        assert 'EVENT_BUS_CONSUMER = "badges.eventbus.redis.DurableConsumer"' in str(message.hint)

    def test_is_warned_of_whichever_consume_events_wins(self, project: dict[str, str]) -> None:
        project["consume_events"] = "openedx_events"
        assert ids() == ["W012"]

    def test_needs_a_longer_socket_timeout_than_newer_clients_have(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.EVENT_BUS_REDIS_CONNECTION_URL = REDIS
        assert ids() == ["W012", "W006"]
        monkeypatch.setattr("redis.__version__", "7.1.0")
        assert ids() == ["W012"]


class TestTheConsumerOfThisApp:
    def test_does_not_care_for_the_socket_timeout(self, settings: Settings) -> None:
        settings.EVENT_BUS_REDIS_CONNECTION_URL = f"{REDIS}?socket_timeout=1"
        assert ids() == []

    @pytest.mark.parametrize("winner", ["openedx_events", "another_app"])
    def test_is_told_to_stand_before_the_stock_command(self, project: dict[str, str], winner: str) -> None:
        project["consume_events"] = winner
        [message] = told()
        assert message.id == "badges.W013"
        assert f"is the command of {winner}" in message.msg
        assert message.hint == 'Put "badges" before "openedx_events" in INSTALLED_APPS.'

    @pytest.mark.parametrize(("url", "expected"), [(None, ["W005"]), ("", ["W005"]), ("redis://[oops", ["E013"])])
    def test_needs_the_address_of_its_redis(self, settings: Settings, url: str | None, expected: list[str]) -> None:
        settings.EVENT_BUS_REDIS_CONNECTION_URL = url
        assert ids() == expected


@pytest.mark.usefixtures("kafka")
def test_what_remains_at_risk_with_kafka_is_told_as_an_information(settings: Settings) -> None:
    settings.EVENT_BUS_CONSUMER = KAFKA
    settings.EVENT_BUS_REDIS_CONNECTION_URL = None
    [message] = told()
    assert (message.id, message.is_serious(), message.level) == ("badges.I001", False, 20)
    for told_of in ("dead event", "waited for", "starts with the next event"):
        assert told_of in message.msg


@pytest.mark.parametrize("path", ["badges.eventbus.Misspelt", "nowhere.Consumer"])
def test_a_consumer_that_cannot_be_imported_is_an_error(settings: Settings, path: str) -> None:
    settings.EVENT_BUS_CONSUMER = path
    [message] = told()
    assert message.id == "badges.E014"
    assert path in message.msg


def test_no_consumer_and_no_producer_are_told(settings: Settings) -> None:
    settings.EVENT_BUS_CONSUMER = settings.EVENT_BUS_PRODUCER = None
    consumer, producer = told()
    assert (consumer.id, producer.id) == ("badges.W003", "badges.W004")
    assert DURABLE_CONSUMER in str(consumer.hint)


@pytest.mark.parametrize("config", [{}, None, {"learning-badges-lifecycle": {"enabled": False}}])
def test_announcements_that_reach_no_topic_are_told(settings: Settings, config: Any) -> None:
    settings.EVENT_BUS_PRODUCER_CONFIG = {
        f"org.openedx.learning.badge.{what}.v1": config for what in ("awarded", "revoked")
    }
    assert ids() == ["W007", "W007"]


class Foreign(EventBusConsumer):
    """A consumer of no bus that is known."""

    def consume_indefinitely(self) -> None:
        """Do nothing."""


@pytest.mark.usefixtures("kafka")
@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (None, ConsumerKind.NONE),
        ("", ConsumerKind.NONE),
        (DURABLE_CONSUMER, ConsumerKind.DURABLE),
        (STOCK, ConsumerKind.STOCK_REDIS),
        (KAFKA, ConsumerKind.KAFKA),
        (f"{__name__}.Foreign", ConsumerKind.OTHER),
        (f"{__name__}.StockWithMore", ConsumerKind.STOCK_REDIS),
        ("badges.nowhere", ConsumerKind.BROKEN),
    ],
)
def test_a_consumer_is_known_by_what_it_is_derived_from(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, path: str | None, kind: ConsumerKind
) -> None:
    from edx_event_bus_redis import RedisEventConsumer

    derived = type("StockWithMore", (RedisEventConsumer,), {"__module__": __name__})
    monkeypatch.setitem(globals(), "StockWithMore", derived)
    settings.EVENT_BUS_CONSUMER = path
    assert consumer_kind() is kind
