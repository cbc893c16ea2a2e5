"""The one HTTP layer of all providers: what is sent, what is believed, and which error means what."""

from __future__ import annotations

import json
import re
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlsplit

import requests
import urllib3.exceptions
from attrs import frozen
from requests.auth import AuthBase

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
from badges.providers.answers import Record, is_web_address
from badges.providers.redaction import excerpt, protect_logs

LARGEST_ANSWER = 8 * 1024 * 1024
_CHUNK = 16 * 1024
_KEY = re.compile(r"[!-~]+")


@frozen
class Call:
    """What is asked of a provider, and what an error may say of it."""

    method: str
    path: tuple[str, ...]
    """The parts of the path below the API's base URL, not yet quoted."""
    doing: str
    """What the call is for, as it stands after "while": "issuing a badge"."""
    query: Mapping[str, str] | None = None
    body: Mapping[str, object] | None = None
    changes: bool = False
    """Whether the provider does something, so that a lost answer leaves its outcome unknown."""
    private: tuple[str, ...] = ()
    """Personal data in the request, which the answer may repeat and an error must not."""
    duplicate_marks: tuple[str, ...] = ()
    """Lower-case words by which a refusal means that the provider holds the badge already."""


class ApiConnection:
    """A provider's API with one key. Every call is one connection of its own, closed at the end."""

    def __init__(
        self, *, provider: str, base_url: str, authorization: str, secrets: Sequence[str], timeouts: HTTPSettings
    ) -> None:
        """
        Arguments:
            provider: the provider's name, for errors.
            base_url: where the API is; ends with a slash.
            authorization: the value of the ``Authorization`` header.
            secrets: what no error may hold; the API key.
            timeouts: seconds to connect and to answer.

        Raises:
            ConfigurationError: the address is not an http(s) URL.
        """
        if not is_web_address(base_url) or urlsplit(base_url).username is not None:
            raise ConfigurationError(
                f"The address of {provider}'s API is not an http(s) URL (without user name and password). Correct the "
                f"provider's API_BASE_URL in BADGES_CONFIG."
            )
        protect_logs()
        self._provider = provider
        self._base_url = base_url if base_url.endswith("/") else f"{base_url}/"
        self._auth = _Authorization(authorization)
        self._secrets = tuple(secrets)
        self._timeouts = timeouts

    def call(self, call: Call) -> Record:
        """Carry out a call.

        Returns:
            The JSON object that the provider answered.

        Raises:
            ProviderError: one of its kinds; see :mod:`badges.exceptions`. Its text holds neither key nor address.
        """
        target = self._url(call)
        answer = self._exchange(call, target)
        if isinstance(answer, ProviderError):
            raise answer
        if 200 <= answer.status < 300:
            return self._read(call, answer)
        raise self._refusal(call, answer)

    def _url(self, call: Call) -> str:
        for part in call.path:
            if part in ("", ".", ".."):
                raise ProviderRejected(
                    f'"{part}" is no identifier at {self._provider} (while {call.doing}). Correct it, then try again.'
                )
        return self._base_url + "/".join(quote(part, safe="") for part in call.path)

    def _exchange(self, call: Call, target: str) -> _Answer | ProviderError:
        # Failures are returned and raised outside of the handlers: the exceptions of requests hold the URL with its
        # query, and must not travel along as the context of ours.
        try:
            with (
                _Session() as session,
                session.request(
                    call.method,
                    target,
                    params=call.query,
                    json=call.body,
                    auth=self._auth,
                    headers={"Accept": "application/json"},
                    timeout=(self._timeouts.connect_timeout, self._timeouts.read_timeout),
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                body = self._body(response)
                if body is None:
                    what = f"an answer that is too long or too slow (HTTP {response.status_code})"
                    return self._unexpected(call, what, response.status_code)
                return _Answer(response.status_code, response.headers, body)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            return self._network_failure(call, error)

    def _body(self, response: requests.Response) -> bytes | None:
        deadline = time.monotonic() + self._timeouts.read_timeout
        body = bytearray()
        for chunk in response.iter_content(_CHUNK):
            body += chunk
            if len(body) > LARGEST_ANSWER or time.monotonic() > deadline:
                return None
        return bytes(body)

    def _network_failure(self, call: Call, error: Exception) -> ProviderError:
        sent = may_have_been_sent(error)
        if isinstance(error, requests.Timeout) and sent:
            what = f"did not answer within {self._timeouts.read_timeout:g} seconds"
        elif sent:
            what = "broke the connection off before it had answered"
        elif any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error)):
            what = "showed a certificate that is not valid"
        else:
            what = "could not be reached"
        outcome = " It is not known whether it has done the work." if sent and call.changes else ""
        return ProviderUnavailable(
            f"{self._provider} {what} (while {call.doing}, {type(error).__name__}).{outcome}",
            outcome_unknown=sent and call.changes,
        )

    def _read(self, call: Call, answer: _Answer) -> Record:
        found = answer.json()
        if isinstance(found, dict):
            return found
        shown = self._excerpt(call, answer.text())
        what = f"HTTP {answer.status} and not the JSON that it documents: {shown or '(an empty answer)'}"
        raise self._unexpected(call, what, answer.status)

    def _unexpected(self, call: Call, what: str, status: int | None = None) -> UnexpectedAnswer:
        return UnexpectedAnswer(
            f"{self._provider} gave {what} (while {call.doing}).", status_code=status, outcome_unknown=call.changes
        )

    def _refusal(self, call: Call, answer: _Answer) -> ProviderError:
        status = answer.status
        if 300 <= status < 400:
            host = host_of(answer.headers.get("Location", ""))
            where = self._excerpt(call, host) or "an address that it does not name"
            what = f"a redirect (HTTP {status}) to {where}, which is never followed: check the provider's URLs"
            return self._unexpected(call, what, status)
        words = self._excerpt(call, complaint(answer.json()) or answer.text()) or "(no explanation)"
        wait = retry_after(answer.headers.get("Retry-After"), datetime.now(UTC))
        if status == 429:
            return ProviderRateLimited(
                f"{self._provider} had too many requests (while {call.doing}). It is tried again later: {words}",
                status_code=status,
                retry_after=wait,
            )
        if status in (401, 403):
            return ProviderAuthError(
                f"{self._provider} refused the account's API key (while {call.doing}, HTTP {status}): {words} "
                f"Check the key: it may be wrong, expired, or without the right to do this.",
                status_code=status,
            )
        if status == 408 or status >= 500 or status < 200:
            return ProviderUnavailable(
                f"{self._provider} is out of order (while {call.doing}, HTTP {status}): {words}",
                status_code=status,
                retry_after=wait,
                outcome_unknown=call.changes,
            )
        raw = answer.text().lower()
        kind = DuplicateBadge if any(mark in raw for mark in call.duplicate_marks) else ProviderRejected
        return kind(f"{self._provider} refused (while {call.doing}, HTTP {status}): {words}", status_code=status)

    def _excerpt(self, call: Call, text: str) -> str:
        return excerpt(text, (*self._secrets, *(word for word in call.private if len(word) > 1 or not word.isascii())))


@frozen
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def text(self) -> str:
        return self.body.decode("utf-8", errors="replace")

    def json(self) -> object:
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


class _Session(requests.Session):
    """Does not look at where a redirect leads: requests would parse it and read the whole body, however long."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        return None


class _Authorization(AuthBase):
    """Sets the header by itself: with ``auth`` given, requests does not look into a ``.netrc`` for another one."""

    def __init__(self, value: str) -> None:
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._value
        return request


def check_key(key: str, provider: str) -> str:
    """The key, if it can be sent in a header.

    Raises:
        ConfigurationError: it holds characters that no key has (a line break, a space, a letter that is not ASCII).
    """
    if not _KEY.fullmatch(key):
        raise ConfigurationError(
            f"The API key of the {provider} account is empty, or holds spaces, line breaks or characters that no key "
            f"has. Copy it from {provider} again."
        )
    return key


def complaint(answer: object, depth: int = 0) -> str:
    """What a provider says in the JSON of an error: text, lists and dicts under errors, error, message, reason or data.

    Credly answers ``{"data": {"message": ...}}``; Accredible answers ``errors``, ``error`` or ``data``, each a string
    or a dict of field to messages (Accredible Credential API, error examples).
    """
    if isinstance(answer, str):
        return answer.strip()
    if depth > 4:
        return ""
    if isinstance(answer, list):
        return "; ".join(filter(None, (complaint(item, depth + 1) for item in answer[:10])))
    if not isinstance(answer, dict):
        return ""
    for key in ("errors", "error", "message", "reason", "data", "results", "details"):
        found = answer.get(key)
        words = _fields(found, depth) if key in ("errors", "error") else complaint(found, depth + 1)
        if words:
            return words
    return ""


def _fields(found: object, depth: int) -> str:
    if not isinstance(found, dict):
        return complaint(found, depth + 1)
    known = complaint(found, depth + 1)
    if known:
        return known
    parts = ((str(field), complaint(messages, depth + 1)) for field, messages in list(found.items())[:10])
    return "; ".join(f"{field}: {words}" for field, words in parts if words)


def retry_after(header: str | None, now: datetime) -> float | None:
    """Seconds to wait, from ``Retry-After`` (RFC 9110, 10.2.3: seconds or an HTTP date); None if it is unreadable."""
    value = (header or "").strip()
    if value.isascii() and value.isdigit() and len(value) < 10:
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, (aware - now).total_seconds())
    except (ValueError, OverflowError):
        return None


def host_of(location: str) -> str:
    """The host of an address from outside; empty where it has none or cannot be read."""
    try:
        return urlsplit(location).hostname or ""
    except ValueError:
        return ""


def may_have_been_sent(error: Exception) -> bool:
    """Whether the request may have reached the provider before this failure of requests or urllib3."""
    never = (
        requests.ConnectTimeout,
        requests.exceptions.ProxyError,
        requests.exceptions.InvalidURL,
        requests.exceptions.InvalidHeader,
        requests.exceptions.InvalidSchema,
        requests.exceptions.MissingSchema,
    )
    before = (urllib3.exceptions.NewConnectionError, ssl.SSLCertVerificationError)
    return not isinstance(error, never) and not any(isinstance(cause, before) for cause in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it wraps: urllib3 hides the reason in attributes and arguments."""
    waiting: list[Any] = [error]
    seen: set[int] = set()
    while waiting and len(seen) < 50:
        one = waiting.pop()
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        arguments: Iterable[Any] = one.args
        waiting += [*arguments, getattr(one, "reason", None), one.__cause__, one.__context__]
