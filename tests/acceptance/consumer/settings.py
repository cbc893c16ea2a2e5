"""The tests' settings, with the consumer of this app, and a witness in each process."""

from __future__ import annotations

import os
from typing import Any

from settings_test import *  # noqa: F403 - settings build upon settings
from settings_test import INSTALLED_APPS

EVENT_BUS_CONSUMER = os.environ["BADGES_TEST_CONSUMER"]
# Before openedx_events: its own consume_events would be found first.
INSTALLED_APPS.remove("badges")
INSTALLED_APPS.insert(0, "badges")
if "BADGES_TEST_WITNESS" in os.environ:
    INSTALLED_APPS.append("tests.acceptance.consumer.witness")
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    # One line for each event that is sent is too much.
    "loggers": {"openedx_events": {"level": "WARNING"}},
    "root": {"handlers": ["console"], "level": "INFO"},
}
