"""Credly as a test of webhooks sees it: what happens there is posted here, and confirmed when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import responses
from attrs import define
from django.urls import reverse
from django.utils import timezone

from badges import models
from badges.providers.answers import Record
from badges.providers.credly.events import read_event
from badges.webhooks.applying import apply
from badges.webhooks.processing import process_due
from tests import credly_events, factories
from tests.credly_events import Held
from tests.integration.webhooks.sending import post

API = "https://api.credly.com/v1/organizations"


@contextmanager
def credly() -> Iterator[responses.RequestsMock]:
    """Credly's API; only what is registered can be asked for."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@define
class World:
    """An organization at Credly, and its account here."""

    mock: responses.RequestsMock
    account: models.CredlyOrganization
    template: models.BadgeTemplate
    learner: Any

    def happens(self, event_type: str, at: float = 0, **values: Any) -> models.WebhookEvent:
        """An event is posted and processed; its row in the inbox as it is then."""
        return self.tell(credly_events.event(event_type, at, **values))

    def tell(self, answer: dict[str, Any]) -> models.WebhookEvent:
        """The same for an event as Credly answers it."""
        path = reverse("badges:webhook-secret", args=["credly", self.account.pk, str(self.account.webhook_secret)])
        self.answer(f"events/{answer['id']}", answer)
        response = post(path, credly_events.notice(answer))
        assert response.status_code == 200
        models.WebhookEvent.objects.filter(status="failed").update(next_attempt_at=timezone.now())
        process_due()
        return models.WebhookEvent.objects.get(event_id=answer["id"])

    def answer(self, path: str, value: object) -> None:
        """What Credly answers below the organization from now on."""
        self.mock.upsert("GET", f"{API}/{self.account.external_id}/{path}", json={"data": value, "metadata": {}})

    def own_badge(self, **values: Any) -> models.Badge:
        """Our award, which was issued as the usual badge of the tests."""
        badge: models.Badge = factories.BadgeFactory(
            user=self.learner, template=self.template, **{"external_id": credly_events.BADGE, **values}
        )
        factories.DeliveryFactory(badge=badge, status="done")
        return badge


def make_world(mock: responses.RequestsMock) -> World:
    """An organization with a template, and a learner to whom the usual badge of the tests is issued."""
    account = factories.CredlyOrganizationFactory(external_id=credly_events.ORGANIZATION)
    template = factories.CredlyBadgeTemplateFactory(account=account, external_id=credly_events.TEMPLATE, name="Python")
    return World(mock, account, template, factories.UserFactory(username="anna"))


def apply_event(answer: Record, account: models.ProviderAccount, held: Held | None = None) -> list[str]:
    """Apply an event as Credly answers it, without a request; what it changed, in sentences."""
    at = credly_events.moment_of(answer)
    changes, note = read_event(answer, str(answer["event_type"]), at, account.external_id or "", held or Held())
    event = credly_events.provider_event(answer, changes, note)
    return apply(event, account)
