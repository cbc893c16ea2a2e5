"""Credly's ``employment.*`` events: an employee, and the badges that the employer may see (Webhooks, "Workforce")."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from badges.changes import Change, EmployeeBadgeData, EmploymentChange, EmploymentData
from badges.exceptions import NotShown
from badges.providers.answers import Record, identifier, moment, record, text, texts, url
from badges.providers.credly.reading import flag

EMPLOYMENT = frozenset(
    {
        "employment.badges.added",
        "employment.badges.removed",
        "employment.badges.state_changed",
        "employment.badges.privacy_changed",
        "employment.created",
        "employment.deleted",
        "employment.connection.pending",
        "employment.connection.accepted",
        "employment.connection.rejected",
        "employment.user_account.associated",
        "employment.user_account.disassociated",
    }
)
LONGEST_ID = 64
_ALWAYS_SHOWN = frozenset({"id", "email", "external_id"})
_HAS_USER = {"employment.user_account.associated": True, "employment.user_account.disassociated": False}


def read_employment(answer: Record, event_type: str, occurred_at: datetime) -> tuple[tuple[Change, ...], str]:
    """What an event says of an employee.

    Arguments:
        answer: Credly's answer about the event, without its envelope.
        event_type: one of ``EMPLOYMENT``.
        occurred_at: aware.

    Raises:
        NotShown: it names no employee, or not the badge that it is about.
    """
    row = record(answer, "employment")
    employment_id = _id(row)
    if not employment_id:
        raise NotShown(
            f'Credly answered an event of the type "{event_type}" without its "employment". '
            "It is asked for again later."
        )
    is_deleted = event_type == "employment.deleted"
    # Who is not authorized (any more) is shown these three and nothing else, in whatever event.
    is_minimal = is_deleted or not set(row) - _ALWAYS_SHOWN
    badge = record(answer, "badge")
    added = removed = None
    if not is_minimal and event_type == "employment.badges.added":
        added = _badge(badge)
    elif event_type == "employment.badges.removed":
        removed = _id(badge)
    return (
        EmploymentChange(
            employment=_minimal(row, employment_id) if is_minimal else _employment(row, employment_id),
            at=occurred_at,
            badges=None if is_minimal else _badges(row),
            added=added,
            removed=removed or "",
            has_provider_user=_HAS_USER.get(event_type),
            is_connected=event_type == "employment.connection.accepted",
            is_minimal=is_minimal,
            is_deleted=is_deleted,
        ),
    ), ""


def _minimal(row: Record, employment_id: str) -> EmploymentData:
    return EmploymentData(
        employment_id=employment_id, email=text(row, "email"), external_id=identifier(row, "external_id")
    )


def _employment(row: Record, employment_id: str) -> EmploymentData:
    return EmploymentData(
        employment_id=employment_id,
        email=text(row, "email"),
        external_id=identifier(row, "external_id"),
        employed_since=moment(row, "created_at"),
        employee_state=text(row, "employee_state"),
        employee_state_updated_at=moment(row, "employee_state_updated_at"),
        last_invitation_sent_at=moment(row, "last_invitation_sent_at"),
        first_name=text(row, "first_name"),
        last_name=text(row, "last_name"),
        full_name=text(row, "full_name"),
        photo_url=url(row, "photo_url"),
        team=text(row, "team"),
        position_title=text(row, "position_title"),
        manager_first_name=text(row, "manager_first_name"),
        manager_last_name=text(row, "manager_last_name"),
        manager_external_id=identifier(row, "manager_external_id"),
        country=text(row, "country"),
        zip_code=identifier(row, "zip_code"),
        state_or_province=text(row, "state_or_province"),
        department=text(row, "department"),
    )


def _badges(row: Record) -> tuple[EmployeeBadgeData, ...] | None:
    """All that are listed; None where there is no list that can be read whole: the badges that are known stay then."""
    listed = row.get("badges")
    if not isinstance(listed, list):
        return None
    found = [_badge(one) if isinstance(one, Mapping) else None for one in listed]
    known = {one.external_id: one for one in found if one is not None}
    return None if None in found else tuple(known.values())


def _badge(row: Record) -> EmployeeBadgeData | None:
    external_id = _id(row)
    if not external_id:
        return None
    of, issuer = record(row, "badge_template"), record(row, "issuer")
    return EmployeeBadgeData(
        external_id=external_id,
        issued_to=text(row, "issued_to"),
        issued_to_first_name=text(row, "issued_to_first_name"),
        issued_to_middle_name=text(row, "issued_to_middle_name"),
        issued_to_last_name=text(row, "issued_to_last_name"),
        issued_at=moment(row, "issued_at"),
        expires_at=moment(row, "expires_at"),
        state=text(row, "state"),
        is_public=flag(row, "public"),
        url=url(row, "badge_url"),
        template_external_id=_id(of),
        template_name=text(of, "name"),
        template_description=text(of, "description"),
        template_image_url=url(of, "image_url") or url(record(of, "image"), "url") or url(of, "image"),
        skills=texts(of, "skills", "name"),
        issuer_name=text(issuer, "name"),
        issuer_image_url=url(issuer, "image_url"),
    )


def _id(row: Record) -> str:
    found = identifier(row, "id")
    return found if found.isprintable() and len(found) <= LONGEST_ID else ""
