"""How far a learner is with badges, and which can be earned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.sites.models import Site
from django.db import connection
from django.test.utils import CaptureQueriesContext

from badges.models import Badge
from tests.factories import (
    COURSE,
    PASSING,
    BadgeFactory,
    BadgeProgressFactory,
    BadgeTemplateFactory,
    CredlyBadgeTemplateFactory,
    FulfillmentFactory,
    RequirementFactory,
    UserFactory,
    moment,
)
from tests.integration.processing.helpers import send
from tests.integration.rest_api.conftest import Api

pytestmark = pytest.mark.django_db
PROGRESS, TEMPLATES = "my/progress/", "templates/"
PASSES = [("is_passing", "eq", "true")]
OTHER = "course-v1:edX+Other+2026"


@pytest.fixture
def learner() -> Any:
    return UserFactory(username="anna")


@pytest.fixture
def anna(api: Callable[..., Api], learner: Any) -> Api:
    return api(learner)


def passes(template: Any, course: str, **values: Any) -> Any:
    return RequirementFactory(template=template, rules=[*PASSES, ("course.course_key", "eq", course)], **values)


def names(answer: Any) -> list[str]:
    return [one["template"]["name"] for one in answer.json()["results"]]


def test_progress_says_what_is_fulfilled_since_when_and_what_is_missing(anna: Api) -> None:
    template = CredlyBadgeTemplateFactory(name="Python")
    passes(template, COURSE)
    passes(template, OTHER, group="A")
    passes(template, "course-v1:edX+Third+2026", group="A", description="Pass the third course.")

    send("anna", at=60, course=COURSE)
    answer = anna.get(PROGRESS)

    first = {
        "text": f"Pass the course {COURSE}",
        "is_fulfilled": True,
        "fulfilled_at": "2026-01-01T00:01:00Z",
    }
    open_ones = [
        {"text": f"Pass the course {OTHER}", "is_fulfilled": False, "fulfilled_at": None},
        {"text": "Pass the third course.", "is_fulfilled": False, "fulfilled_at": None},
    ]
    either = f"One of these: Pass the course {OTHER} / Pass the third course."
    told = dict(answer.json()["results"][0])
    assert told.pop("template")["provider"] == {"slug": "credly", "name": "Credly"}
    assert told == {
        "ratio": 0.5,
        "is_complete": False,
        "badge": None,
        "missing": [either],
        "groups": [
            {**first, "requirements": [first]},
            {"text": either, "is_fulfilled": False, "fulfilled_at": None, "requirements": open_ones},
        ],
    }
    assert anna.get(f"{PROGRESS}{template.uuid}/").json() == answer.json()["results"][0]


def test_an_alternative_completes_its_group_and_the_badge_is_named(anna: Api) -> None:
    template = BadgeTemplateFactory()
    passes(template, COURSE, group="A")
    passes(template, OTHER, group="A")

    send("anna", course=OTHER)

    (told,) = anna.get(PROGRESS).json()["results"]
    badge = Badge.objects.get()
    assert (told["ratio"], told["is_complete"], told["missing"]) == (1.0, True, [])
    assert told["badge"] == {"uuid": str(badge.uuid), "status": "awarded"}
    assert [one["is_fulfilled"] for one in told["groups"][0]["requirements"]] == [False, True]


def test_groups_whose_names_differ_in_case_are_two(anna: Api, learner: Any) -> None:
    template = BadgeTemplateFactory()
    passes(template, COURSE, group="a")
    passes(template, OTHER, group="A")
    BadgeProgressFactory(user=learner, template=template)

    (told,) = anna.get(PROGRESS).json()["results"]

    assert len(told["groups"]) == 2


def test_what_a_penalty_has_reset_is_missing_again(anna: Api, learner: Any) -> None:
    template = BadgeTemplateFactory()
    requirement = passes(template, COURSE)
    progress = BadgeProgressFactory(user=learner, template=template)
    FulfillmentFactory(progress=progress, requirement=requirement, is_fulfilled=False)
    BadgeFactory(user=learner, template=template, status="revoked", revoked_at=moment(9))

    (told,) = anna.get(PROGRESS).json()["results"]

    assert (told["ratio"], told["missing"]) == (0.0, [f"Pass the course {COURSE}"])
    assert told["groups"][0]["fulfilled_at"] is None
    assert told["badge"]["status"] == "revoked"


def test_progress_of_inactive_templates_and_of_others_is_not_there(anna: Api, learner: Any) -> None:
    inactive = BadgeProgressFactory(user=learner, template__is_active=False)
    other = BadgeProgressFactory()

    assert anna.get(PROGRESS).json()["results"] == []
    for row in (inactive, other):
        assert anna.get(f"{PROGRESS}{row.template.uuid}/").status_code == 404


def test_templates_that_can_be_earned_say_what_has_to_be_done_and_how_far_one_is(anna: Api, learner: Any) -> None:
    done, begun, new = (BadgeTemplateFactory(name=name) for name in ("A", "B", "C"))
    for template in (done, begun):
        passes(template, COURSE)
    passes(begun, OTHER)
    passes(new, OTHER)
    send("anna", course=COURSE)
    applied_for = BadgeTemplateFactory(name="D", takes_applications=True)
    BadgeTemplateFactory(name="by hand only")
    passes(BadgeTemplateFactory(name="inactive", is_active=False), COURSE)

    answer = anna.get(TEMPLATES)

    assert names(answer) == ["A", "B", "C", "D"]
    told = answer.json()["results"]
    assert [one["is_earned"] for one in told] == [True, False, False, False]
    assert [one["ratio"] for one in told] == [1.0, 0.5, 0.0, 0.0]
    assert [one["missing"] for one in told[1:]] == [[f"Pass the course {OTHER}"]] * 2 + [[]]
    assert [one["takes_applications"] for one in told] == [False, False, False, True]
    assert (told[3]["groups"], told[3]["is_complete"]) == ([], False)
    assert anna.get(f"{TEMPLATES}{applied_for.uuid}/").json() == told[3]


def test_templates_are_filtered(anna: Api, learner: Any) -> None:
    earned, gone, left = (BadgeTemplateFactory(name=name, takes_applications=name != "A") for name in "ABC")
    for template in (earned, gone):
        RequirementFactory(template=template)
    BadgeFactory(user=learner, template=earned)
    BadgeFactory(user=learner, template=gone, status="revoked", revoked_at=moment(1))
    BadgeFactory(template=left)

    for query, found in (
        ({"earned": "true"}, ["A"]),
        ({"earned": "false"}, ["B", "C"]),
        ({"takes_applications": "true", "earned": "0"}, ["B", "C"]),
        ({"takes_applications": "false"}, ["A"]),
        ({}, ["A", "B", "C"]),
        ({"page_size": "1", "page": "2"}, ["B"]),
    ):
        assert names(anna.get(TEMPLATES, **query)) == found, query


@pytest.mark.parametrize(
    ("path", "query", "name"),
    [
        (TEMPLATES, {"earned": "perhaps"}, "earned"),
        (TEMPLATES, {"earned": ""}, "earned"),
        (TEMPLATES, {"user": "ben"}, "user"),
        (PROGRESS, {"username": "ben"}, "username"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(anna: Api, path: str, query: dict[str, str], name: str) -> None:
    answer = anna.get(path, **query)

    assert (answer.status_code, list(answer.json()["error"]["fields"])) == (400, [name])


def test_templates_of_other_sites_are_offered_there(anna: Api, learner: Any, settings: Any) -> None:
    here, there = Site.objects.get_current(), Site.objects.create(domain="other.example.com", name="Other")
    for name, site in (("A", None), ("B", here), ("C", there)):
        RequirementFactory(template__name=name, template__site=site)
    hidden = BadgeProgressFactory(user=learner, template__name="C2", template__site=there)

    assert names(anna.get(TEMPLATES)) == ["A", "B"]
    # What one has begun stays one's own wherever one looks.
    assert names(anna.get(PROGRESS)) == [hidden.template.name]
    del settings.SITE_ID
    # Nobody knows which site this is.
    assert names(anna.get(TEMPLATES)) == ["A"]


def test_a_rule_that_names_somebody_is_not_told(anna: Api) -> None:
    RequirementFactory(rules=[*PASSES, ("user.pii.email", "eq", "ben@example.com")])

    answer = anna.get(TEMPLATES)

    assert answer.json()["results"][0]["missing"] == [
        "Pass any course (a condition on the account of the learner is met)"
    ]
    assert "ben" not in answer.content.decode()


def test_an_event_that_is_not_known_any_more_does_not_fail(anna: Api) -> None:
    RequirementFactory(event_type="org.example.gone.v1", rules=[("a", "eq", "b")])

    assert anna.get(TEMPLATES).json()["results"][0]["missing"] == ['The event "org example gone" happens (a: b)']


@pytest.mark.parametrize("path", [PROGRESS, TEMPLATES])
def test_a_list_costs_the_same_however_many_templates_there_are(anna: Api, learner: Any, path: str) -> None:
    costs = []
    for _ in range(2):
        for _ in range(4):
            requirement = RequirementFactory(event_type=PASSING, rules=PASSES)
            progress = BadgeProgressFactory(user=learner, template=requirement.template)
            FulfillmentFactory(progress=progress, requirement=requirement)
            BadgeFactory(user=learner, template=requirement.template)
        Site.objects.get_current()
        with CaptureQueriesContext(connection) as queries:
            anna.get(path)
        costs.append(len(queries))

    # The session, the user, the number of templates, the templates, their requirements, the rules of these; what is
    # fulfilled, and badges.
    assert costs == [8, 8]
