"""BadgeKit, against the JSON of its documentation and of its code."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
import responses
from attrs import evolve
from responses.matchers import json_params_matcher, query_param_matcher

from badges.data import AccountInfo, Criterion, IssuedBadge, ProviderTemplate, ReviewCriterion, TemplateState
from badges.exceptions import (
    AccountUnusable,
    ConfigurationError,
    DuplicateBadge,
    ProviderAuthError,
    ProviderError,
    ProviderRejected,
    UnexpectedAnswer,
)
from badges.providers import traffic
from tests.integration.providers.helpers import BADGEKIT, BADGEKIT_API, BADGEKIT_AWARD, KEY, badgekit

LONG = KEY * 2
"""As long as PyJWT wants a key to be, when it reads what was signed."""
UUID = str(BADGEKIT_AWARD.uuid)
INSTANCES = f"{BADGEKIT}/badges/explorer/instances"
MINE = f"{INSTANCES}/anna%40example.com"
ASSERTION = f"{BADGEKIT_API}/public/assertions/{UUID}"
INSTANCE: dict[str, Any] = {
    "slug": UUID,
    "email": "anna@example.com",
    "expires": None,
    "issuedOn": "2026-04-01T23:41:00.000Z",
    "claimCode": None,
    "assertionUrl": ASSERTION,
    "badge": None,
}
BADGE: dict[str, Any] = {"id": 11, "slug": "explorer", "name": "Explorer", "archived": False}
HELD = IssuedBadge(UUID, "awarded", ASSERTION)
GONE = IssuedBadge(UUID, "revoked", is_valid=False, is_revoked=True)
NOT_FOUND = {"code": "ResourceNotFound", "message": "Could not find badgeInstance field: `email`, value: `...`"}


@pytest.fixture(autouse=True)
def mock(settings: Any) -> Any:
    settings.BADGES_CONFIG = {"badgekit": {"BADGEKIT_API_BASE_URL": f"{BADGEKIT_API}/"}}
    with responses.RequestsMock() as active:
        yield active


def missing(mock: Any, url: str, method: str = "GET") -> None:
    mock.add(method, url, status=404, json=NOT_FOUND)


def claims_of(request: Any, secret: str = LONG) -> dict[str, Any]:
    """What a request says in its token, read by PyJWT itself."""
    header = request.headers["Authorization"]
    assert header.startswith('JWT token="')
    return jwt.decode(header.removeprefix('JWT token="').removesuffix('"'), secret, algorithms=["HS256"])


# Signatures.
def test_a_request_is_signed_over_its_method_and_path(mock: Any, settings: Any) -> None:
    mock.get(BADGEKIT, json={"system": {"id": 1, "slug": "city", "name": "The City"}})
    settings.BADGES_CONFIG = {"badgekit": {"BADGEKIT_API_BASE_URL": BADGEKIT_API}}
    assert badgekit(api_key=LONG).check_account() == AccountInfo(name="The City")
    claims = claims_of(mock.calls[0].request)
    claims.pop("exp")
    assert claims == {"key": "master", "method": "GET", "path": "/systems/city"}


def test_the_path_is_signed_with_its_query_exactly_as_it_is_sent(mock: Any) -> None:
    mock.get(f"{BADGEKIT}/badges", json={"badges": [BADGE], "pageData": {"page": 1, "count": 50, "total": 1}})
    list(badgekit(api_key=LONG).templates())
    request = mock.calls[0].request
    assert claims_of(request)["path"] == request.path_url == "/systems/city/badges?archived=any&page=1&count=50"


def test_the_body_is_signed_byte_for_byte(mock: Any) -> None:
    mock.post(INSTANCES, status=201, json={"status": "created", "instance": INSTANCE})
    badgekit(api_key=LONG).issue(BADGEKIT_AWARD)
    request = mock.calls[0].request
    expected = {"alg": "sha256", "hash": hashlib.sha256(request.body).hexdigest()}
    assert claims_of(request)["body"] == expected


def test_a_key_with_a_name_signs_with_it(mock: Any) -> None:
    mock.get(BADGEKIT, json={"system": {"slug": "city", "name": "The City"}})
    badgekit(client_id="consumer", api_key=LONG).check_account()
    assert claims_of(mock.calls[0].request)["key"] == "consumer"


def test_a_key_from_the_settings_keeps_its_name(mock: Any, settings: Any) -> None:
    section = {"BADGEKIT_API_BASE_URL": BADGEKIT_API, "ORGANIZATIONS": {"city": LONG}}
    settings.BADGES_CONFIG = {"badgekit": section}
    mock.get(BADGEKIT, json={"system": {"slug": "city", "name": "The City"}})
    badgekit(client_id="consumer", api_key="").check_account()
    assert claims_of(mock.calls[0].request)["key"] == "consumer"


def test_a_public_assertion_is_asked_for_without_a_signature(mock: Any) -> None:
    missing(mock, MINE)
    mock.get(ASSERTION, json={"uid": UUID, "verify": {"url": ASSERTION}})
    badgekit().find_issued(BADGEKIT_AWARD)
    assert "Authorization" not in mock.calls[1].request.headers


def test_neither_token_nor_address_is_in_an_error_or_in_the_trace(mock: Any) -> None:
    def repeats(request: Any) -> Any:
        token = request.headers["Authorization"].split('"')[1]
        return 403, {}, json.dumps({"code": "NotAuthorized", "message": f"{token} {request.body!r} {request.url}"})

    mock.add_callback("POST", INSTANCES, repeats)
    exchanges: list[Any] = []
    with traffic.watched_by(traffic.Recorder(exchanges)), pytest.raises(ProviderAuthError) as caught:
        badgekit().issue(BADGEKIT_AWARD)
    token = mock.calls[0].request.headers["Authorization"].split('"')[1]
    shown = f"{caught.value} {exchanges!r}"
    for secret in (KEY, token, token.split(".")[1], token.split(".")[2], "anna@example.com", "anna%40", "Maria"):
        assert secret not in shown


# The account.
def test_without_a_slug_or_an_address_there_is_nothing_to_ask(settings: Any, mock: Any) -> None:
    with pytest.raises(ConfigurationError, match="no slug"):
        badgekit(external_id="")
    settings.BADGES_CONFIG = {}
    with pytest.raises(ConfigurationError, match="API_BASE_URL"):
        badgekit()


@pytest.mark.parametrize("key", ["two words", "ssh-rsa", "a\nb"])
def test_what_can_be_no_secret_is_refused_before_anything_is_sent(mock: Any, key: str) -> None:
    with pytest.raises(AccountUnusable):
        badgekit(api_key=f"{key} AAAA" if key == "ssh-rsa" else key)


def test_a_refused_key_is_an_auth_error(mock: Any) -> None:
    mock.get(BADGEKIT, status=403, json={"code": "NotAuthorized", "message": "Invalid token signature"})
    with pytest.raises(ProviderAuthError, match="Invalid token signature"):
        badgekit().check_account()


def test_another_system_does_not_pass_the_check(mock: Any) -> None:
    mock.get(BADGEKIT, json={"system": {"slug": "village", "name": "The Village"}})
    with pytest.raises(UnexpectedAnswer):
        badgekit().check_account()


# Templates.
def test_a_badge_becomes_a_template_field_by_field(mock: Any) -> None:
    row = {
        **BADGE,
        "strapline": "See it all.",
        "earnerDescription": "You saw it all.",
        "consumerDescription": "They saw it all.",
        "imageUrl": "https://badgekit.example.com/images/badge/11",
        "criteriaUrl": "https://city.example.com/explorer",
        "criteria": [{"id": 221, "description": "Five museums.", "required": 1, "note": ""}],
        "tags": ["museum", {"id": 1, "value": "art"}],
    }
    mock.get(f"{BADGEKIT}/badges", json={"badges": [row]})
    [page] = badgekit().templates()
    assert page.templates == (
        ProviderTemplate(
            external_id="explorer",
            name="Explorer",
            description="They saw it all.",
            image_url="https://badgekit.example.com/images/badge/11",
            state=TemplateState.ACTIVE,
            skills=("museum", "art"),
            criteria=(Criterion(title="Five museums."), Criterion(url="https://city.example.com/explorer")),
            review_criteria=(ReviewCriterion(221, "Five museums.", is_required=True),),
        ),
    )


@pytest.mark.parametrize("key", ["pageData", "_pageData"])
def test_pages_are_asked_for_until_the_last(mock: Any, key: str) -> None:
    rows = [{**BADGE, "slug": f"b{number}", "archived": number == 60} for number in range(61)]
    for page in (1, 2):
        shown = rows[(page - 1) * 50 : page * 50]
        answer = {"badges": shown, key: {"page": page, "count": 50, "total": 61}}
        asked = query_param_matcher({"archived": "any", "page": str(page), "count": "50"})
        mock.get(f"{BADGEKIT}/badges", match=[asked], json=answer)
    pages = list(badgekit().templates())
    assert [(page.number, len(page.templates), page.total_pages) for page in pages] == [(1, 50, 2), (2, 11, 2)]
    assert pages[1].templates[-1].state == TemplateState.ARCHIVED


def test_a_version_without_pages_answers_all_at_once(mock: Any) -> None:
    rows = [{**BADGE, "slug": f"b{number}"} for number in range(120)]
    mock.get(f"{BADGEKIT}/badges", json={"badges": rows})
    assert [len(page.templates) for page in badgekit().templates()] == [120]
    assert [len(page.templates) for page in badgekit().templates(2)] == [0]


@pytest.mark.parametrize("answer", [{}, {"badges": None}, {"badges": [{"name": "without slug"}]}])
def test_a_list_that_is_none_is_never_an_empty_list(mock: Any, answer: Any) -> None:
    mock.get(f"{BADGEKIT}/badges", json=answer)
    with pytest.raises(UnexpectedAnswer):
        list(badgekit().templates())


def test_a_badge_of_a_system_that_is_gone_does_not_pass_for_deleted(mock: Any) -> None:
    missing(mock, f"{BADGEKIT}/badges/explorer")
    missing(mock, BADGEKIT)
    with pytest.raises(ProviderRejected):
        badgekit().has_template("explorer")


# Issuing.
def test_a_badge_is_issued_field_by_field(mock: Any) -> None:
    body = {"email": "anna@example.com", "slug": UUID, "issuedOn": "2026-04-01 23:41:00"}
    answer = {"status": "created", "instance": INSTANCE}
    mock.post(INSTANCES, match=[json_params_matcher(body)], status=201, json=answer)
    assert badgekit().issue(BADGEKIT_AWARD) == HELD


def test_an_early_version_answers_where_the_assertion_is(mock: Any) -> None:
    mock.post(INSTANCES, status=201, json={"status": "created", "location": ASSERTION})
    assert badgekit().issue(BADGEKIT_AWARD) == HELD


def test_an_issued_badge_without_slug_and_location_may_be_issued_all_the_same(mock: Any) -> None:
    mock.post(INSTANCES, status=201, json={"status": "created"})
    with pytest.raises(UnexpectedAnswer) as caught:
        badgekit().issue(BADGEKIT_AWARD)
    assert caught.value.outcome_unknown


def test_an_address_that_has_the_badge_is_a_duplicate(mock: Any) -> None:
    message = "User anna@example.com has already been awarded badge explorer"
    answer = {"code": "ResourceConflict", "message": message, "details": {"assertionUrl": ASSERTION}}
    mock.post(INSTANCES, status=409, json=answer)
    with pytest.raises(DuplicateBadge) as caught:
        badgekit().issue(BADGEKIT_AWARD)
    assert "anna@" not in str(caught.value)


def test_an_invalid_address_is_refused_for_good(mock: Any) -> None:
    answer = {"code": "ValidationError", "message": "Could not validate required fields", "details": []}
    mock.post(INSTANCES, status=400, json=answer)
    with pytest.raises(ProviderRejected, match="validate") as caught:
        badgekit().issue(BADGEKIT_AWARD)
    assert not isinstance(caught.value, DuplicateBadge)


# Finding.
def test_a_badge_is_found_by_its_address(mock: Any) -> None:
    mock.get(MINE, json={"instance": {**INSTANCE, "slug": "by-hand", "assertionURl": ASSERTION, "assertionUrl": None}})
    assert badgekit().find_issued(BADGEKIT_AWARD) == evolve(HELD, external_id="by-hand")


def test_an_instance_that_has_expired_is_not_valid(mock: Any) -> None:
    mock.get(MINE, json={"instance": {**INSTANCE, "expires": "2026-05-01T00:00:00.000Z"}})
    assert badgekit().find_issued(BADGEKIT_AWARD) == evolve(HELD, is_valid=False)


def test_a_badge_of_a_former_address_is_found_by_its_assertion(mock: Any) -> None:
    missing(mock, MINE)
    mock.get(ASSERTION, json={"uid": UUID, "verify": {"type": "hosted", "url": ASSERTION}})
    assert badgekit().find_issued(BADGEKIT_AWARD) == HELD


def test_nothing_is_found_only_where_the_badge_itself_is_there(mock: Any) -> None:
    missing(mock, MINE)
    missing(mock, ASSERTION)
    mock.get(f"{BADGEKIT}/badges/explorer", json={"badge": BADGE})
    assert badgekit().find_issued(BADGEKIT_AWARD) is None


@pytest.mark.parametrize("answer", [{"status": 404, "json": NOT_FOUND}, {"json": {}}, {"status": 503}])
def test_a_wrong_address_does_not_pass_for_a_badge_that_was_never_issued(mock: Any, answer: Any) -> None:
    missing(mock, MINE)
    missing(mock, ASSERTION)
    mock.get(f"{BADGEKIT}/badges/explorer", **answer)
    with pytest.raises(ProviderError):
        badgekit().find_issued(BADGEKIT_AWARD)


# Revoking.
def test_a_badge_is_revoked_by_deleting_its_instance(mock: Any) -> None:
    mock.get(MINE, json={"instance": INSTANCE})
    mock.delete(MINE, json={"instance": INSTANCE})
    assert badgekit().revoke(UUID, award=BADGEKIT_AWARD, reason="A mistake.") == GONE


def test_an_instance_that_was_deleted_at_this_moment_is_revoked(mock: Any) -> None:
    mock.get(MINE, json={"instance": INSTANCE})
    missing(mock, MINE, "DELETE")
    assert badgekit().revoke(UUID, award=BADGEKIT_AWARD, reason="A mistake.") == GONE


def test_an_instance_that_is_not_there_is_revoked(mock: Any) -> None:
    missing(mock, MINE)
    missing(mock, ASSERTION)
    mock.get(BADGEKIT, json={"system": {"slug": "city"}})
    assert badgekit().revoke(UUID, award=BADGEKIT_AWARD, reason="A mistake.") == GONE


def test_a_wrong_system_does_not_pass_for_a_deleted_instance(mock: Any) -> None:
    for url in (MINE, ASSERTION, BADGEKIT):
        missing(mock, url)
    with pytest.raises(ProviderRejected):
        badgekit().revoke(UUID, award=BADGEKIT_AWARD, reason="A mistake.")


def test_an_instance_of_another_award_is_left_alone(mock: Any) -> None:
    mock.get(MINE, json={"instance": {**INSTANCE, "slug": "by-hand"}})
    missing(mock, ASSERTION)
    assert badgekit().revoke(UUID, award=BADGEKIT_AWARD, reason="A mistake.") == GONE


def test_an_instance_under_a_former_address_is_not_taken_for_deleted(mock: Any) -> None:
    missing(mock, MINE)
    mock.get(ASSERTION, json={"uid": UUID})
    with pytest.raises(ProviderRejected, match="another e-mail address") as caught:
        badgekit().revoke(UUID, award=BADGEKIT_AWARD, reason="A mistake.")
    assert not caught.value.retryable


# Listing.
def test_all_instances_of_all_badges_are_listed_whatever_they_are_dated(mock: Any) -> None:
    mock.get(f"{BADGEKIT}/badges", json={"badges": [BADGE, {**BADGE, "slug": "guide"}]})
    mock.get(INSTANCES, json={"instances": [INSTANCE, {**INSTANCE, "slug": ""}]})
    mock.get(f"{BADGEKIT}/badges/guide/instances", json={"instances": [{**INSTANCE, "slug": "by-hand"}]})
    pages = list(badgekit().issued_badges(since=datetime.now(UTC)))
    found = [(one.badge.external_id, one.own_id, one.template_external_id, one.email) for page in pages for one in page]
    assert found == [
        (UUID, UUID, "explorer", "anna@example.com"),
        ("by-hand", "", "guide", "anna@example.com"),
    ]
    assert pages[0][0].issued_at == datetime(2026, 4, 1, 23, 41, tzinfo=UTC)
