"""The toy provider's webhooks: a plug-in that brings its own, and edits nothing else."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from badges.models import ProviderAccount, ProviderBadge
from tests.factories import moment
from tests.integration.webhooks.contract import WebhookContract
from tests.toy_provider import client
from tests.toy_provider.client import ToyBadge, ToyEvent


class TestContract(WebhookContract):
    """The contract, through the registry."""

    slug = "toy"
    config: ClassVar[dict[str, Any]] = {"providers": {"toy": "tests.toy_provider.provider.ToyProvider"}}
    account_key = "shelf"
    lies: ClassVar[dict[str, str]] = {"kind": "tampered", "at": "2099-01-01T00:00:00Z"}

    @pytest.fixture(autouse=True)
    def _empty_shelf(self) -> Iterator[None]:
        client.reset()
        yield
        client.reset()

    def make_account(self) -> ProviderAccount:
        shelf = f"shelf-{uuid.uuid4()}"
        return ProviderAccount.objects.create(provider="toy", name="Toys", external_id=shelf, api_key=client.KEY)

    def message(self, account: ProviderAccount, number: int) -> dict[str, Any]:
        kind = "given" if number == 1 else "taken"
        return {
            "id": f"{account.external_id}:{number}",
            "shelf": account.external_id,
            "kind": kind,
            "at": moment(number).isoformat(),
        }

    def answer(self, account: ProviderAccount, number: int) -> None:
        message = self.message(account, number)
        badge = ToyBadge("T1", "", client.TEMPLATES[0], "anna@example.com", state=message["kind"])
        event = ToyEvent(message["id"], message["kind"], moment(number), badge)
        client.shelf().events[event.number] = event

    def deny(self, account: ProviderAccount, number: int) -> None:
        client.shelf().events.pop(self.message(account, number)["id"], None)

    def state(self, account: ProviderAccount) -> object:
        return list(ProviderBadge.objects.filter(account=account).values_list("external_id", "state", "state_at"))
