"""What a consumer is asked to do: the arguments of ``consume_events`` and its ``--extra``, over the settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from attrs import frozen
from django.conf import settings

from badges.conf import ConsumerSettings, get_config
from badges.exceptions import ConfigurationError

MOST_MESSAGES = 10_000
"""In one batch: more would be one transaction of minutes."""
LONGEST_MS = 24 * 3600 * 1000
LONGEST_NAME = 191
"""Longer names do not fit the consumer's row."""
_MESSAGE_ID = re.compile(r"\d{1,20}(-\d{1,20})?|\$")
EXTRA = ("consumer_name", "last_read_msg_id", "check_backlog", "claim_msgs_older_than", "batch_size", "max_wait_ms")
"""The keys of ``--extra``; all but the last two are those of event-bus-redis."""


@frozen
class Options:
    """One consumer's options, read and found right."""

    topic: str
    """Without its prefix."""
    group_id: str
    consumer_name: str
    last_read_msg_id: str | None
    check_backlog: bool | None
    """None where nothing is said of it."""
    claim_after: float
    """Seconds."""
    batch_size: int
    max_wait: float
    """Seconds."""
    settings: ConsumerSettings
    poll_failure_sleep: float
    """Seconds; the first pause when Redis fails."""
    errors_limit: int | None


def read_options(topic: object, group_id: object, extra: Mapping[str, object]) -> Options:
    """Check what a consumer was constructed with. Does not ask Redis.

    Arguments:
        topic: without its prefix.
        group_id: the consumer group.
        extra: the keys of ``--extra``; None counts as absent.

    Raises:
        ConfigurationError: something is unknown or has a wrong value; one sentence.
    """
    given = {key: value for key, value in extra.items() if value is not None}
    if unknown := sorted(set(extra) - set(EXTRA)):
        raise ConfigurationError(f'--extra has the unknown key "{unknown[0]}". Known: {", ".join(EXTRA)}.')
    if "consumer_name" not in given:
        raise ConfigurationError(
            '--extra must have a "consumer_name" that no other consumer of the group has and that stays the same, '
            """for example --extra '{"consumer_name": "credentials_dev.consumer1"}'."""
        )
    config = get_config().consumer
    longest_wait = _seconds("EVENT_BUS_REDIS_CONSUMER_POLL_TIMEOUT", 60.0)
    max_wait = _whole(given, "max_wait_ms", 1, LONGEST_MS, config.max_wait_ms) / 1000
    return Options(
        topic=_name("-t/--topic", topic),
        group_id=_name("-g/--group_id", group_id),
        consumer_name=_name('"consumer_name" in --extra', given["consumer_name"]),
        last_read_msg_id=_message_id(given.get("last_read_msg_id")),
        check_backlog=_flag(given, "check_backlog"),
        claim_after=_whole(given, "claim_msgs_older_than", 0, 10 * LONGEST_MS, config.claim_after * 1000) / 1000,
        batch_size=int(_whole(given, "batch_size", 1, MOST_MESSAGES, config.batch_size)),
        max_wait=min(max_wait, longest_wait or max_wait),
        settings=config,
        poll_failure_sleep=_seconds("EVENT_BUS_REDIS_CONSUMER_POLL_FAILURE_SLEEP", 1.0),
        errors_limit=_limit(),
    )


def _name(what: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > LONGEST_NAME:
        raise ConfigurationError(f"{what} must be a text of 1 to {LONGEST_NAME} characters.")
    return value


def _message_id(value: object) -> str | None:
    if value is None:
        return None
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not _MESSAGE_ID.fullmatch(text):
        raise ConfigurationError(
            '"last_read_msg_id" in --extra must be the id of a message, for example "1679676448892-0", or "0" for all.'
        )
    return text


def _flag(given: Mapping[str, object], key: str) -> bool | None:
    value = given.get(key)
    if value is not None and not isinstance(value, bool):
        raise ConfigurationError(f'"{key}" in --extra must be true or false, without quotes.')
    return value


def _whole(given: Mapping[str, object], key: str, least: int, most: int, default: float) -> float:
    value = given.get(key, default)
    if key not in given:
        return float(default)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ConfigurationError(f'"{key}" in --extra must be a whole number from {least} to {most}, without quotes.')
    return value


def _seconds(name: str, default: float) -> float:
    value: Any = getattr(settings, name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise ConfigurationError(f"{name} must be a number of seconds.")
    return float(value)


def _limit() -> int | None:
    value: Any = getattr(settings, "EVENT_BUS_REDIS_CONSUMER_CONSECUTIVE_ERRORS_LIMIT", None)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        raise ConfigurationError("EVENT_BUS_REDIS_CONSUMER_CONSECUTIVE_ERRORS_LIMIT must be a whole number, or None.")
    return value or None
