"""A stand-in for the LMS, which sends real events with settings that were rendered for it.

``python lms.py SETTINGS DO`` prints JSON. Of the LMS's own settings it has those that ours touch.
"""

from __future__ import annotations

import importlib.abc
import json
import os
import sys
import types
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

PASSING = "org.openedx.learning.course.passing.status.updated.v1"
CCX_PASSING = "org.openedx.learning.ccx.course.passing.status.updated.v1"
OTHER = "org.openedx.learning.course.enrollment.changed.v1"
TOPIC = "learning-badges-lifecycle"


class Names(dict[str, Any]):
    """The names of a settings file; one that the LMS would have and that is of no interest here is a mock."""

    def __missing__(self, name: str) -> Any:
        if hasattr(__builtins__, name):
            raise KeyError(name)
        return MagicMock(name=name)


class Mocked(types.ModuleType):
    """A module of the LMS, of which everything is a mock."""

    __path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return MagicMock(name=name)


class LmsModules(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the modules that Tutor's settings import from the LMS and cannot do without."""

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        return ModuleSpec(name, self) if name.partition(".")[0] in ("codejail", "xmodule") else None

    def create_module(self, spec: ModuleSpec) -> types.ModuleType:
        return Mocked(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """Nothing is in it."""


def load_settings(path: str) -> dict[str, Any]:
    """Execute a settings file of the LMS."""
    production = types.ModuleType("lms.envs.production")
    vars(production).update(
        FEATURES={"OTHER": True},
        EVENT_BUS_PRODUCER_CONFIG={
            PASSING: {TOPIC: {"event_key_field": "course_passing_status.course.course_key", "enabled": False}},
            OTHER: {"learning-enrollments": {"event_key_field": "enrollment.course.course_key", "enabled": True}},
        },
    )
    sys.meta_path.append(LmsModules())
    sys.modules.update({"lms": Mocked("lms"), "lms.envs": Mocked("lms.envs"), production.__name__: production})
    names = Names()
    exec(compile(Path(path).read_text(encoding="utf-8"), path, "exec"), {}, names)
    return names


def configure(names: dict[str, Any]) -> None:
    """Set Django up with what concerns the bus. openedx-events validates it then."""
    import django
    from django.conf import settings

    ours = {name: value for name, value in names.items() if name.startswith("EVENT_BUS_")}
    if url := os.environ.get("SERVICE_REDIS_URL"):
        ours["EVENT_BUS_REDIS_CONNECTION_URL"] = url
    settings.configure(INSTALLED_APPS=["openedx_events"], USE_TZ=True, SECRET_KEY="lms", **ours)
    django.setup()


def describe(names: dict[str, Any]) -> dict[str, Any]:
    """What the settings are; and of each event's key field, what the data has there, as the bus looks it up."""
    import attrs
    from edx_event_bus_redis.internal.config import get_full_topic
    from openedx_events.tooling import OpenEdxPublicSignal

    keys = {}
    for event, topics in names["EVENT_BUS_PRODUCER_CONFIG"].items():
        first, *rest = topics[next(iter(topics))]["event_key_field"].split(".")
        found: Any = OpenEdxPublicSignal.get_signal_by_type(event).init_data[first]
        for part in rest:
            found = attrs.fields_dict(found)[part].type
        keys[event] = found.__name__
    bus = {name: value for name, value in names.items() if name.startswith("EVENT_BUS_")}
    return {"settings": bus, "features": names["FEATURES"], "keys": keys, "stream": get_full_topic(TOPIC)}


def send() -> None:
    """Let a learner pass, in a course and in a custom course."""
    from ccx_keys.locator import CCXLocator
    from opaque_keys.edx.keys import CourseKey
    from openedx_events.learning import data, signals

    user = data.UserData(
        id=7,
        is_active=True,
        pii=data.UserPersonalData(username="anna", email="anna@example.com", name="Anna Lee"),
    )
    course = data.CourseData(course_key=CourseKey.from_string("course-v1:edX+DemoX+2026"))
    signals.COURSE_PASSING_STATUS_UPDATED.send_event(
        course_passing_status=data.CoursePassingStatusData(is_passing=True, course=course, user=user)
    )
    ccx = data.CcxCourseData(
        ccx_course_key=CCXLocator.from_string("ccx-v1:edX+DemoX+2026+ccx@1"), master_course_key=course.course_key
    )
    signals.CCX_COURSE_PASSING_STATUS_UPDATED.send_event(
        course_passing_status=data.CcxCoursePassingStatusData(is_passing=True, course=ccx, user=user)
    )


if __name__ == "__main__":
    given = load_settings(sys.argv[1])
    configure(given)
    if sys.argv[2] == "send":
        send()
    else:
        print(json.dumps(describe(given), default=str))  # noqa: T201
