"""What this app needs of a user record, whatever the project's user model is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models.functions import Lower

from badges.rules.payload import storable_text

USERNAME = "username"
"""The field by which events name learners. Not ``USERNAME_FIELD``: that may be the e-mail address."""


def username_of(user: Any) -> str:
    """The learner's username, as events have it."""
    return str(getattr(user, USERNAME))


def full_name_of(user: Any) -> str:
    """The learner's full name; empty where it is not known, or where the model has no names."""
    return str(user.get_full_name()).strip() if hasattr(user, "get_full_name") else ""


def lms_user_id_of(user: Any) -> int:
    """The learner's id in the LMS where it is known, else our own."""
    found: int = getattr(user, "lms_user_id", None) or user.pk
    return found


def learner_by_email(email: str) -> Any | None:
    """The one active user with this address, in whatever case; None where there is none, or where several share it."""
    wanted = email.strip().lower()
    return learners_by_email([wanted]).get(wanted)


def learners_by_email(emails: Iterable[str]) -> dict[str, Any]:
    """The one active user with each of these addresses, by the address in lower case. See :func:`learner_by_email`."""
    wanted = {email.strip().lower() for email in emails}
    # An address that no database can hold is nobody's.
    wanted = {email for email in wanted if email and storable_text(email) == email}
    if not wanted:
        return {}
    model: Any = get_user_model()
    name = model.get_email_field_name()
    found: dict[str, list[Any]] = {}
    users = model._base_manager.annotate(lower_email=Lower(name)).filter(lower_email__in=wanted)
    for user in users.order_by("pk"):
        # Some databases take letters for the same that are not, so the address is compared here once more.
        if getattr(user, "is_active", True):
            found.setdefault(str(getattr(user, name)).strip().lower(), []).append(user)
    return {email: users[0] for email, users in found.items() if email in wanted and len(users) == 1}
