"""What this app needs of a user record, whatever the project's user model is."""

from __future__ import annotations

from typing import Any

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
