"""An OAuth client's id and secret give a token, which is kept until it expires, is refused, or belongs to another."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest
import requests
import responses

from badges.data import AccountInfo
from badges.exceptions import (
    ConfigurationError,
    ProviderAuthError,
    ProviderError,
    ProviderRateLimited,
    ProviderUnavailable,
    UnexpectedAnswer,
)
from badges.providers import oauth, traffic
from tests.integration.providers.helpers import AWARD, CREDLY, CREDLY_ORGANIZATION, credly
from tests.integration.providers.test_exchanges import Notes

URL = "https://www.credly.com/oauth/token"
SECRET = "s3cret-of-the-client"
TOKEN = "t0ken-that-was-given"
GIVEN = {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 7200}
ORGANIZATION = {"data": {"id": CREDLY_ORGANIZATION, "name": "Academy"}}


@pytest.fixture(autouse=True)
def mock() -> Iterator[Any]:
    oauth.tokens.clear()
    with responses.RequestsMock() as active:
        yield active
    oauth.tokens.clear()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr("badges.providers.oauth.time.monotonic", lambda: now[0])
    return now


def client(secret: str = SECRET) -> Any:
    return credly(client_id="our-client", api_key=secret)


def test_the_documented_request_gives_a_token_that_is_sent_as_bearer(mock: Any) -> None:
    mock.post(URL, json=GIVEN)
    mock.get(CREDLY, json=ORGANIZATION)
    assert client().check_account() == AccountInfo(name="Academy")
    asked, used = (call.request for call in mock.calls)
    assert parse_qs(asked.body) == {
        "client_id": ["our-client"],
        "client_secret": [SECRET],
        "grant_type": ["client_credentials"],
        "scope": ["badge_templates issued_badges events"],
    }
    assert "Authorization" not in asked.headers
    assert used.headers["Authorization"] == f"Bearer {TOKEN}"


def test_without_a_client_id_no_token_is_asked_for(mock: Any) -> None:
    mock.get(CREDLY, json=ORGANIZATION)
    credly().check_account()
    assert mock.calls[0].request.headers["Authorization"].startswith("Basic ")


def test_the_sandbox_has_its_own_address(mock: Any, settings: Any) -> None:
    settings.BADGES_CONFIG = {"credly": {"USE_SANDBOX": True}}
    asked = mock.post("https://sandbox.credly.com/oauth/token", json=GIVEN)
    mock.get(CREDLY.replace("api.", "sandbox-api."), json=ORGANIZATION)
    client().check_account()
    assert asked.call_count == 1


@pytest.mark.parametrize(
    ("answer", "lasts"),
    [
        ({"expires_in": 7200}, 7140),
        ({"expires_in": "7200"}, 7140),
        ({"expires_in": 100}, 90),
        ({}, 1800),
        ({"expires_in": None}, 1800),
        ({"expires_in": "soon"}, 1800),
        ({"expires_in": 0}, 0),
        ({"expires_in": -5}, 0),
    ],
)
def test_a_token_is_used_until_shortly_before_its_end(
    mock: Any, clock: list[float], answer: dict[str, Any], lasts: float
) -> None:
    asked = mock.post(URL, json={"access_token": TOKEN, **answer})
    mock.get(CREDLY, json=ORGANIZATION)
    client().check_account()
    if lasts:
        clock[0] += lasts - 1
        client().check_account()
        assert asked.call_count == 1
    clock[0] += 1
    client().check_account()
    assert asked.call_count == 2


def test_another_secret_is_another_token(mock: Any) -> None:
    asked = mock.post(URL, json=GIVEN)
    mock.get(CREDLY, json=ORGANIZATION)
    client().check_account()
    client("another-secret").check_account()
    assert asked.call_count == 2


def test_a_kept_token_that_is_refused_is_replaced_once(mock: Any) -> None:
    mock.post(URL, json=GIVEN)
    mock.get(CREDLY, json=ORGANIZATION)
    client().check_account()
    mock.replace("GET", CREDLY, status=401)
    mock.get(CREDLY, json=ORGANIZATION)
    renewed = mock.replace("POST", URL, json={**GIVEN, "access_token": "another-t0ken"})
    client().check_account()
    assert renewed.call_count == 1
    assert mock.calls[-1].request.headers["Authorization"] == "Bearer another-t0ken"


def test_a_new_token_that_is_refused_is_an_auth_error_and_is_not_kept(mock: Any) -> None:
    asked = mock.post(URL, json=GIVEN)
    mock.get(CREDLY, status=401)
    for number in (1, 2):
        with pytest.raises(ProviderAuthError):
            client().check_account()
        assert asked.call_count == number


def test_a_refusal_of_the_renewed_token_is_an_auth_error(mock: Any) -> None:
    mock.post(URL, json=GIVEN)
    mock.get(CREDLY, json=ORGANIZATION)
    client().check_account()
    mock.replace("GET", CREDLY, status=401)
    with pytest.raises(ProviderAuthError):
        client().check_account()
    assert [call.request.method for call in mock.calls] == ["POST", "GET", "GET", "POST", "GET"]


def test_a_missing_right_is_not_mended_by_another_token(mock: Any) -> None:
    asked = mock.post(URL, json=GIVEN)
    mock.get(CREDLY, json=ORGANIZATION)
    client().check_account()
    mock.replace("GET", CREDLY, status=403)
    with pytest.raises(ProviderAuthError):
        client().check_account()
    assert asked.call_count == 1


@pytest.mark.parametrize("is_kept", [True, False])
def test_a_right_that_is_given_after_a_refusal_is_used_at_once(mock: Any, is_kept: bool) -> None:
    asked = mock.post(URL, json=GIVEN)
    if is_kept:
        mock.get(CREDLY, json=ORGANIZATION)
        client().check_account()
        mock.replace("GET", CREDLY, status=403)
    else:
        mock.get(CREDLY, status=403)
    with pytest.raises(ProviderAuthError):
        client().check_account()
    mock.replace("GET", CREDLY, json=ORGANIZATION)
    client().check_account()
    assert asked.call_count == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
@pytest.mark.parametrize("word", ["invalid_client", "invalid_scope"])
def test_a_refused_client_is_an_auth_error_with_the_providers_word(mock: Any, status: int, word: str) -> None:
    mock.post(URL, status=status, json={"error": word, "client_secret": SECRET})
    with pytest.raises(ProviderAuthError, match=word) as caught:
        client().issue(AWARD)
    assert (caught.value.status_code, caught.value.outcome_unknown) == (status, False)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"status": 503}, ProviderUnavailable),
        ({"status": 500, "body": f"<p>{TOKEN}"}, ProviderUnavailable),
        ({"body": requests.ReadTimeout()}, ProviderUnavailable),
        ({"body": requests.ConnectTimeout()}, ProviderUnavailable),
        ({"body": requests.ConnectionError("reset")}, ProviderUnavailable),
        ({"status": 429}, ProviderRateLimited),
        ({"status": 302, "headers": {"Location": "https://evil.example.com/"}}, UnexpectedAnswer),
        ({"body": f'{{"access_token": "{TOKEN}"'}, UnexpectedAnswer),
        ({"json": {}}, UnexpectedAnswer),
        ({"json": {**GIVEN, "access_token": "two words"}}, UnexpectedAnswer),
        ({"json": {**GIVEN, "token_type": "mac"}}, UnexpectedAnswer),
    ],
)
def test_where_no_token_can_be_had_nothing_was_issued(
    mock: Any, answer: dict[str, Any], kind: type[ProviderError]
) -> None:
    mock.post(URL, **answer)
    with pytest.raises(ProviderError) as caught:
        client().issue(AWARD)
    assert (type(caught.value), caught.value.outcome_unknown) == (kind, False)
    assert TOKEN not in f"{caught.value!r}"


def test_an_empty_address_is_a_wrong_configuration(settings: Any) -> None:
    settings.BADGES_CONFIG = {"credly": {"CREDLY_OAUTH_TOKEN_URL": ""}}
    with pytest.raises(ConfigurationError, match="OAUTH_TOKEN_URL"):
        client()


def test_many_threads_ask_for_one_token(mock: Any) -> None:
    going = threading.Barrier(8)
    asked = mock.post(URL, json=GIVEN)
    mock.get(CREDLY, json=ORGANIZATION)

    def check() -> None:
        provider = client()
        going.wait(10)
        provider.check_account()

    threads = [threading.Thread(target=check) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (asked.call_count, len(mock.calls)) == (1, 9)


def test_the_calls_are_told_without_secret_and_token(mock: Any) -> None:
    mock.post(URL, json=GIVEN)
    mock.get(re.compile(f"{CREDLY}.*"), status=401, body=f"{SECRET} {TOKEN}")
    notes = Notes()
    with traffic.watched_by(notes), pytest.raises(ProviderAuthError) as caught:
        client().check_account()
    token, used = notes.exchanges
    assert (token.doing, token.method, token.path, token.status) == ("asking for an access token", "POST", "token", 200)
    assert "our-client" in token.asked
    assert token.answered == "(a secret, which is not kept)"
    assert (used.status, used.changes) == (401, False)
    for secret in (SECRET, TOKEN):
        assert secret not in f"{notes.exchanges!r} {caught.value} {caught.value!r} {caught.value.__context__!r}"


def test_a_token_is_never_in_a_repr(mock: Any) -> None:
    mock.post(URL, json=GIVEN)
    mock.get(CREDLY, json=ORGANIZATION)
    provider = client()
    provider.check_account()
    shown = f"{provider!r} {vars(provider)!r} {oauth.tokens!r} {vars(oauth.tokens)!r}"
    assert TOKEN not in shown
    assert SECRET not in shown


def test_only_so_many_tokens_are_kept(monkeypatch: pytest.MonkeyPatch, mock: Any) -> None:
    monkeypatch.setattr(oauth, "MOST_TOKENS", 2)
    asked = mock.post(URL, json=GIVEN)
    mock.get(CREDLY, json=ORGANIZATION)
    for secret in ("one", "two", "three", "three", "one"):
        client(secret).check_account()
    assert asked.call_count == 4
