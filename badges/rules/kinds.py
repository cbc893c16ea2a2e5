"""The kinds of values that rules compare, and how each is read from a rule's text and from an event.

Both sides are brought to one canonical form: a rule's text by :meth:`Kind.read`, an event's value by
:meth:`Kind.canonical`. A value that does not fit its declared type is treated as absent, never guessed at.
"""

from __future__ import annotations

import enum
import inspect
import math
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from attrs import field, frozen
from django.utils.text import format_lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from opaque_keys import InvalidKeyError, OpaqueKey

from badges.exceptions import RuleError

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

TRUE_WORDS = frozenset({"true", "yes", "+"})
FALSE_WORDS = frozenset({"false", "no", "-"})


@frozen
class Kind:
    """One comparable type."""

    name: StrOrPromise
    """For people: "yes/no", "whole number", ..."""
    example: StrOrPromise
    """A value as it is entered in a rule."""
    _read: Callable[[str], Any] = field(repr=False, eq=False)
    _canonical: Callable[[Any], Any] = field(repr=False, eq=False)
    is_key: bool = False
    """Whether it identifies a course or a part of one."""

    def read(self, text: str) -> Any:
        """The canonical value of a rule's text.

        Raises:
            RuleError: the text cannot be read in this type.
        """
        try:
            return self._read(text.strip())
        except (ValueError, OverflowError, InvalidKeyError) as error:
            raise RuleError(
                gettext('"%(text)s" is not a %(kind)s. Example: %(example)s')
                % {"text": text, "kind": self.name, "example": self.example}
            ) from error

    def canonical(self, value: Any) -> Any:
        """The canonical form of an event's value; None where it is absent or not of this type."""
        return None if value is None else self._canonical(value)


def _read_bool(text: str) -> bool:
    word = text.casefold()
    if word in TRUE_WORDS:
        return True
    if word in FALSE_WORDS:
        return False
    raise ValueError(text)


def _read_int(text: str) -> int:
    # int() also takes "1_000" and digits of other scripts.
    if not text.lstrip("+-").isascii() or not text.lstrip("+-").isdigit():
        raise ValueError(text)
    return int(text)


def _read_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number) or "_" in text:
        raise ValueError(text)
    return number


def _read_text(text: str) -> str:
    if not text:
        raise ValueError(text)
    return text


def _in_utc(moment: datetime) -> datetime:
    """Open edX stores and sends UTC; a time without a zone is taken for that."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _float_or_none(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


BOOL = Kind(_("yes/no value"), "true", _read_bool, lambda value: value if isinstance(value, bool) else None)
INT = Kind(
    _("whole number"),
    "42",
    _read_int,
    lambda value: value if isinstance(value, int) and not isinstance(value, bool) else None,
)
FLOAT = Kind(_("decimal number"), "0.75", _read_float, _float_or_none)
TEXT = Kind(_("text"), "verified", _read_text, lambda value: value if isinstance(value, str) else None)
DATETIME = Kind(
    _("date and time"),
    _("2026-11-21T08:30:00Z (UTC where no zone is given)"),
    lambda text: _in_utc(datetime.fromisoformat(text)),
    lambda value: _in_utc(value) if isinstance(value, datetime) else None,
)
UUID = Kind(
    "UUID",
    "628fcaa9-cfd3-4a9b-aa62-9973ac938ad6",
    uuid.UUID,
    lambda value: value if isinstance(value, uuid.UUID) else None,
)

_SCALARS: dict[type, Kind] = {bool: BOOL, int: INT, float: FLOAT, str: TEXT, datetime: DATETIME, uuid.UUID: UUID}
_KEY_EXAMPLES = {
    "CourseKey": "course-v1:edX+DemoX+2026",
    "CCXLocator": "ccx-v1:edX+DemoX+2026+ccx@1",
    "UsageKey": "block-v1:edX+DemoX+2026+type@problem+block@final",
}


def _key_kind(cls: type[OpaqueKey]) -> Kind:
    return Kind(
        name=cls.__name__,
        example=_KEY_EXAMPLES.get(cls.__name__, format_lazy(_("the text of a {type}"), type=cls.__name__)),
        read=lambda text: str(cls.from_string(text)),
        canonical=lambda value: str(value) if isinstance(value, OpaqueKey | str) else None,
        is_key=True,
    )


def _enum_kind(cls: type[enum.Enum]) -> Kind:
    values = {str(member.value): member.value for member in cls}

    def read(text: str) -> Any:
        if text not in values:
            raise ValueError(text)
        return values[text]

    return Kind(
        name=format_lazy(_("value of {type}"), type=cls.__name__),
        example=", ".join(values),
        read=read,
        canonical=lambda value: value.value if isinstance(value, cls) else values.get(str(value)),
    )


def kind_for(declared: Any) -> Kind | None:
    """The kind of a declared type, or None where values of it cannot be compared."""
    if not inspect.isclass(declared):
        return None
    if declared in _SCALARS:
        return _SCALARS[declared]
    if issubclass(declared, enum.Enum):
        return _enum_kind(declared)
    if issubclass(declared, OpaqueKey):
        return _key_kind(declared)
    return None
