"""The tests' settings, with the consumer of somebody else: event-bus-redis's or event-bus-kafka's."""

from __future__ import annotations

import os

from settings_test import *  # noqa: F403 - settings build upon settings
from settings_test import INSTALLED_APPS as _APPS

# The first app that has a command decides: consume_events is to be that of openedx-events.
INSTALLED_APPS = ["openedx_events", *(app for app in _APPS if app != "openedx_events")]

EVENT_BUS_CONSUMER = os.environ["BADGES_TEST_BUS_CONSUMER"]
EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS = os.environ.get("BADGES_TEST_KAFKA_SERVERS")
EVENT_BUS_KAFKA_SCHEMA_REGISTRY_URL = os.environ.get("BADGES_TEST_KAFKA_REGISTRY")
