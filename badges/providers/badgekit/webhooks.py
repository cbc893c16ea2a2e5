"""BadgeKit's system callbacks: what they say and mean.

Source: BadgeKit API, "System Callbacks (Webhooks)". BadgeKit sends each one once, and never again. It signs the body
and nothing else, so that nothing tells a message that is sent again by a stranger from the first one, but its content:
that is its identifier here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from badges.changes import BadgeChange, Change, ProviderEvent, ReviewChange, TemplateChange
from badges.conf import get_config
from badges.data import IssuedBadge, ListedBadge, Notice, WebhookRequest
from badges.exceptions import ProviderRejected, WebhookRefused
from badges.providers.answers import own_uuid
from badges.providers.badgekit import assertions
from badges.providers.badgekit.messages import (
    AwardMessage,
    Message,
    OtherMessage,
    ReviewMessage,
    RevokeMessage,
    read_message,
)
from badges.providers.badgekit.signing import is_signed
from badges.providers.base import Provider
from badges.providers.registry import provider_settings
from badges.providers.webhooks import Webhooks

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise as StrOrPromise

SLUG = "badgekit"
AWARDED, REVOKED = "awarded", "revoked"
"""BadgeKit has no states: an instance is there, or it is not."""
OVERTAKEN = timedelta(minutes=5)
"""By so much an award counts as older than it says: messages overtake each other, and BadgeKit's clock may be wrong. An
instance that was deleted never comes back."""
# Databases may take capitals and small letters, and blanks at the end, for the same.
_READABLE = re.compile(r"[a-z0-9][a-z0-9_.-]{0,149}")


class BadgeKitWebhooks(Webhooks):
    """How BadgeKit calls back."""

    secret_in_address: ClassVar[bool] = False
    is_confirmed_by_provider: ClassVar[bool] = False
    setup_steps: ClassVar[tuple[StrOrPromise, ...]] = (
        _("In the database of your BadgeKit API, look for the system in the table of systems, and note its id."),
        _("Add a row to the table of webhooks: as url the address above, as secret the secret above, and that id."),
        _(
            "Only one row of a system is used. Where there is one already, change it, or enter its secret here, under "
            "Secret of its webhook."
        ),
        _("BadgeKit sends each message once. What it sent while this service was away is found by reconcile_badges."),
    )

    def is_genuine(self, request: WebhookRequest, secrets: Sequence[str]) -> bool:
        """Whether the body is signed with one of the secrets."""
        return is_signed(request.headers.get("authorization", ""), request.body, secrets)

    def read(self, request: WebhookRequest) -> Notice:
        """What a message says. One without a time of its own is of the moment when it comes in.

        Raises:
            WebhookRefused: it is not what BadgeKit sends.
        """
        message, now = read_message(request.body), datetime.now(UTC)
        issued_on = message.issued_on if isinstance(message, AwardMessage) else None
        return Notice(
            event_id=_event_id(message, request.body),
            event_type=_action(message),
            # Who awards a badge can date it into the future; nothing that is sent has happened then.
            occurred_at=min(issued_on or now, now),
        )

    def event(self, provider: Provider | None, notice: Notice, body: bytes) -> ProviderEvent:
        """What a message means.

        Raises:
            ProviderError: the message cannot be read; or its assertion had to be looked at, and could not be.
        """
        try:
            message = read_message(body)
        except WebhookRefused as refusal:
            raise ProviderRejected(f"The message cannot be read: {refusal}") from None
        at = notice.occurred_at or datetime.now(UTC)
        changes = tuple(_changes(message, at))
        return ProviderEvent(
            event_id=notice.event_id,
            event_type=_action(message),
            occurred_at=at,
            changes=changes,
            note="" if changes else gettext("BadgeKit documents no such action, and nothing here depends on it."),
        )


def _changes(message: Message, at: datetime) -> Iterator[Change]:
    """The badge first, so that a system that cannot be asked for its badges has brought it here."""
    if isinstance(message, AwardMessage | ReviewMessage) and message.template is not None:
        yield TemplateChange(message.template, at)
    match message:
        case AwardMessage():
            yield _award(message, at)
        case RevokeMessage():
            yield _revocation(message, at)
        case ReviewMessage():
            yield _review(message, at)


def _award(message: AwardMessage, at: datetime) -> BadgeChange:
    since = at - OVERTAKEN
    listed = ListedBadge(
        badge=IssuedBadge(external_id=message.uid, state=AWARDED, url=message.assertion_url, state_at=since),
        own_id=own_uuid({"uid": message.uid}, "uid"),
        template_external_id=_badge_of(message),
        email=message.email,
        issued_at=message.issued_on or at,
    )
    return BadgeChange(badge=listed, at=since)


def _badge_of(message: AwardMessage) -> str:
    """The slug of the awarded badge: the message's word, but where it may be that of a milestone."""
    if message.badge_slug and message.has_comment:
        return message.badge_slug
    if not assertions.may_be_asked(message.assertion_url, provider_settings(SLUG)):
        return message.badge_slug
    return assertions.badge_of(message.assertion_url, get_config().http)


def _revocation(message: RevokeMessage, at: datetime) -> BadgeChange:
    held = IssuedBadge(external_id=message.uid, state=REVOKED, is_valid=False, is_revoked=True, state_at=at)
    listed = ListedBadge(
        badge=held,
        own_id=own_uuid({"uid": message.uid}, "uid"),
        template_external_id=message.badge_slug,
        email=message.email,
    )
    return BadgeChange(badge=listed, at=at)


def _review(message: ReviewMessage, at: datetime) -> ReviewChange:
    return ReviewChange(
        application_slug=message.application_slug,
        application_id=message.application_number,
        learner_email=message.learner_email,
        template_external_id=message.badge_slug,
        applied_at=min(message.applied_at or at, at),
        review_slug=message.slug,
        review_id=message.number,
        author_email=message.author_email,
        comment=message.comment,
        items=message.items,
        is_approved=message.is_approved,
        at=at,
        evidence=message.evidence,
    )


def _action(message: Message) -> str:
    match message:
        case AwardMessage():
            return "award"
        case RevokeMessage():
            return "revoke"
        case ReviewMessage():
            return "review"
        case OtherMessage():
            return message.action


def _event_id(message: Message, body: bytes) -> str:
    match message:
        case AwardMessage():
            return f"award:{_key(message.uid)}"
        case RevokeMessage():
            return f"revoke:{_key(message.uid)}"
        case ReviewMessage():
            # A change of a review is another message about the same review.
            return f"review:{_key(message.slug)}:{hashlib.sha256(body).hexdigest()[:32]}"
        case OtherMessage():
            return f"other:{hashlib.sha256(body).hexdigest()}"


def _key(identifier: str) -> str:
    """An identifier as it stands, where every database tells it from all others; else a hash of it."""
    if _READABLE.fullmatch(identifier):
        return identifier
    return f"sha256-{hashlib.sha256(identifier.encode()).hexdigest()}"
