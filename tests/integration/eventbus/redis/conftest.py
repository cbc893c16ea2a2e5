"""Fixtures of the tests of our consumer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from badges.eventbus.redis import presence
from badges.models import BadgeTemplate
from tests.factories import BadgeTemplateFactory
from tests.integration.eventbus.redis.bus import QUICK, Bus
from tests.integration.processing.helpers import passes


@pytest.fixture
def bus(transactional_db: None, redis_url: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bus]:
    """A topic, with a Redis that answers."""
    # So often a consumer lets a test look.
    monkeypatch.setattr(presence, "SHOW_EVERY", 0.02)
    settings.EVENT_BUS_REDIS_CONNECTION_URL = redis_url
    settings.BADGES_CONFIG = {"consumer": QUICK}
    bus = Bus(redis_url)
    yield bus
    bus.client.close()


@pytest.fixture
def template(transactional_db: None) -> BadgeTemplate:
    """A badge for those who pass."""
    template: BadgeTemplate = BadgeTemplateFactory()
    passes(template)
    return template
