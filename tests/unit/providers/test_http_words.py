"""What the HTTP layer makes of headers, error bodies and failures of the network."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
import urllib3.exceptions as low
from hypothesis import given
from hypothesis import strategies as st

from badges.conf import HTTPSettings
from badges.exceptions import ConfigurationError
from badges.providers.failures import complaint, may_have_been_sent, retry_after
from badges.providers.http import ApiConnection, check_key

NOW = datetime(2026, 10, 21, 7, 28, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        (" 120 ", 120),
        ("Wed, 21 Oct 2026 07:29:00 GMT", 60),
        ("Wed, 21 Oct 2026 07:00:00 GMT", 0),
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1e9", None),
        ("9" * 400, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, NOW) == seconds


@given(st.text(max_size=60))
def test_no_retry_after_breaks_anything(header: str) -> None:
    assert (retry_after(header, NOW) or 0) >= 0


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            {"data": {"message": "Invalid or missing Badge Template ID: "}, "metadata": None},
            "Invalid or missing Badge Template ID:",
        ),
        ({"errors": "Invalid Group"}, "Invalid Group"),
        ({"error": "Not found"}, "Not found"),
        ({"success": False, "data": "Group does not exist"}, "Group does not exist"),
        ({"errors": {"course_name": ["can't be blank", "is odd"]}}, "course_name: can't be blank; is odd"),
        ({"code": 400, "message": "Bad query", "status": "invalid_search_query", "errors": {}}, "Bad query"),
        ({"results": [{"error": {"code": "x", "message": "Too bad"}}]}, "Too bad"),
        ({"errors": {"message": "No", "details": []}}, "No"),
        ([[[[[["too deep"]]]]]], ""),
        ({}, ""),
        ([], ""),
        (None, ""),
        (7, ""),
    ],
)
def test_the_providers_words_are_found_wherever_they_are(body: Any, words: str) -> None:
    assert complaint(body) == words


@given(
    st.recursive(
        st.none() | st.text(max_size=9),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["errors", "data", "error", "x"]), inner),
    )
)
def test_no_error_body_breaks_anything(body: Any) -> None:
    assert isinstance(complaint(body), str)


def wrapped(reason: Exception) -> requests.ConnectionError:
    """A failure as requests wraps it."""
    pool: Any = None
    return requests.ConnectionError(low.MaxRetryError(pool, "/badges", reason))


@pytest.mark.parametrize(
    ("error", "sent"),
    [
        (requests.ConnectTimeout(), False),
        (requests.exceptions.ProxyError(), False),
        (requests.exceptions.InvalidURL(), False),
        (wrapped(low.NewConnectionError(None, "refused")), False),  # type: ignore[arg-type]
        (requests.exceptions.SSLError(low.SSLError(ssl.SSLCertVerificationError("self-signed"))), False),
        (requests.exceptions.SSLError(low.SSLError(ssl.SSLEOFError("cut off"))), True),
        (requests.ReadTimeout(), True),
        (requests.ConnectionError(low.ProtocolError("Connection aborted.", ConnectionResetError())), True),
        (requests.exceptions.ChunkedEncodingError(), True),
        (requests.exceptions.ContentDecodingError(), True),
    ],
)
def test_only_a_failure_before_sending_leaves_no_doubt(error: Exception, sent: bool) -> None:
    assert may_have_been_sent(error) is sent


@pytest.mark.parametrize("key", ["", "two words", "line\nbreak", "schlüssel", "tab\t"])
def test_a_key_that_cannot_be_one_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_key(key, "Credly")
    assert not key or key not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["", "api.example.com/", "ftp://api.example.com/", "https://", "https://user:pw@api.example.com/"]
)
def test_only_a_web_address_without_a_password_is_an_api(url: str) -> None:
    with pytest.raises(ConfigurationError, match="not an http"):
        ApiConnection(provider="Credly", base_url=url, authorization="x", secrets=(), timeouts=HTTPSettings())
