"""What several tests of webhooks need."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache

from badges.models import ProviderAccount
from badges.webhooks import telling
from tests.integration.issuing.scripted import ScriptedProvider
from tests.integration.webhooks import credly as at_credly
from tests.integration.webhooks import scripted
from tests.integration.webhooks.credly import World
from tests.integration.webhooks.scripted import ScriptedWebhooks


@pytest.fixture
def webhooks(settings: Any) -> Iterator[type[ScriptedWebhooks]]:
    """A provider that answers as told, registered, with an empty script."""
    settings.BADGES_CONFIG = scripted.CONFIG
    cache.clear()
    telling.told.clear()
    _forget()
    yield ScriptedWebhooks
    _forget()


@pytest.fixture
def scripted_account(webhooks: type[ScriptedWebhooks]) -> ProviderAccount:
    """An account at that provider."""
    return scripted.make_account()


def _forget() -> None:
    ScriptedProvider.reset()
    ScriptedWebhooks.script.clear()
    ScriptedWebhooks.asked.clear()


@pytest.fixture
def credly(db: None) -> Iterator[World]:
    """An organization at Credly whose events are posted here."""
    cache.clear()
    with at_credly.credly() as mock:
        yield at_credly.make_world(mock)
    cache.clear()
