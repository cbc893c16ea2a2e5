"""Credly's webhooks: a short notice of an event, which is then asked for at Credly (Webhooks, "Receiving Events").

Credly signs nothing, so a notice proves nothing: of it only the identifiers are used, and only to ask.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, cast

from attrs import field, frozen
from django.utils.translation import gettext_lazy as _

from badges.changes import ProviderEvent
from badges.data import Notice, WebhookRequest
from badges.exceptions import (
    ConfigurationError,
    NoSuchEvent,
    NotShown,
    ProviderRejected,
    UnexpectedAnswer,
    WebhookRefused,
)
from badges.providers.answers import Record, identifier, moment, text
from badges.providers.base import Provider
from badges.providers.credly.events import read_event
from badges.providers.webhooks import Webhooks

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise as StrOrPromise

    from badges.providers.credly.client import CredlyClient
    from badges.providers.credly.provider import CredlyProvider

LONGEST_TYPE = 100
MAY_COME_EARLY = timedelta(minutes=10)
"""So long after an event, what it names may be something that cannot be read yet."""
_ABOUT_ONE = ("badge.", "badge_template.")
"""Event types that are about what they name. A user's badges may be another organization's."""
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TYPE = re.compile(rf"[!-~]{{1,{LONGEST_TYPE}}}")


class CredlyWebhooks(Webhooks):
    """How Credly calls back: with the secret in the address, and an event that it confirms when it is asked."""

    setup_steps: ClassVar[tuple[StrOrPromise, ...]] = (
        _("At Credly, choose Organization Management, then Developers, then Webhooks."),
        _("Enter the address above as the webhook URL of the organization."),
        _("Choose the events that are sent. All have an effect here; needed are those of badges and badge templates."),
        _("Save, and send one: it appears here, at Webhook events."),
    )

    def read(self, request: WebhookRequest) -> Notice:
        """What a notice says. Keys that are not documented are left out: "adding attributes" is no change at Credly."""
        try:
            found = json.loads(request.body)
        except (ValueError, RecursionError):
            raise WebhookRefused("The body is not JSON.") from None
        if not isinstance(found, dict):
            raise WebhookRefused("The body is not a JSON object.")
        event_type = found.get("event_type")
        if not isinstance(event_type, str) or not _TYPE.fullmatch(event_type):
            raise WebhookRefused('"event_type" is missing, or is no event type.')
        return Notice(
            event_id=_uuid(found, "id"),
            event_type=event_type,
            occurred_at=moment(found, "occurred_at"),
            account_external_id=_uuid(found, "organization_id"),
        )

    def event(self, provider: Provider | None, notice: Notice, body: bytes) -> ProviderEvent:
        """The event as Credly tells it; nothing of the notice but its identifier.

        Raises:
            ConfigurationError: there is no provider to ask.
        """
        if provider is None:
            raise ConfigurationError(
                "Credly's events are asked for at Credly, and the account cannot be used for that."
            )
        client, organization = cast("CredlyProvider", provider).client, provider.account.external_id.lower()
        answer = _asked(client, notice.event_id)
        if identifier(answer, "id").lower() != notice.event_id:
            raise UnexpectedAnswer("Credly did not answer with the event asked for. It is asked for again later.")
        if identifier(answer, "organization_id").lower() != organization:
            raise UnexpectedAnswer(
                "Credly answered an event of another organization than the one asked for. It is asked for again later."
            )
        event_type, occurred_at = text(answer, "event_type"), moment(answer, "occurred_at")
        if not _TYPE.fullmatch(event_type) or occurred_at is None:
            raise UnexpectedAnswer(
                "Credly answered an event without its type or its time. It is asked for again later."
            )
        look_up = _LookUp(client)
        changes, note = read_event(answer, event_type, occurred_at, organization, look_up)
        is_young = datetime.now(UTC) - occurred_at < MAY_COME_EARLY
        if not changes and look_up.missed and is_young and event_type.startswith(_ABOUT_ONE):
            raise NotShown("Credly does not show (yet) what the event is about. It is asked for again later.")
        return ProviderEvent(
            event_id=notice.event_id, event_type=event_type, occurred_at=occurred_at, changes=changes, note=note
        )


@frozen
class _LookUp:
    """Asks Credly for what an event only names."""

    client: CredlyClient
    missed: list[str] = field(factory=list)
    """What it does not have."""

    def badge(self, external_id: str) -> Record | None:
        """A badge of the organization; None where it has no such badge."""
        return self._noted(external_id, _named(lambda: self.client.badge(external_id, ()), external_id))

    def template(self, external_id: str) -> Record | None:
        """A badge template of the organization; None where it has no such template."""
        return self._noted(external_id, _named(lambda: self.client.badge_template(external_id), external_id))

    def _noted(self, external_id: str, found: Record | None) -> Record | None:
        if found is None:
            self.missed.append(external_id)
        return found


def _named(ask: Callable[[], Record], external_id: str) -> Record | None:
    try:
        found = ask()
    except ProviderRejected as missing:
        # No word is needed on the organization: it has just answered the event.
        if missing.status_code == 404:
            return None
        raise
    if identifier(found, "id").lower() != external_id.lower():
        raise UnexpectedAnswer("Credly did not answer with what an event names. The event is asked for again later.")
    return found


def _asked(client: CredlyClient, event_id: str) -> Record:
    try:
        return client.event(event_id)
    except ProviderRejected as missing:
        if missing.status_code != 404:
            raise
    # A wrong organization gives 404 as well; this raises then.
    client.organization()
    raise NoSuchEvent("Credly knows no event with this identifier.", status_code=404)


def _uuid(value: Mapping[str, object], key: str) -> str:
    found = value.get(key)
    if not isinstance(found, str) or not _UUID.fullmatch(found.lower()):
        raise WebhookRefused(f'"{key}" is missing, or is no UUID.')
    return found.lower()
