"""What a consumer is asked to do is read at once and as a whole; what is wrong is told in one sentence."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import Settings

from badges.eventbus.redis import DurableConsumer
from badges.eventbus.redis.options import Options, read_options
from badges.exceptions import ConfigurationError

NAME = {"consumer_name": "one"}


def options(**extra: Any) -> Options:
    return read_options("topic", "group", {**NAME, **extra})


def test_the_settings_are_the_defaults(settings: Settings) -> None:
    settings.BADGES_CONFIG = {"consumer": {"batch_size": 7, "max_wait_ms": 250, "claim_after": 3}}

    read = options()

    assert (read.batch_size, read.max_wait, read.claim_after) == (7, 0.25, 3)
    assert (read.last_read_msg_id, read.check_backlog, read.errors_limit) == (None, None, None)


def test_extra_goes_over_the_settings(settings: Settings) -> None:
    settings.BADGES_CONFIG = {"consumer": {"batch_size": 7, "max_wait_ms": 250, "claim_after": 3}}

    read = options(batch_size=9, max_wait_ms=100, claim_msgs_older_than=500)

    assert (read.batch_size, read.max_wait, read.claim_after) == (9, 0.1, 0.5)


def test_null_in_extra_is_as_good_as_nothing() -> None:
    assert options(batch_size=None, last_read_msg_id=None) == options()


@pytest.mark.parametrize("given", ["0", "$", "1679676448892-0", "1679676448892", 0])
def test_ids_of_messages_are_taken_as_redis_takes_them(given: object) -> None:
    assert options(last_read_msg_id=given).last_read_msg_id == str(given)


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"batch_size": "20"}, '"batch_size" in --extra must be a whole number from 1 to 10000, without quotes.'),
        ({"batch_size": 0}, '"batch_size" in --extra'),
        ({"batch_size": 20_000}, '"batch_size" in --extra'),
        ({"batch_size": 1.5}, '"batch_size" in --extra'),
        ({"batch_size": True}, '"batch_size" in --extra'),
        ({"max_wait_ms": 0}, '"max_wait_ms" in --extra must be a whole number from 1 to'),
        ({"max_wait_ms": "1000"}, '"max_wait_ms" in --extra'),
        ({"claim_msgs_older_than": -1}, '"claim_msgs_older_than" in --extra must be a whole number from 0 to'),
        ({"claim_msgs_older_than": "60000"}, '"claim_msgs_older_than" in --extra'),
        ({"check_backlog": "true"}, '"check_backlog" in --extra must be true or false, without quotes.'),
        ({"last_read_msg_id": "yesterday"}, '"last_read_msg_id" in --extra must be the id of a message'),
        ({"last_read_msg_id": ""}, '"last_read_msg_id" in --extra'),
        ({"last_read_msg_id": True}, '"last_read_msg_id" in --extra'),
        ({"consumer_name": 7}, '"consumer_name" in --extra must be a text of 1 to 191 characters.'),
        ({"consumer_name": " "}, '"consumer_name" in --extra'),
        ({"consumer_name": "x" * 192}, '"consumer_name" in --extra'),
        ({"consumer_name": None}, '--extra must have a "consumer_name"'),
        ({"checkbacklog": True}, '--extra has the unknown key "checkbacklog". Known: consumer_name, last_read_msg_id'),
    ],
)
def test_what_is_wrong_is_told(extra: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        options(**extra)

    assert words in str(caught.value)


@pytest.mark.parametrize("value", [-1, "soon", True, float("nan")])
def test_wrong_settings_of_the_bus_are_told(settings: Settings, value: object) -> None:
    settings.EVENT_BUS_REDIS_CONSUMER_POLL_FAILURE_SLEEP = value

    with pytest.raises(ConfigurationError, match="EVENT_BUS_REDIS_CONSUMER_POLL_FAILURE_SLEEP must be a number"):
        options()


def test_the_poll_timeout_of_the_bus_is_an_upper_bound(settings: Settings) -> None:
    settings.EVENT_BUS_REDIS_CONSUMER_POLL_TIMEOUT = 2

    assert options(max_wait_ms=60_000).max_wait == 2
    assert options(max_wait_ms=500).max_wait == 0.5


@pytest.mark.parametrize(("limit", "read"), [(None, None), (0, None), (5, 5)])
def test_the_limit_of_errors_in_a_row(settings: Settings, limit: object, read: object) -> None:
    settings.EVENT_BUS_REDIS_CONSUMER_CONSECUTIVE_ERRORS_LIMIT = limit

    assert options().errors_limit == read


def test_constructing_a_consumer_never_fails(settings: Settings) -> None:
    """openedx-events takes an error there for a missing setting, and goes on with a consumer that does nothing."""
    settings.EVENT_BUS_REDIS_CONNECTION_URL = "redis://127.0.0.1:1/0"

    assert DurableConsumer("topic", "group", "one").problem is None
    assert DurableConsumer("topic", "group").problem is not None
    assert DurableConsumer("topic", "group", "one", strange=1).problem is not None


def test_a_consumer_with_a_problem_says_so_and_ends_with_1(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(SystemExit) as ended:
        DurableConsumer("topic", "group", "one", batch_size="20").consume_indefinitely()  # type: ignore[arg-type]

    assert ended.value.code == 1
    assert 'The consumer cannot start: "batch_size" in --extra' in caplog.text


def test_it_takes_the_arguments_of_the_stock_consumer_in_their_order() -> None:
    consumer = DurableConsumer("topic", "group", "one", "5-0", True, 1000)

    assert consumer.options is not None
    assert (consumer.options.last_read_msg_id, consumer.options.check_backlog) == ("5-0", True)
    assert consumer.options.claim_after == 1
