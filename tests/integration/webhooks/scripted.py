"""A provider whose answers to the question for an event are what a test says."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any, ClassVar

from badges.changes import EmploymentChange, EmploymentData, ProviderEvent
from badges.data import Notice, WebhookRequest
from badges.models import ProviderAccount, WebhookEvent
from badges.providers.base import Provider
from badges.providers.webhooks import Webhooks
from tests.factories import moment
from tests.integration.issuing.scripted import ScriptedProvider

Answer = Exception | ProviderEvent | Callable[[Notice], ProviderEvent]


class ScriptedWebhooks(Webhooks):
    """Takes the next answer of the script; without one, an event that says that an employee is there."""

    script: ClassVar[list[Answer]] = []
    asked: ClassVar[list[str]] = []

    def read(self, request: WebhookRequest) -> Notice:
        said = json.loads(request.body)
        return Notice(said["id"], said["type"], moment(said["at"]), said.get("account", ""))

    def event(self, provider: Provider | None, notice: Notice, body: bytes) -> ProviderEvent:
        self.asked.append(notice.event_id)
        answer = self.script.pop(0) if self.script else told
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, ProviderEvent) else answer(notice)


class CallingProvider(ScriptedProvider):
    """The scripted provider, that calls back."""

    webhooks = ScriptedWebhooks


class SignedWebhooks(ScriptedWebhooks):
    """The same of a provider that is not asked, because it signs what it sends."""

    secret_in_address = False
    is_confirmed_by_provider = False


class SigningProvider(ScriptedProvider):
    """The scripted provider, that signs."""

    slug = "signing"
    webhooks = SignedWebhooks


CONFIG: dict[str, Any] = {
    "providers": {
        "scripted": "tests.integration.webhooks.scripted.CallingProvider",
        "signing": "tests.integration.webhooks.scripted.SigningProvider",
    }
}


def employee(number: str = "e1", at: float = 1) -> EmploymentChange:
    """A change that leaves a row."""
    return EmploymentChange(EmploymentData(number), moment(at))


def told(notice: Notice) -> ProviderEvent:
    """The event that was asked for."""
    at = notice.occurred_at or moment(0)
    return ProviderEvent(notice.event_id, notice.event_type, at, (EmploymentChange(EmploymentData("e1"), at),))


def make_account(provider: str = "scripted", **values: Any) -> ProviderAccount:
    """An account whose key is good."""
    values = {"external_id": str(uuid.uuid4()), "api_key": "very-secret-key", **values}
    return ProviderAccount.objects.create(provider=provider, name="Scripted", **values)


def received(account: ProviderAccount, number: int = 1, **values: Any) -> WebhookEvent:
    """An event in the inbox."""
    fixed = {"event_type": "employee", "is_proven": True, "occurred_at": moment(number), "body": "{}"}
    return WebhookEvent.objects.create(account=account, event_id=f"event-{number}", **{**fixed, **values})
