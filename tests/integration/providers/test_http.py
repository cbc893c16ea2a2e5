"""Every kind of answer becomes the error that says what to do; nothing in it gives anybody away."""

from __future__ import annotations

import gzip
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
import responses

from badges.conf import HTTPSettings
from badges.exceptions import (
    ConfigurationError,
    DuplicateBadge,
    ProviderAuthError,
    ProviderError,
    ProviderRateLimited,
    ProviderRejected,
    ProviderUnavailable,
    UnexpectedAnswer,
)
from badges.providers import http
from tests.integration.providers.helpers import AWARD, CREDLY, CREDLY_ORGANIZATION, KEY, credly

ISSUE = f"{CREDLY}/badges"
MESSAGE = {"data": {"message": f"No badge for {AWARD.email} ({AWARD.name}), key {KEY}"}, "metadata": None}


def issue(**answer: Any) -> ProviderError:
    """The error that issuing a badge gives on this answer."""
    with responses.RequestsMock() as mock:
        mock.post(ISSUE, **answer)
        with pytest.raises(ProviderError) as caught:
            credly().issue(AWARD)
    return caught.value


def check(**answer: Any) -> ProviderError:
    """The error that checking the account gives on this answer."""
    with responses.RequestsMock() as mock:
        mock.get(CREDLY, **answer)
        with pytest.raises(ProviderError) as caught:
            credly().check_account()
    return caught.value


@pytest.mark.parametrize(
    ("status", "kind", "unknown"),
    [
        (301, UnexpectedAnswer, True),
        (303, UnexpectedAnswer, True),
        (400, ProviderRejected, False),
        (401, ProviderAuthError, False),
        (403, ProviderAuthError, False),
        (404, ProviderRejected, False),
        (408, ProviderUnavailable, True),
        (409, ProviderRejected, False),
        (422, ProviderRejected, False),
        (429, ProviderRateLimited, False),
        (500, ProviderUnavailable, True),
        (502, ProviderUnavailable, True),
        (503, ProviderUnavailable, True),
        (599, ProviderUnavailable, True),
    ],
)
@pytest.mark.parametrize("body", [MESSAGE, {"errors": MESSAGE["data"]}, "text"])
def test_a_status_becomes_its_error(status: int, kind: type[ProviderError], unknown: bool, body: Any) -> None:
    answer = {"body": f"<html>{AWARD.email} {KEY}"} if body == "text" else {"json": body}
    error = issue(status=status, **answer)
    assert (type(error), error.status_code, error.outcome_unknown) == (kind, status, unknown)
    for private in (KEY, AWARD.email, AWARD.name):
        assert private not in f"{error} {error!r}"


def test_the_providers_own_words_are_in_the_error() -> None:
    error = issue(status=422, json={"data": {"message": "Invalid or missing Badge Template ID: 7"}, "metadata": None})
    assert "Invalid or missing Badge Template ID: 7" in str(error)


def test_a_failing_read_leaves_nothing_unknown() -> None:
    assert not check(status=503).outcome_unknown


def test_a_wait_is_passed_on_with_429_and_with_503() -> None:
    assert issue(status=429, headers={"Retry-After": "90"}).retry_after == 90
    assert issue(status=503, headers={"Retry-After": "30"}).retry_after == 30


@pytest.mark.parametrize(
    "body", ["", "<html><title>Login</title>", '{"data": {"id": ', "[]", "7", "null", '"ok"', "[" * 100_000]
)
def test_success_without_a_json_object_is_unexpected(body: str) -> None:
    error = issue(status=200, body=body)
    assert (type(error), error.outcome_unknown) == (UnexpectedAnswer, True)
    assert len(str(error)) < 400


def test_the_beginning_of_the_nonsense_is_shown() -> None:
    assert "Please log in" in str(issue(status=200, body=f"<h1>Please log in, {AWARD.email}</h1>"))


def test_the_host_of_a_redirect_is_named() -> None:
    error = issue(status=302, headers={"Location": f"https://other.example.net/?mail={AWARD.email}"})
    assert "other.example.net" in str(error)
    assert AWARD.email not in str(error)


@pytest.mark.parametrize("location", ["http://[::1", "//", "\\\\x", "http://\x00", ""])
def test_a_redirect_to_nonsense_is_a_redirect(location: str) -> None:
    assert isinstance(issue(status=302, headers={"Location": location}), UnexpectedAnswer)


def test_an_answer_that_is_too_long_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "LARGEST_ANSWER", 10_000)
    error = issue(status=200, body=b'{"data": "' + b"x" * 20_000)
    assert (type(error), error.outcome_unknown) == (UnexpectedAnswer, True)


def test_an_answer_that_only_unpacked_is_too_long_is_not_read_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "LARGEST_ANSWER", 100_000)
    packed = gzip.compress(b'{"data": "' + b"x" * 1_000_000)
    assert len(packed) < 10_000
    error = issue(status=200, body=packed, headers={"Content-Encoding": "gzip"})
    assert "too long" in str(error)


@pytest.mark.parametrize(
    ("failure", "unknown"),
    [
        (requests.ConnectTimeout(f"/badges?recipient_email={AWARD.email}"), False),
        (requests.ReadTimeout(f"/badges?recipient_email={AWARD.email}"), True),
        (requests.ConnectionError(f"Connection aborted: {AWARD.email} {KEY}"), True),
        (requests.exceptions.ChunkedEncodingError(f"{AWARD.email}"), True),
    ],
)
def test_a_failing_network_is_unavailable_and_tells_nothing(failure: Exception, unknown: bool) -> None:
    error = issue(body=failure)
    assert (type(error), error.outcome_unknown) == (ProviderUnavailable, unknown)
    assert AWARD.email not in str(error)
    assert (error.__cause__, error.__context__) == (None, None)


def test_a_certificate_that_is_not_valid_is_named_as_the_cause() -> None:
    error = issue(body=requests.exceptions.SSLError(ssl.SSLCertVerificationError("self-signed certificate")))
    assert "certificate that is not valid" in str(error)
    assert not error.outcome_unknown


@responses.activate
def test_a_netrc_does_not_replace_the_key(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine api.credly.com login other password other")
    monkeypatch.setenv("NETRC", str(netrc))
    answer = responses.get(CREDLY, json={"data": {"id": CREDLY_ORGANIZATION, "name": "Academy"}})
    credly().check_account()
    assert answer.calls[0].request.headers["Authorization"] == "Basic azN5LW9mLXRoZS1hY2NvdW50Og=="


@pytest.mark.parametrize("badge_id", ["", ".", ".."])
def test_an_identifier_cannot_lead_elsewhere(badge_id: str) -> None:
    with pytest.raises(ProviderRejected, match="no identifier"):
        credly().revoke(badge_id, award=AWARD, reason="x")


@responses.activate
def test_an_identifier_is_quoted() -> None:
    quoted = f"{CREDLY}/badges/..%2Fbadge_templates%3Fa%3D1/revoke"
    answer = responses.put(quoted, json={"data": {"state": "revoked"}})
    credly().revoke("../badge_templates?a=1", award=AWARD, reason="x")
    assert answer.call_count == 1


def test_a_duplicate_is_told_apart_even_after_a_long_text() -> None:
    error = issue(status=422, json={"data": {"message": "x " * 500 + "User already has this badge"}})
    assert isinstance(error, DuplicateBadge)


@pytest.mark.parametrize("account", [{"api_key": "two words"}, {"external_id": ""}])
def test_an_account_that_cannot_work_is_refused_before_any_call(account: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError):
        credly(**account)


def test_a_call_gives_nobody_away_where_a_report_of_an_error_prints_it() -> None:
    given = {"email": AWARD.email, "client_secret": KEY}
    call = http.Call("POST", ("badges",), "issuing", query=given, body=given, form=given, private=(AWARD.name,))
    answer = http._Answer(200, {"X": KEY}, AWARD.email.encode())

    for secret in (AWARD.email, AWARD.name, KEY):
        assert secret not in f"{call!r} {answer!r}"


@pytest.mark.parametrize("body", [None, {"name": "Änne", "list": [1, 2]}])
def test_a_signer_is_given_exactly_what_is_sent(body: Any) -> None:
    given: list[Any] = []

    def sign(method: str, path: str, content: bytes) -> str:
        given.append((method, path, content))
        return f"Signed {len(given)}"

    connection = http.ApiConnection(
        provider="Signed", base_url="https://x.example.com/api", authorization=sign, secrets=(), timeouts=HTTPSettings()
    )
    call = http.Call("POST", ("a b", "c/d", "e@f"), "asking", query={"q": "ä&=", "p": "1"}, body=body)
    with responses.RequestsMock() as mock:
        mock.post("https://x.example.com/api/a%20b/c%2Fd/e%40f", json={})
        connection.call(call)
        connection.call(call)
        sent = [one.request for one in mock.calls]
    assert given == [("POST", one.path_url, one.body or b"") for one in sent]
    assert [one.headers["Authorization"] for one in sent] == ["Signed 1", "Signed 2"]
    assert sent[0].path_url == "/api/a%20b/c%2Fd/e%40f?q=%C3%A4%26%3D&p=1"


def test_a_path_is_signed_as_it_stands_in_the_request_line() -> None:
    """What signs must not be changed on its way: urllib3 writes addresses anew."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: Any) -> None: ...

    signed: list[str] = []

    def sign(method: str, path: str, content: bytes) -> str:
        signed.append(path)
        return "Signed"

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        serving.start()
        address = f"http://127.0.0.1:{server.server_address[1]}/"
        connection = http.ApiConnection(
            provider="Signed", base_url=address, authorization=sign, secrets=(), timeouts=HTTPSettings()
        )
        for part in ("o'anna+b~!*()@example.com", 'ä/ö?ü#%25;=&$,:[]{}|^`\\"<>', "..a", "%2e%2e"):
            connection.call(http.Call("GET", ("x", part), "asking", query={"q": part}))
        server.shutdown()
        serving.join()
    assert seen == signed
