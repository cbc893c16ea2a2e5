"""What a test class of a provider's webhooks gives, and what the tests of the contract do with it."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from badges.models import ProviderAccount, WebhookEvent
from badges.providers.registry import provider_class
from badges.providers.webhooks import Webhooks
from tests.integration.webhooks.sending import encoded, post

Status = WebhookEvent.Status
GENEROUS = {"calls": 1_000_000, "refused_calls": 1_000_000}
WRONG = "a-secret-that-nobody-gave"


@pytest.mark.django_db
class ContractBase(abc.ABC):
    """Inherited by way of :class:`tests.integration.webhooks.contract.WebhookContract`, which says how."""

    slug: ClassVar[str]
    config: ClassVar[Mapping[str, Any]] = {}
    account_key: ClassVar[str] = ""
    lies: ClassVar[Mapping[str, str]] = {"event_type": "tampered", "occurred_at": "2099-01-01T00:00:00Z"}

    @abc.abstractmethod
    def make_account(self) -> ProviderAccount: ...

    @abc.abstractmethod
    def message(self, account: ProviderAccount, number: int) -> dict[str, Any]: ...

    @abc.abstractmethod
    def state(self, account: ProviderAccount) -> object: ...

    def answer(self, account: ProviderAccount, number: int) -> None:  # noqa: B027
        """The provider confirms this event from now on. A provider that is not asked needs nothing."""

    def deny(self, account: ProviderAccount, number: int) -> None:  # noqa: B027
        """The provider knows no such event. A provider that is not asked needs nothing."""

    def sign(self, body: bytes, secret: str) -> dict[str, str]:
        """The headers that prove a body. Where the address carries the secret, there are none."""
        return {}

    # What the tests below use.
    @pytest.fixture(autouse=True)
    def _settings(self, settings: Any) -> Any:
        self.settings = settings
        self.configure()
        cache.clear()
        yield
        cache.clear()

    @pytest.fixture
    def account(self, _settings: None) -> ProviderAccount:
        return self.make_account()

    def configure(self, **webhooks: Any) -> None:
        self.settings.BADGES_CONFIG = {**self.config, "webhooks": {**GENEROUS, **webhooks}}

    @property
    def webhooks(self) -> type[Webhooks]:
        found = provider_class(self.slug).webhooks
        assert found is not None
        return found

    def path(self, account_id: int, secret: str) -> str:
        if self.webhooks.secret_in_address:
            return reverse("badges:webhook-secret", args=[self.slug, account_id, secret])
        return reverse("badges:webhook-account", args=[self.slug, account_id])

    def send(
        self, account: ProviderAccount, body: bytes, *, secret: str | None = None, client: Client | None = None
    ) -> HttpResponse:
        """Post a body with a secret, by default the account's."""
        secret = str(account.webhook_secret) if secret is None else secret
        return post(self.path(account.pk, secret), body, self.sign(body, secret), client)

    def send_event(self, account: ProviderAccount, number: int, **options: Any) -> HttpResponse:
        return self.send(account, encoded(self.message(account, number)), **options)

    def rows(self) -> list[tuple[str, bool, int]]:
        return list(WebhookEvent.objects.order_by("pk").values_list("status", "is_proven", "times_received"))
