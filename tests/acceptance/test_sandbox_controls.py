"""What a person or a bad day does at the provider, played with the sandbox's controls; and odd requests it stands."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from demo.sandbox import seed
from demo.sandbox.process import RunningSandbox
from tests.acceptance.test_sandbox import BASIC, TOKEN, badge_body, credential_body

pytestmark = pytest.mark.any_database
SECRETS = (seed.CLIENT_SECRET, seed.LARGE_CLIENT_SECRET)


@pytest.fixture
def organization(sandbox: RunningSandbox) -> str:
    return f"{sandbox.credly_api_url}organizations/{seed.ORGANIZATION_ID}"


@pytest.fixture
def badge(organization: str) -> str:
    return str(requests.post(f"{organization}/badges", auth=BASIC, json=badge_body(), timeout=5).json()["data"]["id"])


@pytest.fixture
def credential(sandbox: RunningSandbox) -> str:
    url = f"{sandbox.accredible_api_url}credentials"
    return str(requests.post(url, headers=TOKEN, json=credential_body(), timeout=5).json()["credential"]["id"])


def token(sandbox: RunningSandbox, **values: str) -> requests.Response:
    """Ask for an OAuth token."""
    form = {
        "client_id": seed.CLIENT_ID,
        "client_secret": seed.CLIENT_SECRET,
        "grant_type": "client_credentials",
        "scope": "badge_templates issued_badges events",
        **values,
    }
    return requests.post(f"{sandbox.url}/credly/oauth/token", data=form, timeout=5)


def test_a_client_gets_a_token_that_opens_its_organization(organization: str, sandbox: RunningSandbox) -> None:
    answer = token(sandbox).json()
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 7200)
    bearer = {"Authorization": f"Bearer {answer['access_token']}"}
    assert requests.get(organization, headers=bearer, timeout=5).status_code == 200
    sandbox.revoke_oauth_tokens()
    assert requests.get(organization, headers=bearer, timeout=5).status_code == 401


def test_a_token_ends(organization: str, sandbox: RunningSandbox) -> None:
    sandbox.revoke_oauth_tokens(expires_in=0)
    bearer = {"Authorization": f"Bearer {token(sandbox).json()['access_token']}"}
    assert requests.get(organization, headers=bearer, timeout=5).status_code == 401


@pytest.mark.parametrize(
    ("values", "status", "word"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "wrong"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"scope": ""}, 400, "invalid_scope"),
        ({"scope": "everything"}, 400, "invalid_scope"),
    ],
)
def test_a_client_is_refused_with_the_words_of_the_standard(
    sandbox: RunningSandbox, values: dict[str, str], status: int, word: str
) -> None:
    answer = token(sandbox, **values)
    assert (answer.status_code, answer.json()["error"]) == (status, word)


def test_faults_strike_the_token_endpoint_too(sandbox: RunningSandbox) -> None:
    sandbox.fault("status", status=503, path="oauth/token", count=1)
    assert [token(sandbox).status_code for _ in range(2)] == [503, 200]


def test_neither_secrets_nor_tokens_are_in_the_state(sandbox: RunningSandbox) -> None:
    given = token(sandbox).json()["access_token"]
    shown = json.dumps(sandbox.state())
    assert [secret for secret in (*SECRETS, given) if secret in shown] == []


def test_a_key_expires_and_is_accepted_again(organization: str, sandbox: RunningSandbox) -> None:
    issuer = f"{sandbox.accredible_api_url}issuer/details"

    def statuses() -> list[int]:
        return [
            requests.get(organization, auth=BASIC, timeout=5).status_code,
            requests.get(issuer, headers=TOKEN, timeout=5).status_code,
            token(sandbox).status_code,
        ]

    sandbox.expire_credly_token(seed.ORGANIZATION_ID)
    sandbox.expire_accredible_key(501)
    assert statuses() == [401, 401, 401]
    sandbox.expire_credly_token(seed.ORGANIZATION_ID, expired=False)
    sandbox.expire_accredible_key(501, expired=False)
    assert statuses() == [200, 200, 200]


def test_a_key_is_replaced_by_another(organization: str, sandbox: RunningSandbox) -> None:
    sandbox.change_credly_token(seed.ORGANIZATION_ID, "new-token")
    sandbox.change_accredible_key(501, "new-key")
    issuer = f"{sandbox.accredible_api_url}issuer/details"
    assert requests.get(organization, auth=BASIC, timeout=5).status_code == 401
    assert requests.get(organization, auth=("new-token", ""), timeout=5).status_code == 200
    assert requests.get(issuer, headers=TOKEN, timeout=5).status_code == 401
    assert requests.get(issuer, headers={"Authorization": "Token token=new-key"}, timeout=5).status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"organizations/{seed.ORGANIZATION_ID}", {"token": ""}),
        (f"organizations/{seed.ORGANIZATION_ID}", {"token": 7}),
        (f"organizations/{seed.ORGANIZATION_ID}", {"name": "X"}),
        (f"organizations/{seed.ORGANIZATION_ID}", {"expired": "yes"}),
        ("organizations/none", {"expired": True}),
        ("accounts/501", {"credits": True}),
        ("accounts/501", {"credits": -1}),
        ("oauth", {"expires_in": "long"}),
    ],
)
def test_a_change_that_cannot_be_is_refused(sandbox: RunningSandbox, path: str, body: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="refused"):
        sandbox.control("POST", path, body)


def test_a_person_revokes_and_deletes_a_badge(organization: str, sandbox: RunningSandbox, badge: str) -> None:
    assert sandbox.revoke_badge(badge)["state"] == "revoked"
    with pytest.raises(ValueError, match="can be revoked"):
        sandbox.revoke_badge(badge)
    sandbox.delete_badge(badge)
    assert requests.get(f"{organization}/badges/{badge}", auth=BASIC, timeout=5).status_code == 404
    types = [event["event_type"] for event in sandbox.state()["credly"]["events"]]
    assert [one for one in types if one.startswith("badge.")] == [
        "badge.created",
        "badge.state.changed",
        "badge.deleted",
    ]


def test_a_person_lets_a_credential_expire_and_deletes_it(sandbox: RunningSandbox, credential: str) -> None:
    assert sandbox.expire_credential(credential, "2026-01-01")["expired_on"] == "2026-01-01"
    assert sandbox.expire_credential(credential, None)["expired_on"] is None
    sandbox.delete_credential(credential)
    assert sandbox.state()["accredible"]["credentials"] == []


def test_a_request_that_waits_is_counted_as_in_progress(organization: str, sandbox: RunningSandbox) -> None:
    sandbox.fault("delay", delay=2, count=1)
    waiting = threading.Thread(target=lambda: requests.get(organization, auth=BASIC, timeout=10))
    waiting.start()
    while not sandbox.state()["in_progress"]:
        pass
    assert sandbox.state()["in_progress"] == 1
    waiting.join()
    assert sandbox.state()["in_progress"] == 0


def test_badges_are_sorted_and_filtered_in_both_forms(organization: str, sandbox: RunningSandbox, badge: str) -> None:
    second = badge_body(recipient_email="bert@example.com", issued_at="2026-01-01 00:00:00 +0000")
    other = requests.post(f"{organization}/badges", auth=BASIC, json=second, timeout=5).json()["data"]["id"]
    sandbox.accept(badge)

    def listed(**query: str) -> list[str]:
        answer = requests.get(f"{organization}/badges", auth=BASIC, params=query, timeout=5)
        return [row["id"] for row in answer.json()["data"]]

    assert listed(sort="created_at") == [badge, other]
    assert listed(sort="-created_at") == [other, badge]
    assert listed(sort="issued_at") == [other, badge]
    assert listed(sort="-updated_at") == [badge, other]
    assert listed(filter="state::accepted") == listed(**{"filter[state]": "accepted"}) == [badge]
    answer = requests.get(f"{organization}/badges", auth=BASIC, params={"sort": "colour"}, timeout=5)
    assert answer.status_code == 422


@pytest.mark.parametrize(("behavior", "status", "held"), [("deny", 422, 1), ("allow", 201, 2), ("replace", 201, 2)])
def test_the_caller_says_what_becomes_of_a_duplicate(
    organization: str, sandbox: RunningSandbox, badge: str, behavior: str, status: int, held: int
) -> None:
    body = badge_body(duplicate_behavior=behavior)
    assert requests.post(f"{organization}/badges", auth=BASIC, json=body, timeout=5).status_code == status
    states = {one["id"]: one["state"] for one in sandbox.state()["credly"]["badges"]}
    assert len(states) == held
    assert states[badge] == ("replaced" if behavior == "replace" else "pending")


def test_the_search_compares_times_and_gives_a_cursor(sandbox: RunningSandbox, credential: str) -> None:
    url = f"{sandbox.url}/accredible/v2/credentials/search"
    body = credential_body(recipient={"name": "Bert", "email": "bert@example.com"})
    requests.post(f"{sandbox.accredible_api_url}credentials", headers=TOKEN, json=body, timeout=5)
    [one, _] = sandbox.state()["accredible"]["credentials"]

    def search(since: str, **page: Any) -> Any:
        query = {"updated_at[gte]": since}
        body = {"query": query, "sort": {"id": "asc"}, "page": page}
        return requests.post(url, headers=TOKEN, json=body, timeout=5).json()

    within_the_second = one["updated_at"][:19] + "Z"
    first = search(within_the_second, size=1)
    assert (len(first["credentials"]), first["meta"]["count"]) == (1, 2)
    second = search(within_the_second, size=1, cursor=first["meta"]["cursor"])
    assert second["meta"]["cursor"] is None
    assert [first["credentials"][0]["id"], second["credentials"][0]["id"]] == [credential, str(int(credential) + 1)]
    assert search("2999-01-01")["credentials"] == []
    assert search("soon")["code"] == search(within_the_second, cursor="x")["code"] == 400
    assert search(within_the_second, **{"from": 10_001})["code"] == 400


@pytest.mark.parametrize("status", [200, 201, 500])
def test_an_answer_can_be_malformed_with_any_status(organization: str, sandbox: RunningSandbox, status: int) -> None:
    sandbox.fault("status", status=status, body="malformed", count=1)
    answer = requests.get(organization, auth=BASIC, timeout=5)
    assert answer.status_code == status
    with pytest.raises(ValueError, match="Unterminated"):
        answer.json()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
BADGE_KEYS = ("recipient_email", "badge_template_id", "issued_at", "issuer_earner_id", "duplicate_behavior", "evidence")
CREDENTIAL_KEYS = ("recipient", "group_id", "id", "issued_on", "expired_on", "approve", "custom_attributes")
ANY_WAY = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@ANY_WAY
@given(key=st.sampled_from(BADGE_KEYS), value=JSON)
def test_no_odd_value_makes_credly_drop_the_connection(organization: str, key: str, value: Any) -> None:
    body = json.dumps({**badge_body(), key: value})
    assert requests.post(f"{organization}/badges", auth=BASIC, data=body, timeout=5).status_code < 500
    assert requests.get(f"{organization}/badges", auth=BASIC, timeout=5).status_code == 200


@ANY_WAY
@given(key=st.sampled_from(CREDENTIAL_KEYS), value=JSON, searched=st.sampled_from(["query", "sort", "page"]))
def test_no_odd_value_makes_accredible_drop_the_connection(
    sandbox: RunningSandbox, key: str, value: Any, searched: str
) -> None:
    body = credential_body()
    body["credential"][key] = value
    search = f"{sandbox.url}/accredible/v2/credentials/search"
    groups = f"{sandbox.accredible_api_url}issuer/groups/search"
    for url, asked in (
        (f"{sandbox.accredible_api_url}credentials", body),
        (search, {searched: value}),
        (search, {searched: {key: value, "size": value, "cursor": value}}),
        (groups, {"page": value, "page_size": value, "ids": value, "name": value}),
    ):
        assert requests.post(url, headers=TOKEN, data=json.dumps(asked), timeout=5).status_code < 500
    assert requests.post(search, headers=TOKEN, json={}, timeout=5).status_code == 200
    assert requests.get(sandbox.url, timeout=5).status_code == 200
