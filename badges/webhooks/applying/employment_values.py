"""What is stored of an employee and of a badge: cleaned and cut to what the columns hold, and made comparable.

All of it was written by others. Texts are cut; addresses are kept where they are valid, those of pages and images where
they are of the web; times where every database knows them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator, validate_email
from django.db import models

from badges.changes import EmployeeBadgeData, EmploymentChange
from badges.models import EmployeeBadge, EmployeeRecord
from badges.rules.payload import storable_text

Badge: TypeAlias = Mapping[str, Any]
Badges: TypeAlias = dict[str, Badge | None]
"""By identifier; None where the badge cannot be seen any more."""

RECORD = (
    *("email", "external_id", "employed_since"),
    *("employee_state", "employee_state_updated_at", "last_invitation_sent_at"),
    *("first_name", "last_name", "full_name", "photo_url", "team", "position_title"),
    *("manager_first_name", "manager_last_name", "manager_external_id"),
    *("country", "zip_code", "state_or_province", "department"),
)
BADGE = (
    *("issued_to", "issued_to_first_name", "issued_to_middle_name", "issued_to_last_name"),
    *("issued_at", "expires_at", "state", "is_public", "url"),
    *("template_external_id", "template_name", "template_description", "template_image_url", "skills"),
    *("issuer_name", "issuer_image_url"),
)
LONGEST_TEXT = 10_000
MOST_SKILLS, LONGEST_SKILL = 200, 255
# Identifiers are compared by databases of which some take "a" and "A", or "a" and "ä", for the same.
_IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9._:-]{0,63}")
_is_web_address = URLValidator(schemes=["http", "https"])


def identifier(text: str) -> str:
    """An identifier at the provider in the form in which it is stored; empty where it is none."""
    shown = text.strip().lower()
    return shown if _IDENTIFIER.fullmatch(shown) else ""


def of_record(change: EmploymentChange) -> dict[str, Any]:
    """The values of a record's own fields, after this change.

    Of a deleted record nothing is kept. Its identifier and its time are no part of this: it takes them to know an older
    event, and to delete the row after a while.
    """
    if change.is_deleted:
        return {**EMPTY, "is_minimal": True, "deleted_at": change.at}
    kept = ("email", "external_id") if change.is_minimal else RECORD
    stored = {name: _cleaned(EmployeeRecord, name, getattr(change.employment, name)) for name in kept}
    return {**EMPTY, **stored, "is_minimal": change.is_minimal, "deleted_at": None}


def of_badges(badges: Iterable[EmployeeBadgeData]) -> Badges:
    """The values of badges by their identifiers. Of two with the same one the last counts."""
    found: Badges = {}
    for badge in badges:
        if key := identifier(badge.external_id):
            found[key] = {name: _cleaned(EmployeeBadge, name, getattr(badge, name)) for name in BADGE}
    return found


def of_row(row: EmployeeBadge) -> Badge | None:
    """The values of a badge as it is stored; None of one that cannot be seen any more."""
    return {name: getattr(row, name) for name in BADGE} if row.is_visible else None


def rank(record: Mapping[str, Any]) -> tuple[Any, ...]:
    """Which of two records of the same instant is taken, in whatever order they come: the one of the greater rank.

    A deletion before anything else, then what shows less, then the later state of the connection.
    """
    since = record["employee_state_updated_at"]
    content = tuple(str(record[name]) for name in RECORD)
    return record["deleted_at"] is not None, record["is_minimal"], since is not None, since or _EPOCH, content


def rank_of_badge(badge: Badge | None) -> tuple[Any, ...]:
    """The same for a badge: that it cannot be seen before anything else."""
    return (True,) if badge is None else (False, tuple(str(badge[name]) for name in BADGE))


def rank_of_badges(badges: Badges) -> tuple[Any, ...]:
    """The same for a list of badges: the shorter one."""
    return -len(badges), sorted((key, rank_of_badge(badge)) for key, badge in badges.items())


def _cleaned(model: type[models.Model], name: str, value: Any) -> Any:
    if isinstance(value, datetime):
        return _time(value)
    if isinstance(value, tuple):
        return [storable_text(str(one))[:LONGEST_SKILL] for one in value[:MOST_SKILLS]]
    if not isinstance(value, str):
        return value
    text = storable_text(value).strip()
    field: Any = model._meta.get_field(name)
    if isinstance(field, models.EmailField):
        return _if_valid(text, validate_email, field.max_length or LONGEST_TEXT)
    if isinstance(field, models.URLField):
        return _if_valid(text, _is_web_address, field.max_length or LONGEST_TEXT)
    return text[: field.max_length or LONGEST_TEXT]


def _if_valid(text: str, validate: Any, length: int) -> str:
    """An address that was cut would be another one."""
    if len(text) > length:
        return ""
    try:
        validate(text)
    except ValidationError:
        return ""
    return text


def _time(value: datetime) -> datetime | None:
    if not _FIRST_YEAR <= value.year <= _LAST_YEAR:
        return None
    return value.astimezone(UTC) if value.tzinfo is not None else value.replace(tzinfo=UTC)


_FIRST_YEAR, _LAST_YEAR = 1900, 9000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EMPTY: dict[str, Any] = {
    one.name: one.get_default() for one in EmployeeRecord._meta.concrete_fields if one.name in RECORD
}
"""What a record holds of which nothing is kept."""
NO_BADGE: dict[str, Any] = {
    one.name: one.get_default() for one in EmployeeBadge._meta.concrete_fields if one.name in BADGE
}
