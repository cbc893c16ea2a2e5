"""What an event costs in queries, however many templates there are."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from badges.models import BadgeRequirement, BadgeTemplate, DataRule
from badges.processing.configuration import current_ruleset
from tests.factories import COURSE, PASSING, BadgeTemplateFactory, UserFactory, in_bulk
from tests.integration.processing.helpers import OTHER_COURSE, fails, passes, send

pytestmark = pytest.mark.django_db


@pytest.fixture(params=[10, 500], ids=lambda number: f"{number}-templates")
def many_templates(request: pytest.FixtureRequest) -> int:
    """So many active templates, each for a course of its own."""
    number: int = request.param
    templates = in_bulk(BadgeTemplate(name=f"T{n}", is_active=True) for n in range(number))
    requirements = in_bulk(BadgeRequirement(template=template, event_type=PASSING) for template in templates)
    DataRule.objects.bulk_create(
        DataRule(requirement=requirement, data_path="course.course_key", value=f"course-v1:edX+C{n}+2026")
        for n, requirement in enumerate(requirements)
    )
    return number


def cost(username: str = "anna", **event: Any) -> int:
    """The queries of one event, the transaction's own included."""
    current_ruleset()
    with CaptureQueriesContext(connection) as queries:
        send(username, **event)
    return len(queries)


def test_an_event_that_matches_nothing_is_one_query(many_templates: int) -> None:
    assert cost() == 1


def test_a_repeat_is_three_queries(many_templates: int) -> None:
    passes(BadgeTemplateFactory())
    send(at=1)

    assert cost(at=2) == 3


def test_a_penalty_that_finds_nothing_is_two_queries(many_templates: int) -> None:
    template = BadgeTemplateFactory()
    fails(template, passes(template))

    assert cost(is_passing=False) == 2


def test_a_first_fulfilment_is_at_most_14_queries_with_the_learner_created(many_templates: int) -> None:
    template = BadgeTemplateFactory()
    passes(template, COURSE)
    passes(template, OTHER_COURSE)

    assert cost() <= 14


@pytest.mark.parametrize("learner_is_known", [True, False])
def test_an_award_at_the_first_event_is_at_most_20_queries(many_templates: int, learner_is_known: bool) -> None:
    passes(BadgeTemplateFactory())
    if learner_is_known:
        UserFactory(username="anna")

    assert cost() <= 20
