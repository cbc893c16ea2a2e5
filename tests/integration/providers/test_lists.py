"""Templates with all that is known of them, and the lists of issued badges, against the JSON of the documentation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import responses
from responses.matchers import json_params_matcher, query_param_matcher

from badges.data import Criterion, IssuedBadge, ListedBadge
from badges.exceptions import (
    ProviderAuthError,
    ProviderError,
    ProviderRateLimited,
    ProviderRejected,
    ProviderUnavailable,
    UnexpectedAnswer,
)
from tests.integration.providers.helpers import (
    ACCREDIBLE,
    ACCREDIBLE_2,
    AWARD,
    CREDLY,
    CREDLY_ORGANIZATION,
    accredible,
    credly,
)

TEMPLATE = AWARD.template_external_id
SINCE = datetime(2026, 4, 1, 12, 0, 0, 500_000, tzinfo=UTC)
SEARCH = f"{ACCREDIBLE_2}/credentials/search"
DESIGN = f"{ACCREDIBLE}/designs/7"


@pytest.fixture(autouse=True)
def mock() -> Iterator[Any]:
    with responses.RequestsMock() as active:
        yield active


def listed(*rows: Any, **metadata: Any) -> dict[str, Any]:
    """A list as Credly answers it."""
    return {"data": list(rows), "metadata": {"total_pages": 1, "next_page_url": None, **metadata}}


def badge(number: int, **values: Any) -> dict[str, Any]:
    """A row of Credly's list."""
    return {
        "id": f"b{number}",
        "state": "accepted",
        "badge_url": f"https://www.credly.com/badges/b{number}",
        "issuer_earner_id": str(AWARD.uuid),
        "recipient_email": "anna@example.com",
        "badge_template": {"id": TEMPLATE},
        **values,
    }


def credential(number: int, **values: Any) -> dict[str, Any]:
    """A row of Accredible's search."""
    return {
        "id": number,
        "license_id": str(AWARD.uuid),
        "recipient_email": "anna@example.com",
        "group": {"id": 9001},
        "approve": True,
        "expired_on": None,
        **values,
    }


def found(*rows: Any, cursor: str | None = None) -> dict[str, Any]:
    return {"credentials": list(rows), "meta": {"count": len(rows), "cursor": cursor}}


# Credly's templates


def test_a_template_has_its_skills_and_criteria(mock: Any) -> None:
    row = {
        "id": "t1",
        "name": "One",
        "state": "active",
        "skills": [{"id": "1", "name": "Python"}, "Testing", {"name": "Python"}, {"id": 3}, None, 7],
        "badge_template_activities": [
            {"id": "a", "title": "Pass the exam", "activity_url": "https://x.example/exam"},
            {"title": "Attend", "activity_url": "javascript:alert(1)"},
            {"title": " "},
            "nonsense",
        ],
        "global_activity_url": "https://x.example/badge",
    }
    mock.get(f"{CREDLY}/badge_templates", json=listed(row))
    [[template]] = [page.templates for page in credly().templates()]
    assert template.skills == ("Python", "Testing")
    assert template.criteria == (
        Criterion("Pass the exam", "https://x.example/exam"),
        Criterion("Attend", ""),
        Criterion("", "https://x.example/badge"),
    )


@pytest.mark.parametrize("odd", [None, "text", 7, {}, [[]], [None]])
def test_skills_and_criteria_of_an_odd_shape_are_none(mock: Any, odd: Any) -> None:
    row = {"id": "t1", "name": "One", "state": "active", "skills": odd, "badge_template_activities": odd}
    mock.get(f"{CREDLY}/badge_templates", json=listed({**row, "global_activity_url": odd}))
    [[template]] = [page.templates for page in credly().templates()]
    assert template.criteria == ()
    assert len(template.skills) <= 1


def test_a_list_is_read_from_the_page_asked_for(mock: Any) -> None:
    for number in (2, 3):
        mock.get(
            f"{CREDLY}/badge_templates",
            match=[query_param_matcher({"page": str(number)})],
            json=listed({"id": f"t{number}", "name": "T", "state": "active"}, total_pages=3),
        )
    pages = list(credly().templates(2))
    assert [(page.number, page.templates[0].external_id) for page in pages] == [(2, "t2"), (3, "t3")]


def test_a_page_beyond_the_last_is_empty(mock: Any) -> None:
    mock.get(f"{CREDLY}/badge_templates", match=[query_param_matcher({"page": "9"})], json=listed(total_pages=3))
    assert [page.templates for page in credly().templates(9)] == [()]


@pytest.mark.parametrize("state", ["active", "archived"])
def test_a_template_that_is_there_is_there_whatever_its_state(mock: Any, state: str) -> None:
    mock.get(f"{CREDLY}/badge_templates/{TEMPLATE}", json={"data": {"id": TEMPLATE.upper(), "state": state}})
    assert credly().has_template(TEMPLATE)


def test_a_template_that_is_not_found_is_gone_if_the_organization_is_right(mock: Any) -> None:
    mock.get(f"{CREDLY}/badge_templates/{TEMPLATE}", status=404)
    mock.get(CREDLY, json={"data": {"id": CREDLY_ORGANIZATION}})
    assert not credly().has_template(TEMPLATE)


@pytest.mark.parametrize(
    ("organization", "kind"), [(404, ProviderRejected), (401, ProviderAuthError), (500, ProviderUnavailable)]
)
def test_a_template_of_a_wrong_organization_is_not_gone(mock: Any, organization: int, kind: type[Exception]) -> None:
    mock.get(f"{CREDLY}/badge_templates/{TEMPLATE}", status=404)
    mock.get(CREDLY, status=organization)
    with pytest.raises(kind):
        credly().has_template(TEMPLATE)


@pytest.mark.parametrize("answer", [{}, {"data": {"id": "another"}}])
def test_another_template_proves_nothing(mock: Any, answer: Any) -> None:
    mock.get(f"{CREDLY}/badge_templates/{TEMPLATE}", json=answer)
    with pytest.raises(UnexpectedAnswer):
        credly().has_template(TEMPLATE)


# Credly's badges


def test_issued_badges_are_listed_with_what_finds_ours(mock: Any) -> None:
    rows = (
        badge(1),
        badge(2, state="revoked", issuer_earner_id="17"),
        badge(3, id=None),
        badge(4, issuer_earner_id=str(AWARD.uuid).upper()),
    )
    mock.get(f"{CREDLY}/badges", match=[query_param_matcher({"page": "1", "sort": "created_at"})], json=listed(*rows))
    [page] = credly().issued_badges()
    url = "https://www.credly.com/badges/b"
    assert page == (
        ListedBadge(IssuedBadge("b1", "accepted", f"{url}1"), str(AWARD.uuid), TEMPLATE, "anna@example.com"),
        ListedBadge(
            IssuedBadge("b2", "revoked", f"{url}2", is_valid=False, is_revoked=True), "", TEMPLATE, "anna@example.com"
        ),
        ListedBadge(IssuedBadge("b4", "accepted", f"{url}4"), str(AWARD.uuid), TEMPLATE, "anna@example.com"),
    )


def test_no_more_than_a_page_is_asked_for_ahead(mock: Any) -> None:
    first = mock.get(f"{CREDLY}/badges", json=listed(badge(1), total_pages=2))
    pages = credly().issued_badges()
    next(pages)
    assert first.call_count == 1


@pytest.mark.parametrize(
    ("times", "is_listed"),
    [
        ({"created_at": "2026-01-01T00:00:00.000Z", "updated_at": "2026-01-02T00:00:00.000Z"}, False),
        ({"created_at": "2026-01-01T00:00:00Z", "state_updated_at": "2026-04-01T12:00:01Z"}, True),
        ({"created_at": "2026-04-01T12:00:00.500Z"}, True),
        ({"created_at": "2026-04-01T08:00:01-04:00"}, True),
        ({"created_at": "long ago"}, True),
        ({}, True),
    ],
)
def test_of_old_badges_those_are_listed_that_changed_since(mock: Any, times: dict[str, str], is_listed: bool) -> None:
    mock.get(f"{CREDLY}/badges", json=listed(badge(1, **times)))
    [page] = credly().issued_badges(SINCE)
    assert len(page) == is_listed


# Accredible's groups


def test_a_group_has_its_skills_and_its_course(mock: Any) -> None:
    group = {
        "id": 1,
        "name": "G",
        "learning_outcomes": ["Knows the web", "Knows the web", {"name": "Teaches"}],
        "course_link": "https://x.example/course",
    }
    mock.post(f"{ACCREDIBLE}/issuer/groups/search", json={"groups": [group], "meta": {"total_pages": 1}})
    [[template]] = [page.templates for page in accredible().templates()]
    assert template.skills == ("Knows the web", "Teaches")
    assert template.criteria == (Criterion("", "https://x.example/course"),)


@pytest.mark.parametrize(
    ("answer", "url"),
    [
        ({"json": {"design": {"rasterized_content_url": "https://x.example/7.png"}}}, "https://x.example/7.png"),
        ({"json": {"design": {"rasterized_content_url": "javascript:alert(1)"}}}, ""),
        ({"json": {"design": {}}}, ""),
        ({"json": {}}, ""),
        ({"status": 404, "json": {"errors": "Doesn't exist"}}, ""),
    ],
)
def test_an_image_is_had_with_one_call(mock: Any, answer: dict[str, Any], url: str) -> None:
    mock.get(DESIGN, **answer)
    assert accredible().image_url("7") == url


@pytest.mark.parametrize(
    ("status", "kind"), [(429, ProviderRateLimited), (503, ProviderUnavailable), (401, ProviderAuthError)]
)
def test_an_image_that_cannot_be_had_now_is_not_an_image_that_is_not_there(
    mock: Any, status: int, kind: type[ProviderError]
) -> None:
    mock.get(DESIGN, status=status)
    with pytest.raises(kind):
        accredible().image_url("7")


def test_a_group_is_there_or_gone(mock: Any) -> None:
    mock.get(f"{ACCREDIBLE}/issuer/groups/1", json={"group": {"id": 1}})
    mock.get(f"{ACCREDIBLE}/issuer/groups/2", status=404, json={"success": False, "data": "Group does not exist"})
    mock.get(f"{ACCREDIBLE}/issuer/details", json={"issuer": {"id": 3}})
    assert [accredible().has_template(group) for group in ("1", "2")] == [True, False]


@pytest.mark.parametrize("answer", [{"status": 401}, {"json": {"status": "ok"}}, {"status": 404}])
def test_a_group_of_a_wrong_key_or_address_is_not_gone(mock: Any, answer: dict[str, Any]) -> None:
    mock.get(f"{ACCREDIBLE}/issuer/groups/2", status=404)
    mock.get(f"{ACCREDIBLE}/issuer/details", **answer)
    with pytest.raises(ProviderError):
        accredible().has_template("2")


# Accredible's credentials


def test_credentials_are_listed_with_what_finds_ours(mock: Any) -> None:
    body = {
        "query": {"updated_at[gte]": "2026-04-01T12:00:00Z"},
        "sort": {"id": "asc"},
        "page": {"size": 50, "from": 0},
    }
    rows = (credential(1), credential(2, license_id=None, expired_on="2026-04-02"), credential(3, id=None))
    mock.post(SEARCH, match=[json_params_matcher(body)], json=found(*rows))
    mock.post(SEARCH, match=[json_params_matcher({**body, "page": {"size": 50, "from": 3}})], json=found())
    [page] = accredible().issued_badges(SINCE)
    assert page == (
        ListedBadge(IssuedBadge("1", "published"), str(AWARD.uuid), "9001", "anna@example.com"),
        ListedBadge(IssuedBadge("2", "expired", is_valid=False), "", "9001", "anna@example.com"),
    )


def test_without_a_time_all_are_listed_by_a_condition_that_is_documented(mock: Any) -> None:
    mock.post(SEARCH, json=found())
    assert list(accredible().issued_badges()) == []
    asked = json.loads(mock.calls[0].request.body)
    assert asked["query"] == {"updated_at[gte]": "2000-01-01T00:00:00Z"}


def test_a_row_without_a_number_is_asked_for_by_its_other_name(mock: Any) -> None:
    mock.post(SEARCH, json=found(credential(1, id=None, encoded_id="enc1"), credential(2, id=None, encoded_id="enc2")))
    mock.post(SEARCH, json=found())
    mock.get(f"{ACCREDIBLE}/credentials/enc1", json={"credential": {"id": 10, "url": "https://x.example/10"}})
    mock.get(f"{ACCREDIBLE}/credentials/enc2", status=404)
    [page] = accredible().issued_badges()
    assert [(one.badge.external_id, one.badge.url) for one in page] == [("10", "https://x.example/10")]


def test_a_condition_that_was_ignored_changes_nothing(mock: Any) -> None:
    mock.post(SEARCH, json=found(credential(1, updated_at="2026-01-01T00:00:00Z"), credential(2)))
    mock.post(SEARCH, json=found())
    [page] = accredible().issued_badges(SINCE)
    assert [one.badge.external_id for one in page] == ["2"]


class Shelf:
    """Many credentials, which know how far an offset goes."""

    def __init__(self, many: int, *, gives_cursors: bool = True) -> None:
        self.many, self.gives_cursors = many, gives_cursors
        self.pages: list[dict[str, Any]] = []

    def answer(self, request: Any) -> tuple[int, dict[str, str], str]:
        page = json.loads(request.body)["page"]
        self.pages.append(page)
        start = int(page.get("cursor", page.get("from")))
        assert start <= 10_000 or "cursor" in page
        end = min(start + page["size"], self.many)
        cursor = str(end) if self.gives_cursors and end < self.many else None
        rows = [credential(number) for number in range(start + 1, end + 1)]
        return 200, {}, json.dumps(found(*rows, cursor=cursor))


@pytest.mark.parametrize("many", [0, 1, 50, 51, 9_950, 10_000, 10_050, 10_120])
def test_beyond_ten_thousand_a_cursor_leads_on(mock: Any, many: int) -> None:
    shelf = Shelf(many)
    mock.add_callback("POST", SEARCH, callback=shelf.answer)
    seen = [int(one.badge.external_id) for page in accredible().issued_badges() for one in page]
    assert seen == list(range(1, many + 1))


def test_without_a_cursor_a_longer_list_is_an_error_and_not_its_end(mock: Any) -> None:
    mock.add_callback("POST", SEARCH, callback=Shelf(10_200, gives_cursors=False).answer)
    pages = accredible().issued_badges()
    with pytest.raises(UnexpectedAnswer, match="no cursor"):
        list(pages)


def test_ten_thousand_without_a_cursor_are_a_whole_list(mock: Any) -> None:
    mock.add_callback("POST", SEARCH, callback=Shelf(10_000, gives_cursors=False).answer)
    assert sum(map(len, accredible().issued_badges())) == 10_000


def test_a_page_that_comes_again_is_no_list(mock: Any) -> None:
    mock.post(SEARCH, json=found(credential(1)))
    with pytest.raises(UnexpectedAnswer, match="the one before it"):
        list(accredible().issued_badges())


@pytest.mark.parametrize("answer", [{}, {"credentials": None}, {"credentials": [7]}])
def test_an_absent_list_is_not_an_empty_one(mock: Any, answer: Any) -> None:
    mock.post(SEARCH, json=answer)
    with pytest.raises(UnexpectedAnswer):
        list(accredible().issued_badges())
