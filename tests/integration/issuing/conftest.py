"""Fixtures of the tests of issuing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from badges.issuing import awards
from badges.models import Badge, BadgeTemplate
from tests.factories import UserFactory, moment
from tests.integration.issuing.scripted import ScriptedProvider, scripted_template


@pytest.fixture
def provider(settings: Any) -> Iterator[type[ScriptedProvider]]:
    """The scripted provider, registered and empty."""
    yield from ScriptedProvider.registered(settings)


@pytest.fixture
def template(provider: type[ScriptedProvider], db: None) -> BadgeTemplate:
    """A template at the scripted provider."""
    return scripted_template()


@pytest.fixture
def badge(template: BadgeTemplate) -> Badge:
    """An awarded badge whose deliveries wait."""
    return awards.award(UserFactory(), {template.pk: moment(5)})[0]
