"""A provider that is added by registration alone: from the event to the badge at the provider, and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from openedx_events.learning.signals import COURSE_PASSING_STATUS_UPDATED

from badges.issuing.sync.run import sync_templates
from badges.models import Badge, BadgeTemplate, ProviderAccount
from tests import factories
from tests.factories import COURSE
from tests.integration.processing.helpers import fails, passes
from tests.toy_provider import client

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _toy(settings: Any) -> Iterator[None]:
    """The one line that registers it, and an empty shelf."""
    settings.BADGES_CONFIG = {"providers": {"toy": "tests.toy_provider.provider.ToyProvider"}}
    client.reset()
    yield
    client.reset()


@pytest.fixture
def template() -> BadgeTemplate:
    """A template that came by synchronization, active, for passing the course and lost by failing it."""
    account = ProviderAccount.objects.create(provider="toy", name="Toys", api_key=client.KEY)
    sync_templates(account)
    template = BadgeTemplate.objects.get(external_id=client.TEMPLATES[0])
    fails(template, passes(template))
    template.is_active = True
    template.full_clean()
    template.save()
    return template


def send(*, is_passing: bool, at: float) -> None:
    """The signal, as the consumer sends it."""
    COURSE_PASSING_STATUS_UPDATED.send_event_with_custom_metadata(
        factories.metadata(at=at),
        course_passing_status=factories.passing_status("anna", course=COURSE, is_passing=is_passing),
    )


def test_an_event_gives_a_badge_at_the_provider(template: BadgeTemplate) -> None:
    send(is_passing=True, at=1)

    badge = Badge.objects.get()
    held = client.ToyClient(client.KEY).find(str(badge.uuid))
    assert held is not None
    assert (badge.external_id, badge.state) == (held.number, "given")
    assert badge.url.endswith(f"/badges/{held.number}")


def test_a_penalty_takes_the_badge_away_at_the_provider(template: BadgeTemplate) -> None:
    send(is_passing=True, at=1)
    send(is_passing=False, at=2)

    badge = Badge.objects.get()
    held = client.ToyClient(client.KEY).find(str(badge.uuid))
    assert held is not None
    assert (badge.status, badge.state) == ("revoked", held.state)
    assert held.state != "given"
