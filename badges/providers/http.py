"""The one HTTP layer of all providers: what is sent, what is believed, and which error means what."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

import requests
import urllib3.exceptions
from attrs import field, frozen
from requests.auth import AuthBase

from badges.conf import HTTPSettings
from badges.data import Exchange
from badges.exceptions import (
    AccountUnusable,
    ConfigurationError,
    DuplicateBadge,
    NotSent,
    ProviderAuthError,
    ProviderError,
    ProviderRateLimited,
    ProviderRejected,
    ProviderUnavailable,
    UnexpectedAnswer,
    describe,
)
from badges.providers import traffic
from badges.providers.answers import Record, is_web_address
from badges.providers.deadline import Deadline, DeadlineAdapter
from badges.providers.failures import complaint, host_of, how_it_failed, may_have_been_sent, retry_after
from badges.providers.redaction import excerpt, masked, protect_logs

LARGEST_ANSWER = 8 * 1024 * 1024
LONGEST_ASKED = 500
LONGEST_ANSWERED = 300
_CHUNK = 16 * 1024
_KEY = re.compile(r"[!-~]+")

Signer = Callable[[str, str, bytes], str]
"""Gives the ``Authorization`` header of one request, from its method, its path with the query, and its body, all of
them exactly as they are sent."""


@frozen
class Call:
    """What is asked of a provider, and what an error may say of it. Its repr, too, gives nobody away."""

    method: str
    path: tuple[str, ...]
    """The parts of the path below the API's base URL, not yet quoted."""
    doing: str
    """What the call is for, as it stands after "while": "issuing a badge"."""
    query: Mapping[str, str] | None = field(default=None, repr=False)
    body: Mapping[str, object] | None = field(default=None, repr=False)
    """Sent as JSON."""
    form: Mapping[str, str] | None = field(default=None, repr=False)
    """Sent as an HTML form is, where the provider wants it so."""
    changes: bool = False
    """Whether the provider does something, so that a lost answer leaves its outcome unknown."""
    private: tuple[str, ...] = field(default=(), repr=False)
    """Personal data in the request, which the answer may repeat and an error must not."""
    duplicate_marks: tuple[str, ...] = ()
    """Lower-case words by which a refusal means that the provider holds the badge already."""
    may_be_empty: bool = False
    """Whether an answer without a body is a success, too."""
    answers_secret: bool = False
    """Whether the answer is a secret itself, of which nothing may be shown or kept."""


class ApiConnection:
    """A provider's API with one key. Every call is one connection of its own, closed at the end.

    Each call is told to who watches the traffic (:mod:`badges.providers.traffic`), whatever comes of it.
    """

    def __init__(
        self,
        *,
        provider: str,
        base_url: str,
        authorization: str | Signer,
        secrets: Sequence[str],
        timeouts: HTTPSettings,
    ) -> None:
        """
        Arguments:
            provider: the provider's name, for errors.
            base_url: where the API is; ends with a slash.
            authorization: the value of the ``Authorization`` header, without which none is sent; or what gives one for
                each request.
            secrets: what no error may hold; the API key.
            timeouts: seconds to connect and to answer; a call takes at most the sum of both.

        Raises:
            ConfigurationError: the address is not an http(s) URL.
        """
        if not is_web_address(base_url) or urlsplit(base_url).username is not None:
            raise ConfigurationError(
                f"The address of {provider}'s API is not an http(s) URL (without user name and password). Correct the "
                f"provider's URLs, such as API_BASE_URL, in BADGES_CONFIG."
            )
        protect_logs()
        self._provider = provider
        self._base_url = base_url if base_url.endswith("/") else f"{base_url}/"
        self._auth = _Authorization(authorization)
        # What a signer gives is no secret for long, and is recognized by its form, see redaction.
        self._secrets = (*secrets, authorization) if isinstance(authorization, str) else tuple(secrets)
        self._timeouts = timeouts

    def call(self, call: Call) -> Record:
        """Carry out a call.

        Returns:
            The JSON object that the provider answered.

        Raises:
            CeilingReached: the call must not be made now, and was not.
            ProviderError: one of its kinds; see :mod:`badges.exceptions`. Its text holds neither key nor address.
        """
        target = self._url(call)
        traffic.before()
        began = time.monotonic()
        try:
            answer = self._exchange(call, target)
            result = answer if isinstance(answer, ProviderError) else self._judge(call, answer)
        except BaseException as error:
            self._tell(call, describe(error), began)
            raise
        self._tell(call, answer, began)
        if isinstance(result, ProviderError):
            raise result
        return result

    def _url(self, call: Call) -> str:
        for part in call.path:
            if part in ("", ".", ".."):
                raise NotSent(
                    f'"{part}" is no identifier at {self._provider} (while {call.doing}). Correct it, then try again.'
                )
        return self._base_url + "/".join(quote(part, safe="") for part in call.path)

    def _exchange(self, call: Call, target: str) -> _Answer | ProviderError:
        # Failures are returned and raised outside of the handlers: the exceptions of requests hold the URL with its
        # query, and must not travel along as the context of ours.
        with Deadline(self._timeouts.connect_timeout + self._timeouts.read_timeout) as deadline:
            found = self._request(call, target, deadline)
        return self._too_late(call, deadline) if deadline.is_over else found

    def _request(self, call: Call, target: str, deadline: Deadline) -> _Answer | ProviderError:
        try:
            with (
                _Session() as session,
                session.request(
                    call.method,
                    target,
                    params=call.query,
                    json=call.body,
                    data=call.form,
                    auth=self._auth,
                    headers={"Accept": "application/json"},
                    timeout=(self._timeouts.connect_timeout, self._timeouts.read_timeout),
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                body = bytearray()
                for chunk in response.iter_content(_CHUNK):
                    body += chunk
                    if len(body) > LARGEST_ANSWER or deadline.is_over:
                        what = f"an answer that is too long (HTTP {response.status_code})"
                        return self._unexpected(call, what, response.status_code)
                return _Answer(response.status_code, response.headers, bytes(body))
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            return self._network_failure(call, error, deadline)
        except Exception:
            # A connection that ends in the midst of anything can surprise the libraries on it.
            if deadline.is_over:
                return self._too_late(call, deadline)
            raise

    def _too_late(self, call: Call, deadline: Deadline) -> ProviderError:
        seconds = f"{self._timeouts.connect_timeout + self._timeouts.read_timeout:g} seconds"
        if deadline.nothing_was_sent:
            return self._unavailable(call, f"could not be reached within {seconds}", sent=False)
        return self._unavailable(call, f"did not answer within {seconds}", sent=True)

    def _network_failure(self, call: Call, error: Exception, deadline: Deadline) -> ProviderError:
        sent = may_have_been_sent(error) and not deadline.nothing_was_sent
        what = how_it_failed(error, was_sent=sent, read_timeout=self._timeouts.read_timeout)
        return self._unavailable(call, what, sent=sent, kind=f", {type(error).__name__}")

    def _unavailable(self, call: Call, what: str, *, sent: bool, kind: str = "") -> ProviderUnavailable:
        outcome = " It is not known whether it has done the work." if sent and call.changes else ""
        return ProviderUnavailable(
            f"{self._provider} {what} (while {call.doing}{kind}).{outcome}", outcome_unknown=sent and call.changes
        )

    def _judge(self, call: Call, answer: _Answer) -> Record | ProviderError:
        if not 200 <= answer.status < 300:
            return self._refusal(call, answer)
        if call.may_be_empty and not answer.body.strip():
            return {}
        found = answer.json()
        if isinstance(found, dict):
            return found
        shown = self._excerpt(call, answer.text()) or "(an empty answer)"
        what = f"HTTP {answer.status} and not the JSON that it documents"
        return self._unexpected(call, what if call.answers_secret else f"{what}: {shown}", answer.status)

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
        words = self._words(call, answer) or "(no explanation)"
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

    def _words(self, call: Call, answer: _Answer) -> str:
        """What the provider says of an error, for an error of ours."""
        found = complaint(answer.json())
        return self._excerpt(call, found if found or call.answers_secret else answer.text())

    def _tell(self, call: Call, outcome: _Answer | ProviderError | str, began: float) -> None:
        """Have the call written down, as far as it may be."""
        status = outcome.status if isinstance(outcome, _Answer) else getattr(outcome, "status_code", None)
        traffic.after(
            Exchange(
                doing=call.doing,
                method=call.method,
                path=self._excerpt(call, "/".join(call.path), LONGEST_ANSWERED),
                asked=self._shown(call, call.query or call.body or call.form, LONGEST_ASKED),
                status=status,
                answered=self._answered(call, outcome),
                duration_ms=round((time.monotonic() - began) * 1000),
                changes=call.changes,
            )
        )

    def _answered(self, call: Call, outcome: _Answer | ProviderError | str) -> str:
        if not isinstance(outcome, _Answer):
            return self._excerpt(call, str(outcome), LONGEST_ANSWERED)
        if call.answers_secret:
            return self._words(call, outcome) or "(a secret, which is not kept)"
        found = outcome.json()
        return self._shown(call, outcome.text() if found is None else found, LONGEST_ANSWERED)

    def _shown(self, call: Call, value: object, length: int) -> str:
        """The beginning of JSON or of a text, without what it may not show."""
        if value is None or isinstance(value, str):
            return self._excerpt(call, value or "", length)
        return self._excerpt(call, json.dumps(masked(value, call.private), ensure_ascii=False), length)

    def _excerpt(self, call: Call, text: str, length: int = 200) -> str:
        words = (*self._secrets, *(word for word in call.private if len(word) > 1 or not word.isascii()))
        # One less, for the sign that something was left off.
        return excerpt(text, words, length - 1)


@frozen
class _Answer:
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    def text(self) -> str:
        return self.body.decode("utf-8", errors="replace")

    def json(self) -> object:
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


class _Session(requests.Session):
    """Makes connections that end in time, and does not look at where a redirect leads.

    Requests would parse that, and read the whole body, however long.
    """

    def __init__(self) -> None:
        super().__init__()
        for scheme in ("http://", "https://"):
            self.mount(scheme, DeadlineAdapter())

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        return None


class _Authorization(AuthBase):
    """Sets the header by itself: with ``auth`` given, requests does not look into a ``.netrc`` for another one."""

    def __init__(self, value: str | Signer) -> None:
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        value = self._value if isinstance(self._value, str) else self._value(*_as_sent(request))
        if value:
            request.headers["Authorization"] = value
        return request


def _as_sent(request: requests.PreparedRequest) -> tuple[str, str, bytes]:
    body = request.body or b""
    return request.method or "", request.path_url, body.encode() if isinstance(body, str) else body


def check_key(key: str, provider: str) -> str:
    """The key, if it can be sent in a header.

    Raises:
        AccountUnusable: it holds characters that no key has (a line break, a space, a letter that is not ASCII).
    """
    if not _KEY.fullmatch(key):
        raise AccountUnusable(
            f"The API key of the {provider} account is empty, or holds spaces, line breaks or characters that no key "
            f"has. Copy it from {provider} again."
        )
    return key
