"""The toy provider's webhooks: it posts the number of an event, which is then asked for."""

from __future__ import annotations

import json
from datetime import datetime

from badges.changes import BadgeChange, ProviderEvent
from badges.data import IssuedBadge, ListedBadge, Notice, WebhookRequest
from badges.exceptions import WebhookRefused
from badges.providers.base import Provider
from badges.providers.webhooks import Webhooks
from tests.toy_provider.client import ToyClient


class ToyWebhooks(Webhooks):
    """The body is ``{"id": ..., "shelf": ..., "kind": ..., "at": ...}``; a shelf is an account."""

    def read(self, request: WebhookRequest) -> Notice:
        """What a request says."""
        try:
            said = json.loads(request.body)
            texts = {name: said[name] for name in ("id", "shelf", "kind", "at")}
            at = datetime.fromisoformat(texts["at"])
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise WebhookRefused("The toy provider sends an object with id, shelf, kind and at.") from error
        if not all(isinstance(text, str) and text for text in texts.values()) or at.tzinfo is None:
            raise WebhookRefused("The toy provider's words are texts, and its times have a zone.")
        return Notice(texts["id"], texts["kind"], at, texts["shelf"])

    def event(self, provider: Provider | None, notice: Notice, body: bytes) -> ProviderEvent:
        """The event as the backend knows it."""
        key = provider.account.api_key if provider is not None else ""
        event = ToyClient(key).event(notice.event_id)
        held, taken = event.badge, event.badge.state == "taken"
        issued = IssuedBadge(held.number, held.state, is_valid=not taken, is_revoked=taken, state_at=event.at)
        listed = ListedBadge(issued, held.reference, held.template, held.email)
        return ProviderEvent(event.number, event.kind, event.at, (BadgeChange(listed, event.at),))
