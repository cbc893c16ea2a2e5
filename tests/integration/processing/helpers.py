"""What the tests of processing have in common."""

from __future__ import annotations

from typing import Any

from badges import models
from badges.processing.dead_events import incoming
from badges.processing.pipeline import Outcome, process_event
from tests import factories
from tests.factories import COURSE, PASSING

PASSED = ("is_passing", "eq", "true")
FAILED = ("is_passing", "eq", "false")
OTHER_COURSE = "course-v1:edX+Other+2026"


def in_course(course: str = COURSE) -> tuple[str, str, str]:
    """A rule: the event is about this course."""
    return ("course.course_key", "eq", course)


def send(
    username: str = "anna", *, at: float = 0, event_type: str = PASSING, event_id: Any = None, **payload: Any
) -> Outcome:
    """Process a passing-status event, as if it came from the bus."""
    metadata = factories.metadata(event_type, at=at, event_id=event_id)
    data = payload.pop("data", None) or factories.passing_status(username, **payload)
    return process_event(incoming(metadata, {"course_passing_status": data}))


def passes(template: models.BadgeTemplate, course: str = COURSE, group: str = "") -> models.BadgeRequirement:
    """A requirement: the learner passes the course."""
    return factories.RequirementFactory(template=template, group=group, rules=[PASSED, in_course(course)])


def fails(
    template: models.BadgeTemplate, *resets: models.BadgeRequirement, course: str = COURSE
) -> models.BadgePenalty:
    """A penalty: the learner fails the course."""
    return factories.PenaltyFactory(template=template, rules=[FAILED, in_course(course)], resets=resets)
