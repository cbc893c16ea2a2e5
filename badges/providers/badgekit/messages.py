"""The messages of BadgeKit's system callbacks, read strictly where they name something and tolerantly elsewhere.

Source: BadgeKit API, "System Callbacks (Webhooks)". Its senders differ: ``badge`` and ``comment`` may be absent, and
``issuedOn`` is where whoever created the instance said a time of their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn

from attrs import field, frozen
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from badges.changes import ReviewItemData
from badges.data import ProviderTemplate
from badges.exceptions import WebhookRefused
from badges.providers.answers import Record, moment, text, url
from badges.providers.badgekit import reading
from badges.rules.payload import storable_text

LONGEST_ID = 255
LONGEST_EMAIL = 254
LONGEST_ACTION = 100
LATEST_SECOND = 2**33
"""In the year 2242: later ones are milliseconds, or nonsense."""
_LARGEST_NUMBER = 2**63
_DIGITS_OF_A_TIME = 10
_LONGEST_MEDIA_TYPE = 100
_NOT_IN_EMAIL = frozenset(' \t\r\n[]()<>",;:\\')
_TRUE: tuple[Any, ...] = (True, 1, "1", "true")


@frozen
class AwardMessage:
    """A badge instance was created."""

    uid: str
    email: str = field(repr=False)
    assertion_url: str = field(repr=False)
    issued_on: datetime | None
    """Aware; None where the message does not say."""
    badge_slug: str
    """Empty where the message does not say."""
    has_comment: bool
    """Whether it has a comment, even an empty one. Awards by a milestone have none."""
    template: ProviderTemplate | None = None
    """The badge that the message describes, where it does more than name it."""


@frozen
class RevokeMessage:
    """A badge instance was deleted."""

    uid: str
    email: str = field(repr=False)
    badge_slug: str


@frozen
class ReviewMessage:
    """A review was made or changed."""

    slug: str
    number: int | None
    author_email: str = field(repr=False)
    comment: str = field(repr=False)
    items: tuple[ReviewItemData, ...]
    is_approved: bool
    application_slug: str
    application_number: int | None
    learner_email: str = field(repr=False)
    badge_slug: str
    applied_at: datetime | None
    evidence: tuple[tuple[str, str, str], ...] = field(repr=False)
    """Of each: address, media type, reflection."""
    template: ProviderTemplate | None = None
    """The badge that the message describes, where it does more than name it."""


@frozen
class OtherMessage:
    """One that this app does not know."""

    action: str


Message = AwardMessage | RevokeMessage | ReviewMessage | OtherMessage


def read_message(body: bytes) -> Message:
    """Read a message.

    Raises:
        WebhookRefused: it is none, or lacks what it cannot do without, or names what cannot be.
    """
    message = _object(body)
    action = message.get("action")
    if not isinstance(action, str) or not 0 < len(action) <= LONGEST_ACTION or not action.isprintable():
        _refuse('"action" must say what happened: award, revoke or review.')
    if action == "award":
        return _award(message)
    if action == "revoke":
        email = _email(message, "email") if message.get("email") is not None else ""
        return RevokeMessage(uid=_identifier(message, "uid"), email=email, badge_slug=_badge_slug(message))
    return _review(message) if action == "review" else OtherMessage(action)


def _object(body: bytes) -> Record:
    try:
        found = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        _refuse("The body must be one JSON object.")
    return found


def _award(message: Record) -> AwardMessage:
    page = message.get("assertionUrl")
    if not isinstance(page, str) or not (page := storable_text(url(message, "assertionUrl"))):
        _refuse('"assertionUrl" must be a web address of at most 1000 characters.')
    return AwardMessage(
        uid=_identifier(message, "uid"),
        email=_email(message, "email"),
        assertion_url=page,
        issued_on=_seconds(message, "issuedOn"),
        badge_slug=_badge_slug(message),
        has_comment="comment" in message,
        template=_template(message),
    )


def _review(message: Record) -> ReviewMessage:
    application, review = _part(message, "application"), _part(message, "review")
    author = review.get("author")
    return ReviewMessage(
        slug=_identifier(review, "slug"),
        number=_number(review, "id"),
        author_email=_email(review, "author") if author not in (None, "") else "",
        comment=_words(review, "comment"),
        items=tuple(_items(review)),
        is_approved=message.get("approved") in _TRUE,
        application_slug=_identifier(application, "slug"),
        application_number=_number(application, "id"),
        learner_email=_email(application, "learner"),
        badge_slug=_badge_slug(application),
        applied_at=_moment(application, "created"),
        evidence=tuple(_evidence(application)),
        template=_template(application),
    )


def _items(review: Record) -> Iterator[ReviewItemData]:
    for item in _list(review, "reviewItems"):
        yield ReviewItemData(
            criterion_id=_number(item, "criterionId"),
            is_satisfied=item.get("satisfied") in _TRUE,
            comment=_words(item, "comment"),
        )


def _evidence(application: Record) -> Iterator[tuple[str, str, str]]:
    for item in _list(application, "evidence"):
        found = storable_text(url(item, "url")), _words(item, "reflection")
        if any(found):
            yield found[0], _words(item, "mediaType")[:_LONGEST_MEDIA_TYPE], found[1]


def _part(value: Record, key: str) -> Record:
    found = value.get(key)
    if not isinstance(found, Mapping):
        _refuse(f'"{key}" must be an object.')
    return found


def _list(value: Record, key: str) -> list[Record]:
    found = value.get(key)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(item, Mapping) for item in found):
        _refuse(f'"{key}" must be a list of objects.')
    return found


def _badge_slug(value: Record) -> str:
    if value.get("badge") is None:
        return ""
    badge = _part(value, "badge")
    return _identifier(badge, "slug") if badge.get("slug") is not None else ""


def _template(value: Record) -> ProviderTemplate | None:
    is_told = bool(_badge_slug(value)) and bool(text(_part(value, "badge"), "name"))
    return reading.template(_part(value, "badge")) if is_told else None


def _identifier(value: Record, key: str) -> str:
    found = value.get(key)
    # What is printable holds nothing that a database refuses, either.
    if not isinstance(found, str) or not 0 < len(found.strip()) <= LONGEST_ID or not found.strip().isprintable():
        _refuse(f'"{key}" must be a text of 1 to {LONGEST_ID} characters.')
    return found.strip()


def _email(value: Record, key: str) -> str:
    found = value.get(key)
    is_plain = isinstance(found, str) and len(found) <= LONGEST_EMAIL and not _NOT_IN_EMAIL.intersection(found.strip())
    try:
        validate_email(found.strip() if isinstance(found, str) and is_plain else "")
    except ValidationError:
        _refuse(f'"{key}" must be an e-mail address.')
    return str(found).strip()


def _words(value: Record, key: str) -> str:
    return storable_text(text(value, key))


def _number(value: Record, key: str) -> int | None:
    """A number that a database has given; None where there is none."""
    found = value.get(key)
    if isinstance(found, str) and found.isascii() and found.isdigit() and len(found) < 19:
        found = int(found)
    is_one = isinstance(found, int) and not isinstance(found, bool) and 0 <= found < _LARGEST_NUMBER
    return int(found) if is_one and isinstance(found, int) else None


def _seconds(value: Record, key: str) -> datetime | None:
    found = value.get(key)
    if found is None:
        return None
    if isinstance(found, str) and found.isascii() and found.isdigit() and len(found) <= _DIGITS_OF_A_TIME:
        found = int(found)
    is_number = isinstance(found, int | float) and not isinstance(found, bool)
    if not is_number or not isinstance(found, int | float) or not 0 <= found < LATEST_SECOND:
        _refuse(f'"{key}" must be a time in seconds since 1970.')
    return datetime.fromtimestamp(int(found), UTC)


def _moment(value: Record, key: str) -> datetime | None:
    found = moment(value, key)
    if found is None:
        return None
    try:
        in_utc = found.astimezone(UTC)
    except OverflowError:
        return None
    return in_utc if 0 <= in_utc.timestamp() < LATEST_SECOND else None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _refuse(what: str) -> NoReturn:
    raise WebhookRefused(what)
