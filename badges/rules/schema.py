"""Key paths of an event and their types, read from the data classes of openedx-events.

A path is relative to the signal's one argument (``course.course_key`` of ``course_passing_status``), as in the
settings document. Where a signal has several arguments, a path starts with the argument's name.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
from django.utils.text import format_lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from openedx_events.learning.data import UserData
from openedx_events.tooling import OpenEdxPublicSignal, load_all_signals

from badges.exceptions import RuleError
from badges.rules.kinds import Kind, kind_for

if typing.TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

# A `created_by` or `requesting_user` beside these may be staff, and is never the learner.
LEARNER_FIELDS = ("user", "student_user")


@attrs.frozen
class EventSchema:
    """What an event of one type can hold."""

    event_type: str
    arguments: Mapping[str, type]
    """Argument name -> data class, as the signal declares them."""
    kinds: Mapping[str, Kind]
    """Key path -> type, of every value that a rule can compare."""
    refused: Mapping[str, StrOrPromise]
    """Key path -> why a rule cannot compare it."""
    learner_path: tuple[str, ...] | None
    """Attribute names from the arguments to the learner's ``UserData``; None where there is none."""

    def kind_of(self, path: str) -> Kind:
        """The type at a key path.

        Raises:
            RuleError: an event of this type has no comparable value there.
        """
        if path in self.kinds:
            return self.kinds[path]
        for refused, reason in self.refused.items():
            if path == refused or path.startswith(f"{refused}."):
                text = gettext('"%(path)s" cannot be used in a rule: %(reason)s')
                raise RuleError(text % {"path": path, "reason": reason})
        if any(known.startswith(f"{path}.") for known in self.kinds):
            raise RuleError(gettext('"%(path)s" holds several values. Choose one below it.') % {"path": path})
        raise RuleError(
            gettext('An event of type %(event_type)s has no "%(path)s". It has: %(paths)s.')
            % {"event_type": self.event_type, "path": path, "paths": ", ".join(sorted(self.kinds)) or "-"}
        )

    def offered_paths(self, ignored: frozenset[str]) -> list[str]:
        """The key paths that staff may choose from, in the order of the data class, without the ignored ones."""
        return [path for path in self.kinds if path not in ignored]

    def value_at(self, arguments: Mapping[str, object], path: str) -> Any:
        """The canonical value at a key path; None where it is absent or not of its declared type."""
        return self.kinds[path].canonical(self.raw_value(arguments, path))

    def raw_value(self, arguments: Mapping[str, object], path: str) -> Any:
        """The value at a key path as the event holds it."""
        value: Any = dict(arguments) if len(self.arguments) > 1 else next(iter(arguments.values()), None)
        for name in _names(path):
            # Most are data objects, and a dictionary is told apart from these faster than any mapping.
            value = value.get(name) if isinstance(value, dict) else getattr(value, name, None)
            if value is None:
                return None
        return value

    def learner(self, arguments: Mapping[str, object]) -> UserData | None:
        """The learner's ``UserData`` in an event, if it holds one."""
        if self.learner_path is None:
            return None
        value: Any = arguments.get(self.learner_path[0])
        for name in self.learner_path[1:]:
            value = getattr(value, name, None)
        return value if isinstance(value, UserData) else None


@functools.lru_cache(maxsize=4096)
def _names(path: str) -> tuple[str, ...]:
    return tuple(path.split("."))


def find_signal(event_type: str) -> OpenEdxPublicSignal:
    """The public signal of an event type.

    Raises:
        RuleError: openedx-events does not know the type.
    """
    try:
        return OpenEdxPublicSignal.get_signal_by_type(event_type)
    except KeyError:
        load_all_signals()
    try:
        return OpenEdxPublicSignal.get_signal_by_type(event_type)
    except KeyError as error:
        raise RuleError(
            gettext(
                'openedx-events knows no event type "%(event_type)s". Check the spelling, and the installed version.'
            )
            % {"event_type": event_type}
        ) from error


@functools.lru_cache(maxsize=256)
def event_schema(event_type: str) -> EventSchema:
    """Read the schema of an event type.

    Raises:
        RuleError: openedx-events does not know the type.
    """
    signal = find_signal(event_type)
    kinds: dict[str, Kind] = {}
    refused: dict[str, StrOrPromise] = {}
    several = len(signal.init_data) > 1
    for name, cls in signal.init_data.items():
        for path, declared in _fields(cls, f"{name}." if several else "", frozenset()):
            if isinstance(declared, Kind):
                kinds[path] = declared
            else:
                refused[path] = declared
    return EventSchema(
        event_type=event_type,
        arguments=dict(signal.init_data),
        kinds=kinds,
        refused=refused,
        learner_path=_learner_path(signal.init_data),
    )


def resolved_fields(cls: type) -> tuple[attrs.Attribute[Any], ...]:
    """The fields of a data class, with text annotations resolved where they can be."""
    # A name that only type checkers import stays a text, and a field of such a type is refused.
    with contextlib.suppress(NameError):
        attrs.resolve_types(cls)
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(cls)
    return fields


def without_none(declared: Any) -> Any:
    """``X`` of ``X | None``; anything else as it is."""
    if typing.get_origin(declared) in (typing.Union, types.UnionType):
        others = [option for option in typing.get_args(declared) if option is not type(None)]
        return others[0] if len(others) == 1 else declared
    return declared


def _fields(cls: type, prefix: str, above: frozenset[type]) -> Iterator[tuple[str, Kind | StrOrPromise]]:
    if not attrs.has(cls):
        yield prefix.rstrip("."), _why_not(cls)
        return
    for attribute in resolved_fields(cls):
        path = f"{prefix}{attribute.name}"
        declared = without_none(attribute.type)
        if inspect.isclass(declared) and attrs.has(declared):
            if declared in above or declared is cls:
                yield path, format_lazy(_("{type} contains itself."), type=declared.__name__)
            else:
                yield from _fields(declared, f"{path}.", above | {cls})
        else:
            yield path, kind_for(declared) or _why_not(declared)


def _why_not(declared: Any) -> StrOrPromise:
    if declared is None:
        return _("its event declares no type for it.")
    origin = typing.get_origin(declared) or declared
    if origin in (list, tuple, set, frozenset):
        return _("it is a list, and a rule compares one value.")
    if origin is dict:
        return _("it is a dictionary, whose keys its event does not declare.")
    name = getattr(declared, "__name__", None) or str(declared)
    return format_lazy(_("values of type {type} cannot be compared."), type=name)


def _learner_path(arguments: Mapping[str, type]) -> tuple[str, ...] | None:
    for name, cls in arguments.items():
        if inspect.isclass(cls) and issubclass(cls, UserData) and (len(arguments) == 1 or name in LEARNER_FIELDS):
            return (name,)
    for name, cls in arguments.items():
        if not attrs.has(cls):
            continue
        declared = {attribute.name: without_none(attribute.type) for attribute in resolved_fields(cls)}
        for field_name in LEARNER_FIELDS:
            if inspect.isclass(declared.get(field_name)) and issubclass(declared[field_name], UserData):
                return (name, field_name)
    return None
