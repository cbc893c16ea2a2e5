"""What our consumer leaves behind is what ``badges_health`` tells of it."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from badges.eventbus.kinds import DURABLE_CONSUMER
from tests.integration.eventbus.redis.bus import GROUP, Bus
from tests.integration.test_health_command import as_json

pytestmark = pytest.mark.usefixtures("template")


@pytest.fixture(autouse=True)
def _durable(settings: Settings) -> None:
    settings.EVENT_BUS_CONSUMER = DURABLE_CONSUMER


def test_a_consumer_that_is_through_and_has_ended_is_well(bus: Bus) -> None:
    bus.produce("anna", "berta")
    bus.consume("one")

    status, found = as_json()

    [group] = found["bus"]["groups"]
    [consumer] = group["consumers"]
    assert (status, found["troubles"]) == (0, [])
    assert (group["topic"], group["group"], group["lag"], group["pending"]) == (bus.stream, GROUP, 0, 0)
    assert (consumer["name"], consumer["state"], consumer["events"], consumer["awards"]) == ("one", "stopped", 2, 2)


def test_what_came_since_is_unread(bus: Bus) -> None:
    bus.consume("one")
    bus.produce("anna", "berta", "carl")

    [group] = as_json()[1]["bus"]["groups"]

    assert (group["lag"], group["pending"], group["unattended"]) == (3, 0, False)


def test_a_running_consumer_is_running(bus: Bus) -> None:
    states: list[str] = []

    def look() -> bool:
        states.extend(one["state"] for group in as_json()[1]["bus"]["groups"] for one in group["consumers"])
        return bool(states)

    bus.produce("anna")
    bus.consume_until(look, "one")

    assert set(states) == {"running"}


def test_what_a_killed_consumer_took_is_pending(bus: Bus) -> None:
    bus.consume("one")
    bus.produce("anna", "berta")
    bus.take_and_die("two", 2)

    [group] = as_json()[1]["bus"]["groups"]

    assert (group["lag"], group["pending"]) == (0, 2)
    assert {one["name"]: one["pending"] for one in group["consumers"]}["two"] == 2
