"""Makes templates and events, and measures what one event costs."""

from __future__ import annotations

import itertools
import statistics
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

from django.db import connection
from django.test.utils import CaptureQueriesContext, override_settings
from opaque_keys.edx.keys import CourseKey
from openedx_events.data import EventsMetadata
from openedx_events.learning.data import CourseData, CoursePassingStatusData, UserData, UserPersonalData

from badges.data import IncomingEvent
from badges.issuing.deliveries import run_due
from badges.models import (
    Badge,
    BadgePenalty,
    BadgeRequirement,
    BadgeTemplate,
    ConfigurationVersion,
    DataRule,
    Delivery,
    PenaltyDataRule,
    ProviderAccount,
)
from badges.processing.configuration import current_ruleset
from badges.processing.dead_events import incoming
from badges.processing.pipeline import process_event

EVENT_TYPE = "org.openedx.learning.course.passing.status.updated.v1"
REPEATS = 200
PROVIDERS = {"providers": {"instant": "benchmarks.provider.InstantProvider"}}
START = datetime(2026, 1, 1, tzinfo=UTC)
_seconds = itertools.count(1)


def course(template: int, group: str) -> str:
    """The course of a template's group."""
    return f"course-v1:edX+T{template}{group}+2026"


def make_templates(number: int) -> None:
    """Make so many templates; none is active yet."""
    account = ProviderAccount.objects.create(provider="instant", name="Instant", api_key="key")
    templates = BadgeTemplate.objects.bulk_create(
        BadgeTemplate(name=f"Badge {n}", account=account, provider="instant", external_id=str(n)) for n in range(number)
    )
    requirements = BadgeRequirement.objects.bulk_create(
        BadgeRequirement(template=template, event_type=EVENT_TYPE, group=group)
        for template in templates
        for group in "AB"
    )
    penalties = BadgePenalty.objects.bulk_create(
        BadgePenalty(template=template, event_type=EVENT_TYPE) for template in templates
    )
    by_template = {template.pk: number for number, template in enumerate(templates)}
    DataRule.objects.bulk_create(
        DataRule(requirement=requirement, data_path=path, value=value)
        for requirement in requirements
        for path, value in (
            ("is_passing", "true"),
            ("course.course_key", course(by_template[requirement.template_id], requirement.group)),
        )
    )
    PenaltyDataRule.objects.bulk_create(
        PenaltyDataRule(penalty=penalty, data_path=path, value=value)
        for penalty in penalties
        for path, value in (("is_passing", "no"), ("course.course_key", course(by_template[penalty.template_id], "A")))
    )
    first = {requirement.template_id: requirement for requirement in reversed(requirements)}
    through = BadgePenalty.requirements.through
    through._default_manager.bulk_create(
        through(badgepenalty=penalty, badgerequirement=first[penalty.template_id]) for penalty in penalties
    )


def event(username: str, course_key: str, *, is_passing: bool = True) -> IncomingEvent:
    """A passing-status event, a second after the one before."""
    metadata = EventsMetadata(event_type=EVENT_TYPE, id=uuid.uuid4(), time=START + timedelta(seconds=next(_seconds)))
    data = CoursePassingStatusData(
        is_passing=is_passing,
        user=UserData(
            id=1, is_active=True, pii=UserPersonalData(username=username, email=f"{username}@example.com", name="A B")
        ),
        course=CourseData(course_key=CourseKey.from_string(course_key)),
    )
    return incoming(metadata, {"course_passing_status": data})


def measure(size: int) -> dict[str, tuple[int, float]]:
    """With so many active templates: what each sort of event costs, (queries, median milliseconds)."""
    active = BadgeTemplate.objects.order_by("pk").values_list("pk", flat=True)[:size]
    BadgeTemplate.objects.filter(is_active=True).update(is_active=False)
    BadgeTemplate.objects.filter(pk__lte=max(active)).update(is_active=True)
    ConfigurationVersion.bump()
    current_ruleset()
    run = uuid.uuid4().hex[:8]
    learners = [f"{run}-{number}" for number in range(REPEATS)]
    targets = [number % size for number in range(REPEATS)]
    nothing = "course-v1:edX+Nothing+2026"
    with mock.patch("badges.issuing.tasks.enqueue_all"):
        return {
            "matches nothing": _cost([event(learner, nothing) for learner in learners]),
            "first fulfilment": _cost([event(*pair) for pair in _pairs(learners, targets, "A")]),
            "repeat": _cost([_repeat(*pair) for pair in _pairs(learners, targets, "A")]),
            "penalty finding nothing": _cost(
                [event(f"none-{learner}", key, is_passing=False) for learner, key in _pairs(learners, targets, "A")]
            ),
            "award": _cost([event(*pair) for pair in _pairs(learners, targets, "B")]),
            "revocation": _cost([event(*pair, is_passing=False) for pair in _pairs(learners, targets, "A")]),
        }


def measure_match(size: int) -> float:
    """The median time of ``match()`` alone, in microseconds, over events that match and events that do not."""
    BadgeTemplate.objects.filter(is_active=False).update(is_active=True)
    ruleset = current_ruleset()
    assert len(ruleset.groups) == size
    arguments = [event("anna", course(number * 7 % size, "A")).arguments for number in range(50)]
    arguments += [event("anna", f"course-v1:edX+Nothing{number}+2026").arguments for number in range(50)]

    assert all(ruleset.match(EVENT_TYPE, some) for some in arguments[:50])

    def once() -> float:
        start = time.perf_counter()
        for some in arguments:
            ruleset.match(EVENT_TYPE, some)
        return (time.perf_counter() - start) / len(arguments) * 1e6

    return statistics.median(once() for _ in range(50))


def count_delivery_queries() -> int:
    """The queries that the deliveries of one award take, with a provider that answers at once."""
    with override_settings(BADGES_CONFIG=PROVIDERS):
        Badge.objects.update(status=Badge.Status.AWARDED)
        badge = Badge.objects.earliest("pk")
        badge.deliveries.all().delete()
        for action in (Delivery.Action.ANNOUNCE_AWARDED, Delivery.Action.ISSUE):
            Delivery.objects.create(badge=badge, action=action)
        with CaptureQueriesContext(connection) as queries:
            attempts = run_due(badge.pk)
    assert [attempt.outcome for attempt in attempts] == ["done", "done"], attempts
    return len(queries)


def _pairs(learners: list[str], targets: list[int], group: str) -> list[tuple[str, str]]:
    return [(learner, course(target, group)) for learner, target in zip(learners, targets, strict=True)]


def _repeat(username: str, course_key: str) -> IncomingEvent:
    """The first fulfilment again, with a time before it: what is known already."""
    repeated = event(username, course_key)
    return IncomingEvent(
        event_type=repeated.event_type, event_id=repeated.event_id, time=START, arguments=repeated.arguments
    )


def _cost(events: list[IncomingEvent]) -> tuple[int, float]:
    with CaptureQueriesContext(connection) as queries:
        process_event(events[0])
    return len(queries), statistics.median(_milliseconds(process_event, one) for one in events[1:])


def _milliseconds(action: Callable[[Any], object], argument: object) -> float:
    start = time.perf_counter()
    action(argument)
    return (time.perf_counter() - start) * 1000
