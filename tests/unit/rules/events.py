"""A public signal with every shape of data that key paths can meet."""

from __future__ import annotations

import enum
import uuid
from datetime import datetime

import attr
from opaque_keys.edx.keys import CourseKey
from openedx_events.learning.data import UserData
from openedx_events.tooling import OpenEdxPublicSignal


class Level(enum.Enum):
    """An enumeration in an event."""

    BEGINNER = "beginner"
    EXPERT = "expert"


@attr.s(frozen=True)
class Detail:
    """A data class within a data class."""

    score = attr.ib(type=float, default=None)
    key = attr.ib(type=CourseKey, default=None)


@attr.frozen
class Loop:
    """A data class that contains itself, annotated as newer events are."""

    name: str
    inner: Loop | None = None


@attr.s(frozen=True)
class Everything:
    """One field of each kind."""

    user = attr.ib(type=UserData, default=None)
    flag = attr.ib(type=bool, default=None)
    number = attr.ib(type=int, default=None)
    maybe = attr.ib(type=int | None, default=None)
    share = attr.ib(type=float, default=None)
    text = attr.ib(type=str, default=None)
    moment = attr.ib(type=datetime, default=None)
    level = attr.ib(type=Level, default=None)
    id = attr.ib(type=uuid.UUID, default=None)
    detail = attr.ib(type=Detail, default=None)
    optional_detail = attr.ib(type=Detail | None, default=None)
    tags = attr.ib(type=list[str], factory=list)
    options = attr.ib(type=dict[str, bool], factory=dict)
    loop = attr.ib(type=Loop, default=None)
    untyped = attr.ib(default=None)


EVERYTHING = OpenEdxPublicSignal(event_type="org.example.everything.v1", data={"everything": Everything})
TWO_ARGUMENTS = OpenEdxPublicSignal(event_type="org.example.two.v1", data={"first": Detail, "second": Detail})
