"""Events as people may see them: without what identifies a person, until that is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from badges.processing.dead_events import HEADERS, decoded

MASK = "********"
PERSONAL = frozenset({"username", "email", "name", "full_name", "first_name", "last_name"})
PERSONAL_ANYWHERE = PERSONAL - {"name"}


def masked(value: Any, *, is_person: bool = False) -> Any:
    """A payload without what identifies a person: everything below ``pii``, and names and addresses elsewhere."""
    if isinstance(value, Mapping):
        hidden = PERSONAL if is_person or "pii" in value else PERSONAL_ANYWHERE
        return {key: _masked_item(str(key), item, hidden) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked(item, is_person=is_person) for item in value]
    return value


def message_text(body: Any, *, is_masked: bool) -> dict[str, str]:
    """The fields of a message that could not be decoded, as text where they are text.

    Of a body that cannot be read nobody knows where the personal data is, so masked it is hidden as a whole.
    """
    try:
        fields = decoded(body)
    except ValueError:
        return {}
    shown = {}
    for key, value in fields.items():
        name = as_text(key)
        shown[name] = MASK if is_masked and name not in HEADERS else as_text(value)
    return shown


def as_text(value: bytes) -> str:
    """Bytes as text; what is none is escaped."""
    text = value.decode("utf-8", "backslashreplace")
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def _masked_item(key: str, value: Any, hidden: frozenset[str]) -> Any:
    if key == "pii":
        return _all_masked(value)
    if key in hidden and not isinstance(value, Mapping | list | tuple):
        return MASK if value else value
    is_person = key == "user" or key.endswith("_user") or key == "created_by"
    return masked(value, is_person=is_person)


def _all_masked(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _all_masked(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_all_masked(item) for item in value]
    return MASK if value else value
