"""Whose user records are meant: by username, by the id in the LMS, or by our own id."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist

from badges.models.users import USERNAME, username_of
from badges.rules.payload import storable_text

LMS_USER_ID = "lms_user_id"


def named(username: str) -> Any | None:
    """The user with exactly this username. Some databases take other spellings for the same, and two may be two."""
    if not username or storable_text(username) != username:
        return None
    found = get_user_model()._base_manager.filter(**{USERNAME: username}).order_by("pk")
    return next((user for user in found if username_of(user) == username), None)


def knows_lms_user_ids() -> bool:
    """Whether the user model has the ids that users have in the LMS."""
    try:
        get_user_model()._meta.get_field(LMS_USER_ID)
    except FieldDoesNotExist:
        return False
    return True


def of_lms_user(lms_user_id: int) -> list[Any]:
    """The users with this id in the LMS: nothing keeps two from having one."""
    if not knows_lms_user_ids():
        return []
    return list(get_user_model()._base_manager.filter(**{LMS_USER_ID: lms_user_id}).order_by("pk"))


def with_id(user_id: int) -> Any | None:
    """The user with this id, ours."""
    return get_user_model()._base_manager.filter(pk=user_id).first()
