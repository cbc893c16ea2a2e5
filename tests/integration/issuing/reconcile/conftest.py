"""Fixtures of the tests of reconciling: a provider that lists its badges."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from badges.issuing import awards
from badges.issuing.deliveries import run_due
from badges.models import Badge, BadgeTemplate
from tests.factories import UserFactory, moment
from tests.integration.issuing.reconcile.listing import SETTINGS, ListingProvider
from tests.integration.issuing.scripted import scripted_template


@pytest.fixture
def provider(settings: Any) -> Iterator[type[ListingProvider]]:
    """The listing provider, registered and empty."""
    settings.BADGES_CONFIG = SETTINGS
    ListingProvider.reset()
    yield ListingProvider
    ListingProvider.reset()


@pytest.fixture
def template(provider: type[ListingProvider], db: None) -> BadgeTemplate:
    """A template at the listing provider."""
    return scripted_template()


@pytest.fixture
def badge(template: BadgeTemplate) -> Badge:
    """A badge that was issued."""
    [badge] = awards.award(UserFactory(), {template.pk: moment(5)})
    run_due(badge.pk)
    badge.refresh_from_db()
    ListingProvider.calls.clear()
    return badge
