"""What the page on the REST API shows as answers is what is answered."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from badges.models import Badge, BadgeTemplate
from tests.factories import (
    BadgeFactory,
    BadgeProgressFactory,
    CredlyBadgeTemplateFactory,
    FulfillmentFactory,
    RequirementFactory,
    UserFactory,
)
from tests.integration.applications.helpers import person
from tests.integration.rest_api.test_api_docs import EXAMPLES, PAGE

pytestmark = pytest.mark.django_db
HOST = "credentials.example.com"
AWARDED_AT = datetime(2026, 2, 10, tzinfo=UTC)
ASKED = re.compile(r'\$ curl .*?"\$API/([^"]+)".*\n\n\.\. code-block:: json\n')
CHANGING = ("uuid", "url", "awarded_at", "created", "modified")
"""What nobody can know before."""


def known(shown: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in shown.items() if name not in names}


@pytest.fixture
def first_steps() -> Any:
    return CredlyBadgeTemplateFactory(
        uuid="0b7c19aa-30c8-4c4e-8f0f-6f4f5d1c2222",
        name="First steps",
        description="Has finished a first course.",
        image_url="https://images.credly.com/images/first.png",
    )


@pytest.fixture
def anna(first_steps: BadgeTemplate) -> Any:
    """A learner with a badge, who is on the way to another one."""
    anna = UserFactory(username="anna")
    BadgeFactory(
        uuid="c0ffee00-8a51-4f9c-9f3f-2d1a0c3e3333",
        user=anna,
        template=first_steps,
        awarded_at=AWARDED_AT,
        external_id="x1",
        state="pending",
        state_at=AWARDED_AT + timedelta(seconds=5),
        url="https://www.credly.com/go/Xk2p",
    )
    python = CredlyBadgeTemplateFactory(
        uuid="5e0c2f4a-7d4f-4b0e-9a55-0e6cf2c4a111",
        name="Python for data",
        description="Can read, clean and plot data.",
        image_url="https://images.credly.com/images/python.png",
    )
    passes = [("is_passing", "eq", "true")]
    py101 = RequirementFactory(
        template=python, rules=[*passes, ("course.course_key", "eq", "course-v1:Example+PY101+2026")]
    )
    RequirementFactory(
        template=python, group="A", rules=[*passes, ("course.course_key", "eq", "course-v1:Example+DATA1+2026")]
    )
    RequirementFactory(
        template=python, group="A", rules=passes, description="Bring a certificate of the old data course."
    )
    progress = BadgeProgressFactory(user=anna, template=python)
    FulfillmentFactory(progress=progress, requirement=py101, event_time=AWARDED_AT)
    return anna


def client(user: Any) -> Client:
    found = Client(SERVER_NAME=HOST)
    found.force_login(user)
    return found


def shown_for(pattern: str) -> Any:
    """The example that stands below a call of such an address."""
    (found,) = [one for one in ASKED.finditer(PAGE) if re.match(pattern, one.group(1))]
    number = PAGE.count(".. code-block:: json\n", 0, found.end()) - 1
    return found.group(1), EXAMPLES[number]


@pytest.mark.parametrize("address", ["my/badges/", "my/progress/", r"badges/\?status", r"badges/\?provider"])
def test_an_example_is_answered_as_it_is_shown(anna: Any, first_steps: BadgeTemplate, address: str) -> None:
    BadgeFactory(
        uuid="1e9bdfe7-d235-4ad3-b577-3e7bf7bc838c",
        user=UserFactory(username="ben", lms_user_id=78),
        template=first_steps,
        awarded_at=AWARDED_AT + timedelta(days=1),
        external_id="x2",
        state="accepted",
        url="https://www.credly.com/badges/x2",
    )
    asked, shown = shown_for(address)

    asking = anna if address.startswith("my/") else person("view_badge")
    told = client(asking).get(f"/badges/api/v1/{asked}", secure=True).json()

    for one, other in zip(told.get("results", []), shown.get("results", []), strict=True):
        one.update({name: other[name] for name in ("created", "modified") if name in one})
    assert told == shown


def test_an_award_is_answered_as_it_is_shown(first_steps: BadgeTemplate) -> None:
    UserFactory(username="anna")
    (sent,) = [json.loads(line) for line in PAGE.splitlines() if line.startswith('    {"template"')]
    _, shown = shown_for("badges/$")
    staff = client(person("add_badge"))

    answer = staff.post("/badges/api/v1/badges/", sent, "application/json", secure=True)

    assert answer.status_code == 201
    told = answer.json()
    assert list(told) == list(shown)
    assert known(told, *CHANGING) == known(shown, *CHANGING)
    assert told["url"].replace(told["uuid"], shown["uuid"]) == shown["url"]


def test_an_award_that_is_asked_for_again_is_answered_as_it_is_shown(anna: Any, first_steps: BadgeTemplate) -> None:
    wanted = {"template": str(first_steps.uuid), "username": "anna", "reason": "Took part in the trial of the course."}
    (shown,) = [one for one in EXAMPLES if one.get("error", {}).get("code") == "already_awarded"]

    answer = client(person("add_badge")).post("/badges/api/v1/badges/", wanted, "application/json", secure=True)

    assert (answer.status_code, answer.json()) == (409, shown)
    assert Badge.objects.count() == 1
