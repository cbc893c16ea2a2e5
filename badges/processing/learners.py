"""Who an event is about, and their user record here."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import FieldDoesNotExist
from django.db import models

from badges.data import IncomingEvent, Learner
from badges.exceptions import UnreadablePayload
from badges.models.users import USERNAME
from badges.rules.payload import storable_text
from badges.rules.schema import event_schema


def identify(event: IncomingEvent) -> Learner | None:
    """The learner of an event: its payload's own user, never the staff beside it. None where there is none."""
    found = event_schema(event.event_type).learner(event.arguments)
    username = getattr(found.pii, "username", None) if found is not None else None
    if found is None or not username:
        return None
    return Learner(
        username=str(username),
        email=_text(found.pii.email),
        name=_text(found.pii.name),
        is_active=bool(found.is_active),
        lms_user_id=found.id if isinstance(found.id, int) else None,
    )


def require_storable(learner: Learner) -> None:
    """Refuse a learner that no user record can hold.

    Raises:
        UnreadablePayload: the username is too long, or holds what a database cannot.
    """
    if storable_text(learner.username) != learner.username:
        raise UnreadablePayload("The learner's username is not a text that a user record can hold.")
    limit = _field(USERNAME).max_length
    if limit is not None and len(learner.username) > limit:
        raise UnreadablePayload(
            f"The learner's username has {len(learner.username)} characters; a user record holds {limit}."
        )


def resolve(learner: Learner) -> AbstractBaseUser:
    """The user record of a learner; created, in one write, if there is none. A known user is not rewritten."""
    users = get_user_model()._default_manager
    user = users.filter(username=learner.username).first()
    if user is None:
        user, _ = users.get_or_create(username=learner.username, defaults=_new_user(learner))
    return user


def _new_user(learner: Learner) -> dict[str, Any]:
    *first, last = learner.name.split() or [""]
    offered = {
        "email": learner.email,
        "full_name": learner.name,
        "first_name": " ".join(first) or last,
        "last_name": last if first else "",
        "is_active": learner.is_active,
        "lms_user_id": learner.lms_user_id,
        "password": make_password(None),
    }
    values = {}
    for name, value in offered.items():
        field = _field_or_none(name)
        if field is None or value is None:
            continue
        values[name] = value[: field.max_length] if isinstance(value, str) and field.max_length else value
    return values


def _field(name: str) -> models.Field[Any, Any]:
    field: models.Field[Any, Any] = get_user_model()._meta.get_field(name)  # type: ignore[assignment]
    return field


def _field_or_none(name: str) -> models.Field[Any, Any] | None:
    try:
        return _field(name)
    except FieldDoesNotExist:
        return None


def _text(value: object) -> str:
    return storable_text(value) if isinstance(value, str) else ""
