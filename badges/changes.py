"""What a provider's event means here: the frozen objects between a provider's webhooks and what they change.

A change carries the provider's own time of it (``at``, aware). What is older than what is known changes nothing.
"""

from __future__ import annotations

import enum
from datetime import datetime

from attrs import field, frozen

from badges.data import ListedBadge, ProviderTemplate


class Relation(enum.StrEnum):
    """Who issued a badge for whom."""

    OWN = "own"
    FOR_US = "for_us"
    """By another organization on behalf of the account's."""
    FOR_OTHER = "for_other"
    """By the account's organization on behalf of another."""


class Notified(enum.StrEnum):
    """To whom the provider sent a message about a badge that is not claimed."""

    SENT = "sent"
    NO_USER = "no_user"
    UNCONFIRMED_EMAIL = "unconfirmed_email"


@frozen
class BadgeChange:
    """A badge is now as it says."""

    badge: ListedBadge
    at: datetime
    relation: Relation = Relation.OWN
    other_organization: str = ""
    """The name or identifier of the other one; empty with ``OWN``."""
    is_deleted: bool = False
    replaces: str = ""
    """The provider's identifier of the badge whose place it took; empty where it took none."""


@frozen
class VisibilityChange:
    """A badge became visible to everybody, or invisible."""

    external_id: str
    is_public: bool
    at: datetime
    own_id: str = ""
    """Our identifier, where the provider gives it back."""


@frozen
class NotificationSent:
    """The provider sent the learner a message about a badge that is not claimed."""

    external_id: str
    kind: Notified
    at: datetime
    own_id: str = ""


@frozen
class TemplateChange:
    """A template was made or changed, and is now as it says."""

    template: ProviderTemplate
    at: datetime


@frozen
class TemplateRemoval:
    """A template is gone at the provider."""

    external_id: str
    at: datetime


@frozen
class EmployeeBadgeData:
    """A badge of an employee that the employer may see (Credly, Webhooks: "Workforce Event Api Responses")."""

    external_id: str
    issued_to: str = field(default="", repr=False)
    issued_to_first_name: str = field(default="", repr=False)
    issued_to_middle_name: str = field(default="", repr=False)
    issued_to_last_name: str = field(default="", repr=False)
    issued_at: datetime | None = None
    expires_at: datetime | None = None
    state: str = ""
    is_public: bool | None = None
    url: str = ""
    template_external_id: str = ""
    template_name: str = ""
    template_description: str = ""
    template_image_url: str = ""
    skills: tuple[str, ...] = ()
    issuer_name: str = ""
    issuer_image_url: str = ""


@frozen
class EmploymentData:
    """An employee as the provider shows it to the employer."""

    employment_id: str
    email: str = field(default="", repr=False)
    external_id: str = field(default="", repr=False)
    employed_since: datetime | None = None
    employee_state: str = ""
    employee_state_updated_at: datetime | None = None
    last_invitation_sent_at: datetime | None = None
    first_name: str = field(default="", repr=False)
    last_name: str = field(default="", repr=False)
    full_name: str = field(default="", repr=False)
    photo_url: str = field(default="", repr=False)
    team: str = field(default="", repr=False)
    position_title: str = field(default="", repr=False)
    manager_first_name: str = field(default="", repr=False)
    manager_last_name: str = field(default="", repr=False)
    manager_external_id: str = field(default="", repr=False)
    country: str = field(default="", repr=False)
    zip_code: str = field(default="", repr=False)
    state_or_province: str = field(default="", repr=False)
    department: str = field(default="", repr=False)


@frozen
class EmploymentChange:
    """An employee's record is now as it says, with all badges that the employer may see."""

    employment: EmploymentData
    at: datetime
    badges: tuple[EmployeeBadgeData, ...] | None = None
    """All of them; None where the provider did not list them."""
    added: EmployeeBadgeData | None = None
    """The badge that became visible to the employer, where the event is about one."""
    removed: str = ""
    """The identifier of the badge that is not visible any more; empty where the event is not about one."""
    has_provider_user: bool | None = None
    is_connected: bool = False
    """Whether the employee has just accepted the connection, so that all badges are to be refreshed once."""
    is_minimal: bool = False
    """Whether the provider shows no more than identifiers and address."""
    is_deleted: bool = False


@frozen
class ReviewItemData:
    """What a review says of one criterion."""

    criterion_id: int | None
    is_satisfied: bool
    comment: str = field(default="", repr=False)


@frozen
class ReviewChange:
    """An application was reviewed, or its review was changed (BadgeKit, System Callbacks: "New Application Review")."""

    application_slug: str
    application_id: int | None
    learner_email: str = field(repr=False)
    template_external_id: str
    applied_at: datetime
    review_slug: str
    review_id: int | None
    author_email: str = field(repr=False)
    comment: str = field(repr=False)
    items: tuple[ReviewItemData, ...]
    is_approved: bool
    at: datetime
    evidence: tuple[tuple[str, str, str], ...] = field(default=(), repr=False)
    """Of each: its address, its media type, the learner's reflection."""


Change = (
    BadgeChange
    | VisibilityChange
    | NotificationSent
    | TemplateChange
    | TemplateRemoval
    | EmploymentChange
    | ReviewChange
)


@frozen
class ProviderEvent:
    """An event as its provider tells it: the only thing that is believed."""

    event_id: str
    event_type: str
    occurred_at: datetime
    changes: tuple[Change, ...] = ()
    note: str = ""
    """Why it changes nothing, where it does not."""
