"""Fixtures of the tests of privacy: a provider that deletes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from badges.models import BadgeTemplate
from tests.integration.issuing.erasing import ErasingProvider
from tests.integration.issuing.scripted import scripted_template


@pytest.fixture
def provider(settings: Any) -> Iterator[type[ErasingProvider]]:
    """The only provider, and empty."""
    yield from ErasingProvider.registered(settings)


@pytest.fixture
def template(provider: type[ErasingProvider], transactional_db: None) -> BadgeTemplate:
    """A template at this provider."""
    return scripted_template()
