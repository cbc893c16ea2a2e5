"""What staff's programs see of learners' badges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from badges.models import Badge, BadgeChange
from tests.factories import BadgeFactory, BadgeTemplateFactory, CredlyBadgeTemplateFactory, UserFactory, moment
from tests.integration.applications.helpers import person
from tests.integration.rest_api.conftest import Api

pytestmark = pytest.mark.django_db
ALL = "badges/"


@pytest.fixture
def staff(api: Callable[..., Api]) -> Api:
    return api(person("view_badge", username="stella"))


def uuids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [one["uuid"] for one in answer.json()["results"]]


def test_a_badge_is_told_with_its_learner_and_what_staff_did(staff: Api) -> None:
    learner = UserFactory(username="anna", lms_user_id=77)
    badge = BadgeFactory(user=learner, template=CredlyBadgeTemplateFactory(name="Python"), external_id="c1")
    change = BadgeChange.objects.create(
        badge=badge, action="awarded", by=UserFactory(username="ruth"), reason="Earned."
    )

    answer = staff.get(f"{ALL}{badge.uuid}/")

    told = answer.json()
    assert told["learner"] == {"username": "anna", "lms_user_id": 77}
    assert (told["external_id"], told["state_text"], told["template"]["name"]) == ("c1", "It is issued.", "Python")
    assert told["changes"] == [{"action": "awarded", "at": _iso(change.at), "by": "ruth", "reason": "Earned."}]
    del told["changes"]
    assert staff.get(ALL).json() == {"next": None, "previous": None, "results": [told]}
    assert staff.get(f"{ALL}{str(badge.uuid).upper()}/").status_code == 200


def test_badges_are_filtered(staff: Api) -> None:
    now = timezone.now()
    first = BadgeFactory(user=UserFactory(username="anna", lms_user_id=77), awarded_at=moment(1), state="pending")
    second = BadgeFactory(
        user__username="ben", template=CredlyBadgeTemplateFactory(), awarded_at=moment(2), state="accepted"
    )
    third = BadgeFactory(
        user=second.user, template=first.template, awarded_at=moment(3), status="revoked", revoked_at=moment(4)
    )
    Badge.objects.filter(pk__in=[first.pk, third.pk]).update(modified=moment(0))
    everything = [third, second, first]

    for query, found in (
        ({}, everything),
        ({"username": "anna"}, [first]),
        ({"username": "nobody"}, []),
        ({"lms_user_id": "77"}, [first]),
        ({"lms_user_id": "9223372036854775807"}, []),
        ({"template": str(first.template.uuid)}, [third, first]),
        ({"template": "00000000-0000-0000-0000-000000000000"}, []),
        ({"provider": "credly"}, [second]),
        ({"provider": "openedx"}, [third, first]),
        ({"provider": "badgekit"}, []),
        ({"status": "awarded"}, [second, first]),
        ({"status": "awarded,revoked"}, everything),
        ({"state": "accepted"}, [second]),
        ({"state": ""}, [third]),
        ({"awarded_after": "2026-01-01T00:00:02Z"}, [third, second]),
        ({"awarded_before": "2026-01-01T00:00:02Z"}, [first]),
        ({"awarded_after": "2026-01-01T01:00:02+01:00", "awarded_before": "2026-01-01T00:00:03Z"}, [second]),
        ({"awarded_after": "2026-01-02"}, []),
        ({"modified_after": now.isoformat()}, [second]),
        ({"username": "ben", "status": "revoked"}, [third]),
        ({"ordering": "created"}, everything[::-1]),
        ({"ordering": "awarded_at"}, everything[::-1]),
        ({"ordering": "-awarded_at"}, everything),
        ({"ordering": "modified"}, [first, third, second]),
        ({"ordering": "-modified"}, [second, third, first]),
    ):
        assert uuids(staff.get(ALL, **query)) == [str(one.uuid) for one in found], query


@pytest.mark.parametrize(
    ("query", "name", "text"),
    [
        ({"status": "lost"}, "status", 'There is no status "lost". Known: awarded, revoked.'),
        ({"provider": "nowhere"}, "provider", 'There is no provider "nowhere".'),
        ({"template": "x"}, "template", "This is not a UUID."),
        ({"lms_user_id": "anna"}, "lms_user_id", "A valid integer is required."),
        ({"lms_user_id": "9" * 40}, "lms_user_id", "Ensure this value is less than or equal to 9223372036854775807."),
        ({"awarded_after": "9999-12-31T23:59:59-14:00"}, "awarded_after", None),
        ({"awarded_before": "0001-01-01"}, "awarded_before", "The year must be between 1900 and 9000."),
        ({"modified_after": "yesterday"}, "modified_after", None),
        ({"ordering": "email"}, "ordering", None),
        ({"ordering": "pk"}, "ordering", None),
        ({"user": "anna"}, "user", None),
        ({"page": "2"}, "page", None),
        ({"username": "a\x00"}, "username", "Null characters are not allowed."),
        ({"username": ["a", "b"]}, "username", "Give this only once."),
        ({"cursor": "x"}, "cursor", "This is not a cursor of this list. Begin again without one."),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused_with_a_sentence(
    staff: Api, query: dict[str, Any], name: str, text: str | None
) -> None:
    answer = staff.get(ALL, **query)

    fields = answer.json()["error"]["fields"]
    assert (answer.status_code, list(fields)) == (400, [name])
    assert fields[name] == [text] if text else len(fields[name][0]) > 10


def test_a_similar_username_shows_nobody_elses_badges(staff: Api) -> None:
    """MySQL takes letters with accents for the same as those without."""
    BadgeFactory(user=UserFactory(username="josé"))

    assert staff.get(ALL, username="jose").json()["results"] == []
    assert len(staff.get(ALL, username="josé").json()["results"]) == 1


def test_a_provider_that_is_gone_can_still_be_asked_for(staff: Api) -> None:
    badge = BadgeFactory(template=BadgeTemplateFactory(provider="gone"))

    assert uuids(staff.get(ALL, provider="gone")) == [str(badge.uuid)]


def test_a_list_costs_the_same_however_many_badges_there_are(staff: Api) -> None:
    costs = []
    for _ in range(2):
        for _ in range(4):
            BadgeFactory(template=CredlyBadgeTemplateFactory())
        with CaptureQueriesContext(connection) as queries:
            assert len(uuids(staff.get(ALL))) in (4, 8)
        costs.append(len(queries))

    # The session, the user, the permissions of the user and of groups; the badges, their learners, their templates.
    assert costs == [7, 7]


def test_a_page_is_read_from_one_table_whatever_is_asked_for(staff: Api) -> None:
    """With a join in it, MariaDB sorts all badges for one page."""
    badge = BadgeFactory(user=UserFactory(username="anna", lms_user_id=77))
    filters = {"username": "anna", "lms_user_id": "77", "template": str(badge.template.uuid), "provider": "openedx"}

    for query in ({}, {**filters, "status": "awarded", "state": "", "ordering": "modified"}):
        with CaptureQueriesContext(connection) as queries:
            assert uuids(staff.get(ALL, **query)) == [str(badge.uuid)]
        (page,) = [one["sql"] for one in queries if " LIMIT 51" in one["sql"]]
        assert "badging_badge" in page
        assert "JOIN" not in page


@pytest.mark.parametrize("path", ["", "{uuid}/"])
def test_no_answer_has_an_address_or_a_name(staff: Api, path: str) -> None:
    badge = BadgeFactory(user=UserFactory(username="anna", email="post@example.com", full_name="Anna Maria Lee"))

    text = staff.get(ALL + path.format(uuid=badge.uuid)).content.decode()

    assert "anna" in text
    assert "post@example.com" not in text
    assert "Maria" not in text


def _iso(value: Any) -> str:
    return str(value.isoformat().replace("+00:00", "Z"))
