"""The frozen objects that cross a boundary between the layers of this app."""

from __future__ import annotations

import enum
import uuid
from collections.abc import Mapping
from datetime import datetime

from attrs import field, frozen

OPENEDX_ORIGIN = "openedx"


class TemplateState(enum.StrEnum):
    """What the provider says of a template. Only an active one can be issued."""

    DRAFT = "draft"
    ACTIVE = "active"
    ARCHIVED = "archived"


@frozen
class Learner:
    """Who an event is about, as the event says it."""

    username: str
    email: str = field(default="", repr=False)
    name: str = field(default="", repr=False)
    is_active: bool = True
    lms_user_id: int | None = None


@frozen
class Origin:
    """Where on the bus an event came from."""

    topic: str
    """With its prefix: the name of the stream."""
    message_id: str


@frozen
class IncomingEvent:
    """One public signal as it was received."""

    event_type: str
    event_id: uuid.UUID
    time: datetime
    """When the sender says it happened; aware, UTC."""
    arguments: Mapping[str, object] = field(repr=False)
    """The signal's own keyword arguments: name -> data object."""
    metadata: object = field(factory=dict, repr=False)
    """The event's metadata: as the signal had it, or as JSON values."""
    origin: Origin | None = None
    """None where it did not come from a bus that this app reads itself."""


@frozen
class Account:
    """A provider account: what a client needs to call the provider on somebody's behalf."""

    provider: str
    name: str
    external_id: str = ""
    """Credly: the organization's UUID. Empty where the provider has no such thing."""
    api_key: str = field(default="", repr=False)
    client_id: str = ""
    """With one, ``api_key`` is the client's secret (OAuth 2 client credentials)."""


@frozen
class AccountInfo:
    """What the provider answered when an account was checked."""

    name: str


@frozen
class Criterion:
    """Something that earns a badge, as the provider describes it."""

    title: str = ""
    url: str = ""


@frozen
class ReviewCriterion:
    """What the provider reviews applications for a badge against."""

    external_id: int
    description: str
    is_required: bool = False
    note: str = ""
    """For reviewers."""


@frozen
class ProviderTemplate:
    """A badge template (Credly) or group (Accredible) as the provider lists it."""

    external_id: str
    name: str
    description: str = ""
    image_url: str = ""
    state: TemplateState = TemplateState.ACTIVE
    image_key: str = ""
    """Names the image where its address takes a call of its own: :meth:`badges.providers.base.Provider.image_url`."""
    skills: tuple[str, ...] = ()
    criteria: tuple[Criterion, ...] = ()
    review_criteria: tuple[ReviewCriterion, ...] | None = None
    """None where the provider reviews no applications."""
    changed_at: datetime | None = None
    """When it last changed, by the provider's clock; aware. None where the provider does not say."""


@frozen
class TemplatePage:
    """One page of a provider's list of templates."""

    number: int
    templates: tuple[ProviderTemplate, ...]
    total_pages: int | None = None


@frozen
class Award:
    """A badge to be issued: everything that a provider may want to know."""

    uuid: uuid.UUID
    """Our identifier of the badge. It travels with the request, so that the badge can be found again."""
    template_external_id: str
    email: str = field(repr=False)
    name: str = field(repr=False)
    issued_at: datetime = field()
    """When the learner earned it; aware."""
    description: str = ""

    @property
    def first_name(self) -> str:
        """All words of the name but the last; the whole name where it is one word."""
        words = self.name.split()
        return " ".join(words[:-1]) if len(words) > 1 else self.name.strip()

    @property
    def last_name(self) -> str:
        """The last word of the name. Credly requires one, so a one-word name is repeated."""
        words = self.name.split()
        return words[-1] if words else ""


@frozen
class IssuedBadge:
    """A badge as a provider holds it."""

    external_id: str
    state: str
    """The provider's own word."""
    url: str = ""
    """Where the learner sees or accepts it."""
    is_valid: bool = True
    """False where the provider says that it is revoked, rejected or expired."""
    is_revoked: bool = False
    """Whether the issuer took it away at the provider, as far as the provider tells that from other ends."""
    state_at: datetime | None = None
    """Since when it is in this state, by the provider's clock; aware. None where the provider does not say."""
    is_public: bool | None = None
    """Whether everybody may see it there; None where the provider does not say."""


@frozen
class ListedBadge:
    """A badge in a provider's list of all that it holds, with what it takes to find ours."""

    badge: IssuedBadge
    own_id: str = ""
    """Our identifier, as it travelled with the request; empty where the badge was issued by somebody else."""
    template_external_id: str = ""
    email: str = field(default="", repr=False)
    issued_at: datetime | None = None
    """When the learner got it; aware. None where the provider does not say."""


@frozen
class Exchange:
    """One call to a provider, as it may be kept: without secrets and personal data."""

    doing: str
    """What the call was for, as it stands after "while": "issuing a badge"."""
    method: str
    path: str
    """Below the API's base URL, without a query."""
    asked: str
    """The beginning of the request's body or query, redacted."""
    status: int | None
    """The HTTP status; None where there was no answer."""
    answered: str
    """The beginning of the answer, or what went wrong, redacted."""
    duration_ms: int
    changes: bool
    """Whether the provider was asked to do something."""


@frozen
class WebhookRequest:
    """A request that says to come from a provider, as it came in."""

    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    """Names in lower case."""
    secret: str = field(default="", repr=False)
    """The secret that stood in the address; empty where there was none."""


@frozen
class Notice:
    """What a webhook request says. Nothing of it is believed yet, but by whoever proved to be the sender."""

    event_id: str
    """Tells one event from others; the same each time that the provider repeats it."""
    event_type: str
    occurred_at: datetime | None = None
    """Aware."""
    account_external_id: str = ""
    """Whose event it is, where the request says so."""
