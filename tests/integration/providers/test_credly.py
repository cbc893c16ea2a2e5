"""Credly, against the JSON of its documentation."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import responses
from attrs import evolve
from responses.matchers import json_params_matcher, query_param_matcher

from badges.data import AccountInfo, IssuedBadge, TemplateState
from badges.exceptions import ProviderAuthError, ProviderRejected, UnexpectedAnswer
from tests.integration.providers.helpers import AWARD, CREDLY, CREDLY_ORGANIZATION, KEY, credly

BADGE_ID = "faa0629c-55f3-4293-9964-9346e22d2edd"
PENDING: dict[str, Any] = {
    "id": BADGE_ID,
    "state": "pending",
    "issued_to": "Anna Maria Lee",
    "issuer_earner_id": str(AWARD.uuid),
    "recipient_email": AWARD.email,
    "expires_at": None,
    "accept_badge_url": f"https://www.credly.com/go/{BADGE_ID}",
    "badge_template": {"id": AWARD.template_external_id, "name": "Python"},
}
REASON = {"reason": "A grade was corrected."}
REVOKE = f"{CREDLY}/badges/{BADGE_ID}/revoke"


def listed(*rows: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    """A list as Credly answers it."""
    paging = {"count": len(rows), "current_page": 1, "total_count": len(rows), "total_pages": 1, "next_page_url": None}
    return {"data": list(rows), "metadata": {**paging, **metadata}}


@pytest.fixture(autouse=True)
def mock() -> Any:
    with responses.RequestsMock() as active:
        yield active


def test_the_account_is_checked_with_the_documented_header(mock: Any) -> None:
    mock.get(CREDLY, json={"data": {"id": CREDLY_ORGANIZATION, "name": "Academy", "new_attribute": 1}, "metadata": {}})
    assert credly().check_account() == AccountInfo(name="Academy")
    # "k3y-of-the-account:" with its colon, in base 64.
    assert mock.calls[0].request.headers["Authorization"] == "Basic azN5LW9mLXRoZS1hY2NvdW50Og=="


def test_a_wrong_token_is_an_auth_error(mock: Any) -> None:
    mock.get(CREDLY, status=401, body="HTTP Basic: Access denied.")
    with pytest.raises(ProviderAuthError, match="Access denied"):
        credly().check_account()


def test_an_answer_that_is_no_organization_does_not_pass_the_check(mock: Any) -> None:
    mock.get(CREDLY, json={"status": "ok"})
    with pytest.raises(UnexpectedAnswer):
        credly().check_account()


def test_the_sandbox_host_is_used_when_the_settings_say_so(mock: Any, settings: Any) -> None:
    settings.BADGES_CONFIG = {"credly": {"USE_SANDBOX": True}}
    mock.get(CREDLY.replace("api.", "sandbox-api."), json={"data": {"id": CREDLY_ORGANIZATION, "name": "Academy"}})
    assert credly().check_account().name == "Academy"


def test_templates_are_asked_for_by_page_number(mock: Any) -> None:
    first = {"id": "t1", "name": "One", "state": "active", "image_url": "https://images.credly.com/1.png"}
    second = {
        "id": "t2",
        "name": "Two",
        "description": "D",
        "state": "archived",
        "image": {"url": "https://x.example/2"},
    }
    url = f"{CREDLY}/badge_templates"
    elsewhere = "https://elsewhere.example.com/?page=2"
    mock.get(
        url, match=[query_param_matcher({"page": "1"})], json=listed(first, total_pages=2, next_page_url=elsewhere)
    )
    mock.get(url, match=[query_param_matcher({"page": "2"})], json=listed(second, total_pages=2))
    one, two = credly().templates()
    assert (one.number, one.total_pages, two.number) == (1, 2, 2)
    assert [(t.external_id, t.name, t.state, t.image_url) for page in (one, two) for t in page.templates] == [
        ("t1", "One", TemplateState.ACTIVE, "https://images.credly.com/1.png"),
        ("t2", "Two", TemplateState.ARCHIVED, "https://x.example/2"),
    ]
    assert two.templates[0].description == "D"


@pytest.mark.parametrize("state", ["paused", None, 3])
def test_a_template_in_an_unknown_state_counts_as_a_draft_and_is_told(
    mock: Any, caplog: pytest.LogCaptureFixture, state: Any
) -> None:
    mock.get(f"{CREDLY}/badge_templates", json=listed({"id": "t1", "name": "One", "state": state}))
    [page] = credly().templates()
    assert page.templates[0].state == TemplateState.DRAFT
    assert "'t1' has the unknown state" in caplog.text


@pytest.mark.parametrize("answer", [{"data": {}}, {}, listed({"name": "without id"})])
def test_a_list_that_is_none_is_never_an_empty_list(mock: Any, answer: dict[str, Any]) -> None:
    mock.get(f"{CREDLY}/badge_templates", json=answer)
    with pytest.raises(UnexpectedAnswer):
        list(credly().templates())


def test_a_badge_is_issued_field_by_field(mock: Any) -> None:
    body = {
        "recipient_email": "anna@example.com",
        "issued_to_first_name": "Anna Maria",
        "issued_to_last_name": "Lee",
        "badge_template_id": "83a895ad-1ef6-4b39-a8b7-e102c6c48926",
        "issued_at": "2026-04-01 23:41:00 +0000",
        "issuer_earner_id": "628fcaa9-cfd3-4a9b-aa62-9973ac938ad6",
    }
    mock.post(f"{CREDLY}/badges", match=[json_params_matcher(body)], status=201, json={"data": PENDING})
    assert credly().issue(AWARD) == IssuedBadge(BADGE_ID, "pending", PENDING["accept_badge_url"], True)


def test_a_name_of_one_word_is_both_names(mock: Any) -> None:
    mock.post(f"{CREDLY}/badges", status=201, json={"data": PENDING})
    credly().issue(evolve(AWARD, name="Anna"))
    body = json.loads(mock.calls[0].request.body)
    assert (body["issued_to_first_name"], body["issued_to_last_name"]) == ("Anna", "Anna")


@pytest.mark.parametrize("missing", [{"email": ""}, {"name": " "}])
def test_a_learner_without_address_or_name_is_refused_without_a_call(missing: dict[str, Any]) -> None:
    with pytest.raises(ProviderRejected, match=str(AWARD.uuid)):
        credly().issue(evolve(AWARD, **missing))


def test_an_issued_badge_without_an_id_may_be_issued_all_the_same(mock: Any) -> None:
    mock.post(f"{CREDLY}/badges", status=201, json={"data": {"state": "pending"}})
    with pytest.raises(UnexpectedAnswer) as caught:
        credly().issue(AWARD)
    assert caught.value.outcome_unknown


@pytest.mark.parametrize(
    ("state", "valid"),
    [("pending", True), ("accepted", True), ("something new", True)]
    + [(ended, False) for ended in ("revoked", "rejected", "replaced")],
)
def test_the_state_is_credlys_own_word(mock: Any, state: str, valid: bool) -> None:
    links = {"badge_url": "https://www.credly.com/badges/1", "accept_badge_url": None}
    mock.get(f"{CREDLY}/badges", json=listed({**PENDING, **links, "state": state}))
    assert credly().find_issued(AWARD) == IssuedBadge(
        BADGE_ID, state, "https://www.credly.com/badges/1", valid, is_revoked=state == "revoked"
    )


def test_an_expired_badge_is_not_valid(mock: Any) -> None:
    mock.get(
        f"{CREDLY}/badges", json=listed({**PENDING, "state": "accepted", "expires_at": "2020-01-01T00:00:00.000Z"})
    )
    found = credly().find_issued(AWARD)
    assert found is not None
    assert not found.is_valid


def test_a_badge_is_looked_up_by_our_identifier_and_then_by_address(mock: Any) -> None:
    mock.get(f"{CREDLY}/badges", json=listed())
    assert credly().find_issued(AWARD) is None
    assert [call.request.params["filter"] for call in mock.calls] == [
        f"badge_template_id::{AWARD.template_external_id}|issuer_earner_id::{AWARD.uuid}",
        f"badge_template_id::{AWARD.template_external_id}|recipient_email::{AWARD.email}",
    ]


def test_without_an_address_only_our_identifier_is_looked_up(mock: Any) -> None:
    search = mock.get(f"{CREDLY}/badges", json=listed())
    assert credly().find_issued(evolve(AWARD, email="")) is None
    assert search.call_count == 1


@pytest.mark.parametrize(
    "other",
    [
        {"recipient_email": "somebody.else@example.com"},
        {"badge_template": {"id": "another"}},
        {"state": "revoked"},
        {"recipient_email": None},
        {"id": None},
    ],
)
def test_a_badge_that_the_filter_did_not_mean_is_not_adopted(mock: Any, other: dict[str, Any]) -> None:
    mock.get(f"{CREDLY}/badges", json=listed({**PENDING, "issuer_earner_id": None, **other}))
    assert credly().find_issued(AWARD) is None


def test_the_valid_one_of_several_is_found(mock: Any) -> None:
    rows = ({**PENDING, "id": "old", "state": "revoked"}, {**PENDING, "id": "new"})
    mock.get(f"{CREDLY}/badges", json=listed(*rows))
    assert credly().find_issued(AWARD).external_id == "new"


def test_a_filter_that_is_ignored_is_not_searched_for_ever(mock: Any) -> None:
    def page(request: Any) -> tuple[int, dict[str, str], str]:
        row = {**PENDING, "id": request.params["page"], "issuer_earner_id": "other"}
        return 200, {}, json.dumps(listed(row, total_pages=5000))

    mock.add_callback("GET", f"{CREDLY}/badges", callback=page)
    with pytest.raises(UnexpectedAnswer, match="did not end"):
        credly().find_issued(AWARD)
    assert len(mock.calls) == 10


@pytest.mark.parametrize("status", [200, 201])
def test_a_badge_is_revoked_with_a_reason(mock: Any, status: int) -> None:
    mock.put(REVOKE, match=[json_params_matcher(REASON)], status=status, json={"data": {**PENDING, "state": "revoked"}})
    revoked = credly().revoke(BADGE_ID, award=AWARD, **REASON)
    assert (revoked.external_id, revoked.state, revoked.is_valid) == (BADGE_ID, "revoked", False)


def test_an_answer_of_a_valid_badge_is_no_revocation(mock: Any) -> None:
    mock.put(REVOKE, json={"data": {**PENDING, "state": "accepted"}})
    with pytest.raises(UnexpectedAnswer, match="not revoked"):
        credly().revoke(BADGE_ID, award=AWARD, **REASON)


def test_a_refused_revocation_of_a_revoked_badge_is_done(mock: Any) -> None:
    mock.put(REVOKE, status=422, json={"data": {"message": "Already revoked"}})
    mock.get(f"{CREDLY}/badges/{BADGE_ID}", json={"data": {**PENDING, "state": "revoked"}})
    assert credly().revoke(BADGE_ID, award=AWARD, **REASON).state == "revoked"


def test_a_refused_revocation_of_a_badge_that_stands_is_an_error_with_credlys_words(mock: Any) -> None:
    mock.put(REVOKE, status=422, json={"data": {"message": "A badge that has been replaced cannot be revoked"}})
    mock.get(f"{CREDLY}/badges/{BADGE_ID}", json={"data": {**PENDING, "state": "replaced"}})
    with pytest.raises(ProviderRejected, match="has been replaced"):
        credly().revoke(BADGE_ID, award=AWARD, **REASON)


def test_a_deleted_badge_counts_as_taken_away_only_if_the_organization_is_right(mock: Any) -> None:
    missing = {"status": 404, "json": {"data": {"message": "Not found"}}}
    mock.put(REVOKE, **missing)
    mock.get(f"{CREDLY}/badges/{BADGE_ID}", **missing)
    mock.get(CREDLY, **missing)
    with pytest.raises(ProviderRejected, match="Not found"):
        credly().revoke(BADGE_ID, award=AWARD, **REASON)


def test_the_key_is_sent_to_no_other_host(mock: Any) -> None:
    mock.get(CREDLY, status=302, headers={"Location": "https://evil.example.com/"})
    with pytest.raises(UnexpectedAnswer) as caught:
        credly().check_account()
    assert [call.request.url for call in mock.calls] == [CREDLY]
    assert KEY not in str(caught.value)


def test_the_answer_to_an_issue_says_since_when_it_is_so_and_who_may_see_it(mock: Any) -> None:
    answer = {**PENDING, "state_updated_at": "2026-04-01T23:41:00.000Z", "public": False}
    mock.post(f"{CREDLY}/badges", status=201, json={"data": answer})
    issued = credly().issue(AWARD)
    assert issued.state_at == datetime(2026, 4, 1, 23, 41, tzinfo=UTC)
    assert issued.is_public is False


def test_a_template_is_listed_with_the_time_of_its_last_change(mock: Any) -> None:
    row = {"id": "t1", "name": "One", "updated_at": "2026-04-01T00:00:00Z", "state_updated_at": "2026-04-02T00:00:00Z"}
    mock.get(f"{CREDLY}/badge_templates", json=listed(row))
    (page,) = credly().templates()
    assert page.templates[0].changed_at == datetime(2026, 4, 2, tzinfo=UTC)
