"""Credly's webhooks keep the contract of every provider's."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
import responses

from badges.models import Badge, ProviderAccount
from tests import credly_events as at_credly
from tests import factories
from tests.integration.webhooks.contract import WebhookContract
from tests.integration.webhooks.credly import API, credly


class TestContract(WebhookContract):
    """The contract: 1 is the issue of a badge that we awarded, 2 that the learner accepts it."""

    slug = "credly"
    account_key = "organization_id"
    mock: ClassVar[responses.RequestsMock]

    @pytest.fixture(autouse=True)
    def _credly(self) -> Iterator[None]:
        with credly() as mock:
            type(self).mock = mock
            yield

    def make_account(self) -> ProviderAccount:
        account = factories.CredlyOrganizationFactory()
        template = factories.CredlyBadgeTemplateFactory(account=account, external_id=at_credly.TEMPLATE)
        factories.BadgeFactory(template=template)
        return ProviderAccount.objects.get(pk=account.pk)

    def message(self, account: ProviderAccount, number: int) -> dict[str, Any]:
        event = self._event(account, number)
        return {key: event[key] for key in ("id", "organization_id", "event_type", "occurred_at")}

    def answer(self, account: ProviderAccount, number: int) -> None:
        event = self._event(account, number)
        self._answers(account, number, {"json": {"data": event, "metadata": {}}})

    def deny(self, account: ProviderAccount, number: int) -> None:
        self._answers(account, number, {"status": 404, "json": {"data": {"message": "Not found"}}})

    def state(self, account: ProviderAccount) -> object:
        badges = Badge.objects.filter(template__account=account)
        return list(badges.values_list("external_id", "state", "state_at", "url", "is_public", "status"))

    def _event(self, account: ProviderAccount, number: int) -> dict[str, Any]:
        names = {1: "badge.created", 2: "badge.state.changed"}
        own_id = str(Badge.objects.get(template__account=account).uuid)
        about = at_credly.badge(
            state="accepted" if number == 2 else "pending",
            state_updated_at=at_credly.time(number),
            issuer_earner_id=own_id,
        )
        values = {"badge": about} if number in names else {"badge_template": at_credly.template()}
        return {
            **at_credly.event(names.get(number, "badge_template.changed"), number, **values),
            "id": str(uuid.uuid5(uuid.UUID(account.external_id or ""), str(number))),
            "organization_id": account.external_id,
        }

    def _answers(self, account: ProviderAccount, number: int, answer: dict[str, Any]) -> None:
        organization = f"{API}/{account.external_id}"
        self.mock.upsert("GET", f"{organization}/events/{self._event(account, number)['id']}", **answer)
        self.mock.upsert("GET", organization, json={"data": {"id": account.external_id, "name": "Academy"}})
