"""Event payloads as JSON and back, losslessly.

The bus's own Avro form cannot carry every payload (optional false values are lost, bare dictionaries are refused),
so a parked event is kept in this form instead.
"""

from __future__ import annotations

import enum
import inspect
import math
import typing
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs
from opaque_keys import InvalidKeyError, OpaqueKey

from badges.exceptions import UnreadablePayload
from badges.rules.schema import EventSchema, resolved_fields, without_none

_NOT_FINITE = ("nan", "inf", "-inf")
"""How floats that JSON cannot hold are kept."""


_NUMBERS = frozenset({bool, int, float})
_PLAIN = frozenset({bool, int, str, type(None)})
"""Asked for first: most values are of these types, and other questions take longer."""


def to_json(value: Any) -> Any:
    """A data object, or any part of one, as JSON values. What JSON cannot hold becomes its text."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, enum.Enum):
        return to_json(value.value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if attrs.has(type(value)):
        return {attribute.name: to_json(getattr(value, attribute.name)) for attribute in attrs.fields(type(value))}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_json(item) for item in value]
    return value.isoformat() if isinstance(value, datetime) else str(value)


def storable_text(text: str) -> str:
    """The text without what databases cannot hold: NUL characters (PostgreSQL) and lone surrogates (all)."""
    if text.isascii() and "\x00" not in text:
        return text
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def storable(value: Any) -> Any:
    """JSON values without what databases cannot hold."""
    if value is None or type(value) in _NUMBERS:
        return value
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, Mapping):
        return {storable(key): storable(item) for key, item in value.items()}
    return [storable(item) for item in value] if isinstance(value, list) else value


def from_json(schema: EventSchema, stored: Any) -> dict[str, object]:
    """The signal's arguments, from what :func:`to_json` made of them.

    Raises:
        UnreadablePayload: something is missing or is not of its declared type; the text names its key path.
    """
    if not isinstance(stored, Mapping):
        raise UnreadablePayload("The payload must be a JSON object with one key per argument of the signal.")
    missing = set(schema.arguments) - set(stored)
    if missing:
        raise UnreadablePayload(f"The payload lacks: {', '.join(sorted(missing))}.")
    return {name: _structure(cls, stored[name], name) for name, cls in schema.arguments.items()}


def _structure(declared: Any, value: Any, where: str) -> Any:
    declared = without_none(declared)
    if value is None:
        return None
    if inspect.isclass(declared) and attrs.has(declared):
        return _build(declared, value, where)
    origin, parameters = typing.get_origin(declared), typing.get_args(declared)
    if origin is list or declared is list:
        _require(isinstance(value, list), where, "a list")
        return [_structure(parameters[0], item, f"{where}[]") if parameters else item for item in value]
    if origin is dict or declared is dict:
        _require(isinstance(value, Mapping), where, "an object")
        return {
            key: _structure(parameters[1], item, f"{where}.{key}") if parameters else item
            for key, item in value.items()
        }
    return _scalar(declared, value, where)


def _build(cls: type, value: Any, where: str) -> Any:
    _require(isinstance(value, Mapping), where, "an object")
    arguments = {}
    for attribute in resolved_fields(cls):
        if attribute.name in value:
            item = value[attribute.name]
            if item is None and attribute.default is attrs.NOTHING and not _may_be_none(attribute.type):
                raise UnreadablePayload(f'"{where}.{attribute.name}" must not be null.')
            arguments[attribute.name] = _structure(attribute.type, item, f"{where}.{attribute.name}")
        elif attribute.default is attrs.NOTHING:
            raise UnreadablePayload(f'The payload lacks "{where}.{attribute.name}".')
    unknown = set(value) - {attribute.name for attribute in attrs.fields(cls)}
    if unknown:
        raise UnreadablePayload(f'"{where}" has no "{sorted(unknown)[0]}".')
    return cls(**arguments)


def _may_be_none(declared: Any) -> bool:
    return without_none(declared) is not declared or declared is None


def _scalar(declared: Any, value: Any, where: str) -> Any:
    if not inspect.isclass(declared):
        return value
    try:
        if issubclass(declared, enum.Enum):
            return declared(value)
        if issubclass(declared, OpaqueKey):
            return declared.from_string(value)
        if issubclass(declared, datetime):
            return datetime.fromisoformat(value)
        if issubclass(declared, uuid.UUID):
            return uuid.UUID(value)
    except (TypeError, ValueError, AttributeError, InvalidKeyError) as error:
        raise UnreadablePayload(f'"{where}" is not a {declared.__name__}.') from error
    if declared is float and (value in _NOT_FINITE or (isinstance(value, int) and not isinstance(value, bool))):
        return float(value)
    if declared in (bool, int, float, str):
        _require(type(value) is declared, where, f"of type {declared.__name__}")
    return value


def _require(condition: bool, where: str, what: str) -> None:
    if not condition:
        raise UnreadablePayload(f'"{where}" must be {what}.')
