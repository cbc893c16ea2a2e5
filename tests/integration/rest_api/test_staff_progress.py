"""What staff's programs see of learners' progress."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from badges.models import BadgeProgress
from tests.factories import (
    COURSE,
    PASSING,
    BadgeFactory,
    BadgeProgressFactory,
    FulfillmentFactory,
    RequirementFactory,
    UserFactory,
)
from tests.integration.applications.helpers import person
from tests.integration.rest_api.conftest import Api

pytestmark = pytest.mark.django_db
ALL = "progress/"


@pytest.fixture
def staff(api: Callable[..., Api]) -> Api:
    return api(person("view_badgeprogress", username="stella"))


def progress(fulfilled: int = 1, open_ones: int = 0, **values: Any) -> BadgeProgress:
    """A record with so many fulfilled requirements, and so many open ones."""
    row: BadgeProgress = BadgeProgressFactory(**values)
    for number in range(fulfilled + open_ones):
        rules = [("is_passing", "eq", "true"), ("course.course_key", "eq", COURSE)]
        requirement = RequirementFactory(template=row.template, rules=rules)
        if number < fulfilled:
            FulfillmentFactory(progress=row, requirement=requirement, evidence={"course.course_key": COURSE})
    return row


def ids(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.content
    return [one["id"] for one in answer.json()["results"]]


def test_a_record_is_told_with_its_learner_and_the_events_it_comes_from(staff: Api) -> None:
    row = progress(1, 1, user=UserFactory(username="anna", lms_user_id=77))
    badge = BadgeFactory(user=row.user, template=row.template)
    (said,) = row.fulfillments.all()
    said.evidence["user.pii.email"] = "anna@example.com"
    said.save()

    answer = staff.get(f"{ALL}{row.pk}/")

    told = answer.json()
    assert told["learner"] == {"username": "anna", "lms_user_id": 77}
    assert (told["ratio"], told["missing"]) == (0.5, [f"Pass the course {COURSE}"])
    assert told["badge"] == {"uuid": str(badge.uuid), "status": "awarded"}
    assert told.pop("fulfillments") == [
        {
            "requirement": f"Pass the course {COURSE}",
            "is_fulfilled": True,
            "event_type": PASSING,
            "event_id": str(said.event_id),
            "event_time": "2026-01-01T00:00:00Z",
            "evidence": {"course.course_key": COURSE},
        }
    ]
    assert staff.get(ALL).json() == {"next": None, "previous": None, "results": [told]}
    assert "@" not in answer.content.decode()


def test_records_are_filtered(staff: Api) -> None:
    first = progress(1, 0, user=UserFactory(username="anna", lms_user_id=77))
    second = progress(1, 1, user__username="ben")
    third = progress(0, 1, user=second.user, template__is_active=False)
    empty: Any = BadgeProgressFactory(template=first.template)

    for query, found in (
        ({}, [empty, third, second, first]),
        ({"username": "ben"}, [third, second]),
        ({"lms_user_id": "77"}, [first]),
        ({"template": str(first.template.uuid)}, [empty, first]),
        ({"complete": "true"}, [first]),
        ({"complete": "false"}, [empty, third, second]),
        ({"complete": "false", "username": "ben", "ordering": "created"}, [second, third]),
    ):
        assert ids(staff.get(ALL, **query)) == [one.pk for one in found], query


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"complete": "perhaps"}, "complete"),
        ({"complete": ""}, "complete"),
        ({"template": "x"}, "template"),
        ({"ordering": "awarded_at"}, "ordering"),
        ({"status": "awarded"}, "status"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(staff: Api, query: dict[str, str], name: str) -> None:
    answer = staff.get(ALL, **query)

    assert (answer.status_code, list(answer.json()["error"]["fields"])) == (400, [name])


@pytest.mark.parametrize("query", [{}, {"complete": "true"}])
def test_a_list_costs_the_same_however_many_records_there_are(staff: Api, query: dict[str, str]) -> None:
    costs = []
    for _ in range(2):
        for _ in range(4):
            progress(2)
        with CaptureQueriesContext(connection) as queries:
            assert len(ids(staff.get(ALL, **query))) in (4, 8)
        costs.append(len(queries))

    # The session, the user, the permissions of the user and of groups; the records, their learners, their templates,
    # the requirements of these, the rules of these, and what is fulfilled.
    assert costs == [10, 10]


def test_a_page_is_read_from_one_table_whatever_is_asked_for(staff: Api) -> None:
    """With a join in it, MariaDB sorts all records for one page."""
    row = progress(user=UserFactory(username="anna"))
    for query in ({}, {"username": "anna", "template": str(row.template.uuid)}):
        with CaptureQueriesContext(connection) as queries:
            assert ids(staff.get(ALL, **query)) == [row.pk]
        (page,) = [one["sql"] for one in queries if " LIMIT 51" in one["sql"]]
        assert "badging_badgeprogress" in page
        assert "JOIN" not in page


def test_one_record_costs_the_same_however_many_requirements_it_has(staff: Api) -> None:
    costs = []
    for number in (2, 6):
        row = progress(number)
        with CaptureQueriesContext(connection) as queries:
            staff.get(f"{ALL}{row.pk}/")
        costs.append(len(queries))

    assert costs == [11, 11]


def test_a_record_that_is_not_there_is_not_found(staff: Api) -> None:
    for pk in ("0", "999999999999999999"):
        assert staff.get(f"{ALL}{pk}/").status_code == 404
