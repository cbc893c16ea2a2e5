"""What there is of the Credentials service and of its built-in badges module, in this project and in its database."""

from __future__ import annotations

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db import connection, models

from badges.host.names import HOST

BUILT_IN_TEMPLATES = "badges_badgetemplate"
FIELDS = ("created", "modified", "username", "status", "uuid", "credential_content_type", "credential_id")
"""What the service's records of credentials are made of."""


def is_host() -> bool:
    """Whether this project is the Credentials service. Ask when the apps are loaded."""
    return apps.is_installed(HOST)


def tables() -> frozenset[str]:
    """The names of all tables in the database."""
    return frozenset(connection.introspection.table_names())


def user_credential() -> type[models.Model] | None:
    """The host's model of issued credentials; None where this is not the host, or has none that can be used."""
    return None if why_no_user_credential() or not is_host() else _user_credential()


def why_no_user_credential() -> str:
    """Why records of badges cannot be kept in the host, in a sentence; empty where they can, or this is no host."""
    if not is_host():
        return ""
    model = _user_credential()
    if model is None:
        return "The app credentials.apps.credentials has no model UserCredential."
    if missing := [name for name in FIELDS if not _has(model, name)]:
        return f"The model credentials.UserCredential has no field {', '.join(missing)}."
    others = [field for field in model._meta.concrete_fields if field.name not in FIELDS and not field.primary_key]
    if needed := [
        field.name for field in others if not (field.has_default() or field.null or field.empty_strings_allowed)
    ]:
        return f"The model credentials.UserCredential asks for what is not known of a badge: {', '.join(needed)}."
    return ""


def _user_credential() -> type[models.Model] | None:
    label, name = "credentials", "UserCredential"
    try:
        return apps.get_model(label, name)
    except LookupError:
        return None


def _has(model: type[models.Model], name: str) -> bool:
    try:
        return bool(model._meta.get_field(name).concrete)
    except FieldDoesNotExist:
        return False
