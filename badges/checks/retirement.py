"""Checks of the events that tell of a learner's retirement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error

from badges.conf import BadgesConfig, get_config
from badges.exceptions import ConfigurationError, RuleError
from badges.rules.schema import event_schema
from badges.toggles import is_badges_enabled


def check_retirement(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Whether each of the events can retire a learner, and nothing else."""
    if not is_badges_enabled():
        return []
    try:
        return list(_events(get_config()))
    except ConfigurationError:
        # The check of the settings tells of it.
        return []


def _events(config: BadgesConfig) -> Iterator[CheckMessage]:
    for event_type in config.retirement.events:
        if event_type in config.events:
            yield Error(
                f'The type {event_type} is in BADGES_CONFIG["retirement"]["events"] and in BADGES_CONFIG["events"]: '
                "its learners would be retired, and no badge of theirs would be processed.",
                hint="Leave it in one of the two lists.",
                id="badges.E022",
            )
        try:
            schema = event_schema(event_type)
        except RuleError as error:
            yield Error(
                f'BADGES_CONFIG["retirement"]["events"]: {error} Nobody would be retired by it.',
                hint="Signals of other packages must be imported before, for example in their AppConfig.ready().",
                id="badges.E020",
            )
            continue
        if schema.learner_path is None:
            yield Error(
                f'BADGES_CONFIG["retirement"]["events"]: events of type {event_type} name no learner: their payload '
                "has no UserData as user or student_user. Nobody would be retired by them.",
                hint="Remove the type, or choose one whose payload carries the learner.",
                id="badges.E021",
            )
