"""Who an event is about, and their user record here."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX, UNUSABLE_PASSWORD_SUFFIX_LENGTH
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models.signals import post_save, pre_save

from badges.data import IncomingEvent, Learner
from badges.exceptions import UnreadablePayload
from badges.models.insertion import insert
from badges.models.lookups import OneOf
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


def known(usernames: Collection[str]) -> dict[str, int]:
    """Username -> id of the user record, of those who have one."""
    return _ids_of(usernames)


def resolve_all(learners: Iterable[Learner], known: Mapping[str, int], creating: Collection[str]) -> dict[str, int]:
    """Username -> id of the user record. Missing ones are created, in one write; a known user is not rewritten.

    Arguments:
        learners: whose records are wanted.
        known: the ids of those who had one a moment ago.
        creating: the usernames of those for whom a record is made; others without one are left out of the result.

    Raises:
        UnreadablePayload: a record cannot be made.
    """
    wanted = {learner.username: learner for learner in learners}
    found = {name: known[name] for name in wanted if name in known}
    missing = {name: wanted[name] for name in sorted(creating) if name in wanted and name not in found}
    if missing:
        found.update(_create(missing))
        if missing.keys() - found.keys():
            raise UnreadablePayload(
                "The learner of the event has no user record, and none could be made: another record has something "
                "that must be unique, such as the e-mail address. Correct that one, and replay the event."
            )
    # Made by somebody since, or another spelling of one that was made just now.
    return {**found, **_ids_of(rest)} if (rest := wanted.keys() - found.keys()) else found


def _ids_of(names: Collection[str]) -> dict[str, int]:
    rows = dict(_users().filter(OneOf(USERNAME, names)).order_by().values_list(USERNAME, "pk"))
    found = {name: rows[name] for name in names if name in rows}
    if len(rows) > len(found):
        # A database that takes "anna" and "Anna" for the same name has rows that bear none of the names.
        found.update(_ids_one_by_one(set(names) - set(found)))
    return found


def _ids_one_by_one(names: Iterable[str]) -> dict[str, int]:
    found = {name: _users().filter(username=name).order_by().values_list("pk", flat=True).first() for name in names}
    return {name: pk for name, pk in found.items() if pk is not None}


def _create(missing: Mapping[str, Learner]) -> dict[str, int]:
    model = get_user_model()
    if not _may_be_made_in_bulk(model):
        return {
            name: _users().get_or_create(username=name, defaults=_new_user(learner))[0].pk
            for name, learner in missing.items()
        }
    values = [{USERNAME: name, **_new_user(learner)} for name, learner in missing.items()]
    columns = sorted({name for one in values for name in one})
    defaults = {name: _field(name).get_default() for name in columns}
    rows = [tuple([one.get(name, defaults[name]) for name in columns]) for one in values]
    made = insert(model, columns, rows, is_ignoring=True, returning=(USERNAME, model._meta.pk.attname))
    found = {name: pk for name, pk in made or () if name in missing}
    if rest := missing.keys() - found.keys():
        found.update(_ids_of(rest))
    # Two spellings of what the database takes for one name made one row.
    return {**found, **_ids_one_by_one(set(missing) - set(found))}


def _may_be_made_in_bulk(model: type[models.Model]) -> bool:
    """Whether nothing of the project would miss to be told that a user record is saved."""
    if any(signal.has_listeners(model) for signal in (pre_save, post_save)):
        return False
    if model.save not in (AbstractBaseUser.save, models.Model.save) or model._meta.parents:
        return False
    return all(
        type(field).pre_save in (models.Field.pre_save, models.DateTimeField.pre_save, models.DateField.pre_save)
        and type(field).__module__.startswith("django.db.models.fields")
        and not getattr(field, "generated", False)
        for field in model._meta.concrete_fields
    )


def _users() -> models.Manager[Any]:
    # The default manager may hide some, who would then be made anew, and cannot be.
    return get_user_model()._base_manager


def _new_user(learner: Learner) -> dict[str, Any]:
    *first, last = learner.name.split() or [""]
    offered = {
        "email": learner.email,
        "full_name": learner.name,
        "first_name": " ".join(first) or last,
        "last_name": last if first else "",
        "is_active": learner.is_active,
        "lms_user_id": learner.lms_user_id,
        # As make_password(None), whose random choices cost more than the whole row.
        "password": f"{UNUSABLE_PASSWORD_PREFIX}{secrets.token_hex(UNUSABLE_PASSWORD_SUFFIX_LENGTH // 2)}",
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
