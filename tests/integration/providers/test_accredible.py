"""Accredible, against the JSON of its documentation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import responses
from attrs import evolve
from responses.matchers import json_params_matcher

from badges.data import AccountInfo, IssuedBadge
from badges.exceptions import DuplicateBadge, ProviderAuthError, ProviderRejected, UnexpectedAnswer
from badges.providers.accredible.client import version_2
from tests.integration.providers.helpers import ACCREDIBLE, ACCREDIBLE_2, ACCREDIBLE_AWARD, accredible

AWARD = ACCREDIBLE_AWARD
CREDENTIAL: dict[str, Any] = {
    "id": 10000005,
    "name": "Web Foundations",
    "approve": True,
    "issued_on": "2026-04-01",
    "expired_on": None,
    "url": "https://www.credential.net/10000005",
}
ROW: dict[str, Any] = {
    "id": 10000005,
    "license_id": str(AWARD.uuid),
    "recipient_email": AWARD.email,
    "group": {"id": 9001},
    "approve": True,
    "expired_on": None,
}
ISSUED = IssuedBadge("10000005", "published", "https://www.credential.net/10000005", True)
UPDATE = f"{ACCREDIBLE}/credentials/10000005"
SEARCH = f"{ACCREDIBLE_2}/credentials/search"
GROUPS = f"{ACCREDIBLE}/issuer/groups/search"
ISSUER = f"{ACCREDIBLE}/issuer/details"


def found(*rows: dict[str, Any]) -> dict[str, Any]:
    """A search result."""
    return {"credentials": list(rows), "meta": {"count": len(rows), "from": 0, "size": 50, "cursor": None}}


@pytest.fixture(autouse=True)
def mock() -> Any:
    with responses.RequestsMock() as active:
        yield active


def test_the_account_is_checked_with_the_documented_header(mock: Any) -> None:
    mock.get(ISSUER, json={"issuer": {"id": 3, "name": "Academy", "certificate_left": 0}})
    assert accredible().check_account() == AccountInfo(name="Academy")
    assert mock.calls[0].request.headers["Authorization"] == "Token token=k3y-of-the-account"


@pytest.mark.parametrize(
    "answer", [{"body": "HTTP Token: Access denied.\n"}, {"json": {"success": False, "data": "Not enough segments"}}]
)
def test_a_wrong_key_is_an_auth_error(mock: Any, answer: dict[str, Any]) -> None:
    mock.get(ISSUER, status=401, **answer)
    with pytest.raises(ProviderAuthError, match=r"denied|segments"):
        accredible().check_account()


def test_an_answer_that_is_no_issuer_does_not_pass_the_check(mock: Any) -> None:
    mock.get(ISSUER, json={"status": "ok"})
    with pytest.raises(UnexpectedAnswer, match="without its id"):
        accredible().check_account()


def test_groups_of_every_page_are_templates(mock: Any) -> None:
    groups = [{"id": 1, "name": "internal", "course_name": "One"}, {"id": 2, "name": "Two", "course_description": "D"}]
    for number, group in enumerate(groups, start=1):
        mock.post(
            GROUPS,
            match=[json_params_matcher({"page": number, "page_size": 50})],
            json={"groups": [group], "meta": {"current_page": number, "total_pages": 2}},
        )
    templates = [template for page in accredible().templates() for template in page.templates]
    assert [(t.external_id, t.name, t.description, t.state) for t in templates] == [
        ("1", "One", "", "active"),
        ("2", "Two", "D", "active"),
    ]


def test_a_design_is_named_and_asked_for_only_when_somebody_wants_it(mock: Any) -> None:
    group = {"id": 1, "name": "G", "primary_design_id": 7, "badge_design_id": 8}
    mock.post(GROUPS, json={"groups": [group], "meta": {"total_pages": 1}})
    [page] = accredible().templates()
    assert (page.templates[0].image_url, page.templates[0].image_key) == ("", "7")


@pytest.mark.parametrize("answer", [{}, {"groups": None}, {"groups": [{"name": "without id"}], "meta": {}}])
def test_a_list_that_is_none_is_never_an_empty_list(mock: Any, answer: dict[str, Any]) -> None:
    mock.post(GROUPS, json=answer)
    with pytest.raises(UnexpectedAnswer):
        list(accredible().templates())


def test_a_credential_is_created_field_by_field(mock: Any) -> None:
    body = {
        "credential": {
            "id": "628fcaa9-cfd3-4a9b-aa62-9973ac938ad6",
            "recipient": {"name": "Anna Maria Lee", "email": "anna@example.com"},
            "group_id": 9001,
            "issued_on": "2026-04-01",
            "approve": True,
        }
    }
    mock.post(f"{ACCREDIBLE}/credentials", match=[json_params_matcher(body)], json={"credential": CREDENTIAL})
    assert accredible().issue(AWARD) == ISSUED


def test_the_day_of_issue_is_the_day_in_utc(mock: Any) -> None:
    late = datetime.fromisoformat("2026-04-01T23:30:00-05:00")
    mock.post(f"{ACCREDIBLE}/credentials", json={"credential": CREDENTIAL})
    accredible().issue(evolve(AWARD, issued_at=late))
    assert b'"issued_on": "2026-04-02"' in mock.calls[0].request.body


def test_a_description_travels_where_there_is_one(mock: Any) -> None:
    mock.post(f"{ACCREDIBLE}/credentials", json={"credential": CREDENTIAL})
    accredible().issue(evolve(AWARD, description="For those who finish."))
    assert b'"description": "For those who finish."' in mock.calls[0].request.body


def test_a_credential_that_is_not_approved_is_unpublished(mock: Any) -> None:
    mock.post(f"{ACCREDIBLE}/credentials", json={"credential": {**CREDENTIAL, "approve": False}})
    assert accredible().issue(AWARD) == evolve(ISSUED, state="unpublished")


@pytest.mark.parametrize("answer", [{}, {"credential": None}, {"credential": {"url": "https://x.example"}}])
def test_a_credential_without_an_id_may_exist_all_the_same(mock: Any, answer: dict[str, Any]) -> None:
    mock.post(f"{ACCREDIBLE}/credentials", json=answer)
    with pytest.raises(UnexpectedAnswer) as caught:
        accredible().issue(AWARD)
    assert caught.value.outcome_unknown


@pytest.mark.parametrize(
    "errors",
    [
        {
            "recipient.email": [
                "has already been taken. Your group settings do not allow duplicates of this credential."
            ]
        },
        "Your group settings do not allow duplicates",
        {"id": ["has already been taken"]},
    ],
)
def test_a_duplicate_is_told_in_several_ways(mock: Any, errors: Any) -> None:
    mock.post(f"{ACCREDIBLE}/credentials", status=422, json={"errors": errors})
    with pytest.raises(DuplicateBadge):
        accredible().issue(AWARD)


def test_another_refusal_is_no_duplicate(mock: Any) -> None:
    mock.post(f"{ACCREDIBLE}/credentials", status=422, json={"errors": {"course_name": ["can't be blank"]}})
    with pytest.raises(ProviderRejected, match="course_name: can't be blank") as caught:
        accredible().issue(AWARD)
    assert not isinstance(caught.value, DuplicateBadge)


@pytest.mark.parametrize("group", ["", "abc", "12a", "-1", "1.5", "9" * 30])
def test_a_group_that_is_no_number_is_refused_without_a_call(group: str) -> None:
    with pytest.raises(ProviderRejected, match="not the number of a group"):
        accredible().issue(evolve(AWARD, template_external_id=group))


def test_a_credential_expires_yesterday(mock: Any) -> None:
    yesterday = (datetime.now(UTC).date() - timedelta(days=1)).isoformat()
    body = {"credential": {"expired_on": yesterday}}
    mock.put(UPDATE, match=[json_params_matcher(body)], json={"credential": {**CREDENTIAL, "expired_on": yesterday}})
    assert accredible().revoke("10000005", award=AWARD, reason="x") == evolve(ISSUED, state="expired", is_valid=False)


def test_a_credential_never_expires_before_it_was_issued(mock: Any) -> None:
    today = datetime.now(UTC)
    body = {"credential": {"expired_on": today.date().isoformat()}}
    mock.put(UPDATE, match=[json_params_matcher(body)], json={})
    assert not accredible().revoke("10000005", award=evolve(AWARD, issued_at=today), reason="x").is_valid


@pytest.mark.parametrize("expired_on", [None, "2999-01-01"])
def test_an_answer_of_a_valid_credential_is_no_revocation(mock: Any, expired_on: str | None) -> None:
    mock.put(UPDATE, json={"credential": {**CREDENTIAL, "expired_on": expired_on}})
    with pytest.raises(UnexpectedAnswer, match="still valid"):
        accredible().revoke("10000005", award=AWARD, reason="x")


def test_a_deleted_credential_counts_as_taken_away_if_the_account_works(mock: Any) -> None:
    mock.put(UPDATE, status=404, json={"errors": "Doesn't exist"})
    mock.get(ISSUER, json={"issuer": {"id": 3}})
    assert accredible().revoke("10000005", award=AWARD, reason="x").state == "deleted"


def test_a_refused_expiry_is_an_error(mock: Any) -> None:
    mock.put(UPDATE, status=422, json={"errors": {"expired_on": ["is invalid"]}})
    with pytest.raises(ProviderRejected, match="expired_on: is invalid"):
        accredible().revoke("10000005", award=AWARD, reason="x")


def test_a_credential_is_looked_up_by_our_identifier_and_then_by_address(mock: Any) -> None:
    paging = {"sort": {"id": "desc"}, "page": {"size": 50, "from": 0}}
    queries = ({"license_id": str(AWARD.uuid)}, {"group.id": 9001, "recipient_email": AWARD.email})
    for query in queries:
        mock.post(SEARCH, match=[json_params_matcher({"query": query, **paging})], json=found())
    assert accredible().find_issued(AWARD) is None


def test_without_an_address_only_our_identifier_is_looked_up(mock: Any) -> None:
    search = mock.post(SEARCH, json=found())
    assert accredible().find_issued(evolve(AWARD, email="")) is None
    assert search.call_count == 1


def test_a_credential_that_is_found_is_read_in_full(mock: Any) -> None:
    mock.post(SEARCH, json=found(ROW))
    mock.get(UPDATE, json={"credential": CREDENTIAL})
    assert accredible().find_issued(AWARD) == ISSUED


def test_a_credential_that_cannot_be_read_in_full_is_found_without_its_page(mock: Any) -> None:
    mock.post(SEARCH, json=found({**ROW, "expired_on": "2026-04-02"}))
    mock.get(UPDATE, status=404, json={"errors": "Doesn't exist"})
    assert accredible().find_issued(AWARD) == IssuedBadge("10000005", "expired", "", False)


@pytest.mark.parametrize("row", [{**ROW, "license_id": "another"}, {**ROW, "id": None}])
def test_a_search_that_answers_something_else_proves_nothing(mock: Any, row: dict[str, Any]) -> None:
    mock.post(SEARCH, json=found(row))
    with pytest.raises(UnexpectedAnswer):
        accredible().find_issued(AWARD)


def test_an_expired_credential_of_another_award_is_not_adopted(mock: Any) -> None:
    mock.post(SEARCH, json=found())
    mock.post(SEARCH, json=found({**ROW, "license_id": None, "expired_on": "2026-04-02"}))
    mock.get(UPDATE, json={"credential": {**CREDENTIAL, "expired_on": "2026-04-02"}})
    assert accredible().find_issued(AWARD) is None


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("https://eu.api.accredible.com/v1/", "https://eu.api.accredible.com/v2/"),
        ("http://127.0.0.1:1/accredible/v1/", "http://127.0.0.1:1/accredible/v2/"),
        ("https://proxy.example.com/", "https://proxy.example.com/v2/"),
    ],
)
def test_version_2_is_beside_version_1(base: str, expected: str) -> None:
    assert version_2(base) == expected
