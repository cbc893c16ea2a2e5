"""What the programs of reviewers and staff do with applications."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import resolve

from badges.applications import applying
from badges.models import Application, Badge, BadgeKitSystem, Review
from tests.factories import ApplicationFactory, BadgeTemplateFactory, CriterionFactory, UserFactory
from tests.integration.applications.helpers import PNG, manager, person, reviewer, upload
from tests.integration.rest_api.conftest import Api

pytestmark = pytest.mark.django_db
ALL = "applications/"
Status = Application.Status


@pytest.fixture
def ruth() -> Any:
    return reviewer(username="ruth")


@pytest.fixture
def reviewing(api: Callable[..., Api], ruth: Any) -> Api:
    return api(ruth)


def ids(answer: Any) -> list[int]:
    return [one["id"] for one in answer.json()["results"]]


def test_an_application_is_shown_with_all_that_a_reviewer_needs(reviewing: Api) -> None:
    application = ApplicationFactory(user__username="anna", user__email="anna@example.com")
    criterion = CriterionFactory(template=application.template, description="It works", note="Look at the tests.")
    application.evidence.create(kind="link", url="https://example.com/")

    told = reviewing.get(f"{ALL}{application.pk}/").json()

    assert told["learner"] == {"username": "anna", "name": "Anna Maria Lee", "email": "anna@example.com"}
    assert told["criteria"] == [
        {"id": criterion.pk, "description": "It works", "is_required": True, "note": "Look at the tests."}
    ]
    assert told["evidence"][0]["url"] == "https://example.com/"
    assert (told["origin"], told["assigned_to"]) == (None, None)


def test_applications_are_filtered(reviewing: Api, ruth: Any) -> None:
    first = ApplicationFactory(user__username="anna", assigned_to=ruth)
    second = ApplicationFactory(user__username="ben", status=Status.APPROVED)
    third = ApplicationFactory(status=Status.CLOSED)

    for query, found in (
        ({}, [third, second, first]),
        ({"status": "submitted,approved"}, [second, first]),
        ({"template": str(first.template.uuid)}, [first]),
        ({"learner": "ben"}, [second]),
        ({"assigned_to": "me"}, [first]),
        ({"assigned_to": "ruth"}, [first]),
        ({"assigned_to": "nobody"}, [third, second]),
        ({"page_size": "1", "page": "2"}, [second]),
    ):
        assert ids(reviewing.get(ALL, **query)) == [one.pk for one in found], query


def test_a_similar_username_shows_nobody_elses_applications(reviewing: Api) -> None:
    """MySQL takes letters with accents for the same as those without."""
    jose = UserFactory(username="josé")
    own = ApplicationFactory(user=jose, assigned_to=jose)

    for name in ("learner", "assigned_to"):
        assert ids(reviewing.get(ALL, **{name: "jose"})) == []
        assert ids(reviewing.get(ALL, **{name: "josé"})) == [own.pk]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"status": "nonsense"}, 400),
        ({"template": "x"}, 400),
        ({"learner": "a\x00"}, 400),
        ({"assigned_to": "a\x00"}, 400),
        ({"page": "99999999999999999999999"}, 404),
        ({"page": "x"}, 404),
        ({"page": "\x00"}, 404),
        ({"page_size": "9" * 30}, 200),
        ({"page_size": "-1"}, 400),
        ({"template": ""}, 400),
    ],
)
def test_filters_that_make_no_sense_are_the_clients_error(reviewing: Api, query: dict[str, str], status: int) -> None:
    answer = reviewing.get(ALL, **query)

    assert answer.status_code == status
    assert status == 200 or set(answer.json()) == {"error"}


def test_a_list_costs_the_same_whatever_its_length(reviewing: Api, django_assert_num_queries: Any, ruth: Any) -> None:
    for _ in range(3):
        ApplicationFactory(assigned_to=ruth)

    with django_assert_num_queries(6):
        reviewing.get(ALL)


def test_a_reviewer_approves_against_the_criteria(reviewing: Api) -> None:
    application = ApplicationFactory(template__awards_on_approval=True)
    criterion = CriterionFactory(template=application.template)
    path = f"{ALL}{application.pk}/review/"

    refused = reviewing.post(path, {"approves": True})
    assert (refused.status_code, list(refused.json()["error"]["fields"])) == (400, ["items"])

    items = [{"criterion": criterion.pk, "is_satisfied": True, "comment": "Yes."}]
    submitted_at = application.submitted_at.isoformat()
    answer = reviewing.post(path, {"approves": True, "items": items, "comment": "Good.", "submitted_at": submitted_at})

    assert (answer.status_code, answer.json()["status"]) == (201, "awarded")
    (told,) = answer.json()["reviews"]
    assert (told["author"], told["is_approved"], told["items"][0]["comment"]) == ("ruth", True, "Yes.")
    assert [one["by"] for one in answer.json()["history"]] == ["ruth", None]
    assert Badge.objects.get().user == application.user
    late = reviewing.post(path, {"approves": False, "comment": "No."})
    assert (late.status_code, late.json()["error"]["code"]) == (409, "conflict")


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({}, "approves"),
        ({"approves": "perhaps"}, "approves"),
        ({"approves": False}, "comment"),
        ({"approves": True, "items": [{"criterion": 10**30, "is_satisfied": True}]}, "items.0.criterion"),
        ({"approves": True, "items": [{"criterion": 1}]}, "items.0.is_satisfied"),
        ({"approves": True, "items": [{"criterion": 10**12, "is_satisfied": True}]}, "items.0"),
        ({"approves": True, "submitted_at": "yesterday"}, "submitted_at"),
        ({"approves": True, "comment": "a" * 20_001}, "comment"),
    ],
)
def test_a_review_that_makes_no_sense_is_refused(reviewing: Api, data: dict[str, Any], field: str) -> None:
    answer = reviewing.post(f"{ALL}{ApplicationFactory().pk}/review/", data)

    assert (answer.status_code, list(answer.json()["error"]["fields"])) == (400, [field])
    assert not Review.objects.exists()


def test_a_reviewer_asks_again_and_staff_award_and_close(reviewing: Api, api: Callable[..., Api]) -> None:
    asked, approved, unwanted = (ApplicationFactory(status=status) for status in ("submitted", "approved", "submitted"))
    staff = api(manager())

    assert reviewing.post(f"{ALL}{asked.pk}/review/", {"approves": False, "comment": "More!"}).status_code == 201
    assert reviewing.post(f"{ALL}{approved.pk}/award/").status_code == 403
    assert staff.post(f"{ALL}{approved.pk}/award/").json()["status"] == "awarded"
    assert staff.post(f"{ALL}{unwanted.pk}/close/").json()["error"]["fields"] == {"reason": ["Enter a reason."]}
    assert staff.post(f"{ALL}{unwanted.pk}/close/", {"reason": "A test."}).json()["note"] == "A test."
    assert list(Application.objects.order_by("pk").values_list("status", flat=True)) == [
        "returned",
        "awarded",
        "closed",
    ]


def test_an_application_is_assigned(reviewing: Api, ruth: Any) -> None:
    application = ApplicationFactory()
    path = f"{ALL}{application.pk}/assign/"

    assert reviewing.post(path, {"assigned_to": "ruth"}).json()["assigned_to"] == "ruth"
    assert reviewing.post(path, {"assigned_to": None}).json()["assigned_to"] is None
    for who in ("nobody-at-all", UserFactory().username):
        answer = reviewing.post(path, {"assigned_to": who})
        assert (answer.status_code, list(answer.json()["error"]["fields"])) == (400, ["assigned_to"])


def test_staff_apply_for_a_learner(api: Callable[..., Api], template: Any) -> None:
    learner = UserFactory(username="anna")
    data = {"template": str(template.uuid), "learner": "anna", "statement": "She did it."}

    answer = api(person("add_application")).post(ALL, data)

    assert answer.status_code == 201
    assert Application.objects.get().user == learner
    assert "learner" not in answer.json()
    assert learner.email not in str(answer.json())
    unknown = api(person("add_application")).post(ALL, {**data, "learner": "nobody"})
    assert list(unknown.json()["error"]["fields"]) == ["learner"]
    assert api(reviewer()).post(ALL, data).status_code == 403


def test_staff_hand_in_again_and_withdraw_for_a_learner(reviewing: Api, api: Callable[..., Api]) -> None:
    application = ApplicationFactory(status=Status.RETURNED)
    path = f"{ALL}{application.pk}/"
    staff = api(person("add_application", "view_application"))

    for act in ("resubmit/", "withdraw/"):
        assert reviewing.post(path + act, {"statement": "Hm."}).status_code == 403
    assert staff.post(f"{path}resubmit/", {"statement": "Again."}).json()["statement"] == "Again."
    assert staff.post(f"{path}withdraw/").json()["status"] == "withdrawn"


def test_a_reviewer_does_not_review_their_own(reviewing: Api, ruth: Any) -> None:
    own = ApplicationFactory(user=ruth)

    answer = reviewing.post(f"{ALL}{own.pk}/review/", {"approves": True})

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not_allowed")


@pytest.mark.parametrize("path", ["", "review/", "award/", "close/", "assign/", "evidence/1/"])
def test_a_learner_finds_nothing_where_reviewers_work(api: Callable[..., Api], path: str) -> None:
    learner = UserFactory()
    own = ApplicationFactory(user=learner)
    ask = api(learner).get if path in ("", "evidence/1/") else api(learner).post

    assert ask(f"{ALL}{own.pk}/{path}").status_code == 404
    assert api(learner).get(ALL).status_code == 403
    assert api(learner).post(ALL, {"learner": "x"}).status_code == 403


def test_the_file_of_evidence_is_handed_out_to_reviewers(
    reviewing: Api, api: Callable[..., Api], template: Any
) -> None:
    made = applying.submit(template, UserFactory(), evidence=[upload()])

    (piece,) = reviewing.get(f"{ALL}{made.pk}/").json()["evidence"]
    answer = reviewing._client.get(piece["file"])

    assert b"".join(answer) == PNG


def test_a_copy_shows_where_it_came_from_and_is_not_reviewed_here(reviewing: Api) -> None:
    system = BadgeKitSystem.objects.create(name="BadgeKit")
    template = BadgeTemplateFactory()
    copy = ApplicationFactory(template=template, user=None, account=system, learner_email="anna@example.com")

    told = reviewing.get(f"{ALL}{copy.pk}/").json()

    assert (told["origin"], told["learner"]["email"], told["learner"]["username"]) == (
        "BadgeKit",
        "anna@example.com",
        None,
    )
    assert reviewing.post(f"{ALL}{copy.pk}/review/", {"approves": True}).status_code == 403


@pytest.mark.parametrize("path", ["", "1/", "1/review/", "1/award/", "1/evidence/1/"])
def test_no_view_is_one_transaction_whatever_the_project_says(path: str) -> None:
    for address in (f"/badges/api/v1/{ALL}{path}", f"/admin/badges/application/{path or 'add/'}"):
        if not (address.startswith("/admin") and path == "1/"):
            view: Any = resolve(address).func
            assert view._non_atomic_requests == {"default"}


def test_a_form_of_another_site_does_nothing(ruth: Any) -> None:
    application = ApplicationFactory()
    client = Client(enforce_csrf_checks=True)
    client.force_login(ruth)

    answer = client.post(f"/badges/api/v1/{ALL}{application.pk}/review/", {"approves": True}, "application/json")

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "permission_denied")
    assert not Review.objects.exists()
