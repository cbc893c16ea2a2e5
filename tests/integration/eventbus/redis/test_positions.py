"""A group goes on where it stopped; nothing that was not read is ever skipped (facts L3, L4, L9)."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from tests.integration.eventbus.redis.bus import GROUP, QUICK, Bus, holders, once, told

pytestmark = pytest.mark.usefixtures("template")


@pytest.mark.parametrize("check_backlog", [True, False, None])
def test_what_was_published_while_no_consumer_ran_is_processed_by_the_next(
    bus: Bus, check_backlog: bool | None
) -> None:
    bus.produce("anna")
    bus.consume(check_backlog=check_backlog)
    bus.produce("berta", "clara")

    bus.consume(check_backlog=check_backlog)

    assert holders() == ["anna", "berta", "clara"]


def test_a_second_consumer_that_joins_drops_nothing(bus: Bus) -> None:
    bus.consume()
    bus.produce("anna", "berta", "clara")
    bus.take_and_die("one", 1)

    bus.consume("two", check_backlog=False)

    assert holders() == ["berta", "clara"]
    bus.consume("one")
    assert holders() == ["anna", "berta", "clara"]


def test_a_new_group_starts_at_the_end_where_the_setting_says_so(bus: Bus, settings: Settings) -> None:
    settings.BADGES_CONFIG = {"consumer": {**QUICK, "start": "end"}}
    bus.produce("anna")
    bus.consume()
    bus.produce("berta")

    bus.consume()

    assert holders() == ["berta"]


def test_a_group_that_is_gone_and_was_known_is_read_from_the_beginning_all_the_same(
    bus: Bus, settings: Settings
) -> None:
    settings.BADGES_CONFIG = {"consumer": {**QUICK, "start": "end"}}
    bus.consume()
    bus.client.xgroup_destroy(bus.stream, GROUP)
    bus.produce("anna")

    bus.consume()

    assert holders() == ["anna"]


def test_a_consumer_that_never_reached_redis_makes_no_group_known(bus: Bus, settings: Settings) -> None:
    settings.BADGES_CONFIG = {"consumer": {**QUICK, "start": "end"}}
    settings.EVENT_BUS_REDIS_CONSUMER_CONSECUTIVE_ERRORS_LIMIT = 1
    url, settings.EVENT_BUS_REDIS_CONNECTION_URL = settings.EVENT_BUS_REDIS_CONNECTION_URL, "redis://127.0.0.1:1/0"
    with pytest.raises(SystemExit):
        bus.consume()
    settings.EVENT_BUS_REDIS_CONNECTION_URL = url
    bus.produce("anna")

    bus.consume()

    assert holders() == []


def test_a_redis_that_lost_everything_under_it_is_gone_on_with(
    bus: Bus, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.EVENT_BUS_REDIS_CONSUMER_POLL_FAILURE_SLEEP = 0.001
    bus.produce("anna")
    lose = once(lambda: bus.client.delete(bus.stream), lambda: bus.produce("berta"))

    def forget() -> bool:
        if holders() == ["anna"]:
            lose()
        return "berta" in holders()

    bus.consume_until(forget)

    assert holders() == ["anna", "berta"]
    assert "append-only file" in told(caplog, "group_made_anew")[0]


def test_last_read_msg_id_is_where_a_new_group_starts(bus: Bus) -> None:
    first, *_ = bus.produce("anna", "berta", "clara")

    bus.consume(last_read_msg_id=first)

    assert holders() == ["berta", "clara"]


def test_last_read_msg_id_goes_back_once(bus: Bus, caplog: pytest.LogCaptureFixture) -> None:
    first, *_ = bus.produce("anna", "berta", "clara")
    bus.consume()

    consumer = bus.consume(last_read_msg_id=first)

    assert consumer.tally.events == 2
    assert "Take last_read_msg_id out of the command" in told(caplog, "group_went_back")[0]
    assert bus.consume().tally.events == 0


def test_going_forward_over_what_was_not_read_is_refused(bus: Bus, caplog: pytest.LogCaptureFixture) -> None:
    bus.consume()
    *_, last = bus.produce("anna", "berta", "clara")

    bus.consume(last_read_msg_id=last)

    assert holders() == ["anna", "berta", "clara"]
    assert "would skip messages that were not read" in told(caplog, "position_refused")[0]


def test_an_id_that_is_yet_to_come_skips_nothing(bus: Bus) -> None:
    bus.consume()

    bus.consume(last_read_msg_id="99999999999999-0")
    bus.produce("anna")
    bus.consume()

    assert holders() == ["anna"]


@pytest.mark.parametrize("is_new", [True, False])
def test_the_end_as_last_read_msg_id_is_refused(bus: Bus, caplog: pytest.LogCaptureFixture, is_new: bool) -> None:
    if not is_new:
        bus.consume()
    bus.produce("anna")

    bus.consume(last_read_msg_id="$")

    assert holders() == ["anna"]
    assert 'last_read_msg_id is "$"' in told(caplog, "position_refused")[0]
