"""Posts a callback: to machines of the world only, by HTTPS, in bounded time, without following redirects."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

import requests
import urllib3.exceptions
from attrs import field, frozen
from requests.auth import AuthBase

from badges import __version__
from badges.conf import CallbackSettings, get_config
from badges.data import Exchange
from badges.exceptions import CallbackRefused, NotDelivered, ProviderError, describe
from badges.issuing import callback_addresses
from badges.providers import traffic
from badges.providers.deadline import Deadline, DeadlineAdapter
from badges.providers.failures import how_it_failed, may_have_been_sent, retry_after
from badges.providers.redaction import excerpt, protect_logs

LONGEST_ANSWERED = 300
_CHUNK = 16 * 1024
GONE = 410
LATER = frozenset({408, 425, 429})
"""Refusals that are not for good: timeout, too early, too many requests."""


@frozen
class Post:
    """What is sent."""

    url: str = field(repr=False)
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    told: str = field(default="", repr=False)
    """The message as it may be kept: without personal data."""
    private: tuple[str, ...] = field(default=(), repr=False)
    """Secrets and personal data, which an answer may repeat and nothing here must."""

    @property
    def host(self) -> str:
        """Of the address, all that is told: the rest may be a secret itself."""
        return urlsplit(self.url).netloc


@frozen
class Answer:
    """What came back."""

    status: int
    shown: str
    """The beginning of the body, redacted."""
    duration_ms: int


class Gone(CallbackRefused):
    """The endpoint wants no more messages (410; Standard Webhooks 1.0, "Deliverability and reliability")."""


def post(one: Post) -> Answer:
    """Send a message. It is told to who watches the traffic, whatever comes of it.

    Raises:
        NotDelivered: it was not taken now; later it may be.
        CallbackRefused: it was refused for good, or its address is one that nothing is sent to.
    """
    traffic.before()
    began = time.monotonic()
    found: _Raw | ProviderError
    try:
        found = _send(one)
    except BaseException as error:
        _tell(one, None, describe(error), began)
        raise
    if isinstance(found, ProviderError):
        _tell(one, None, str(found), began)
        raise found
    shown = excerpt(found.body.decode("utf-8", errors="replace"), one.private, LONGEST_ANSWERED - 1)
    _tell(one, found.status, shown, began)
    if (refusal := _refusal(found, shown)) is not None:
        raise refusal
    return Answer(found.status, shown, _ms_since(began))


@frozen
class _Raw:
    status: int
    retry_after: str | None
    body: bytes = field(repr=False)


def _send(one: Post) -> _Raw | ProviderError:
    # Failures are returned, and raised outside of the handlers: the exceptions of requests hold the whole address.
    config = get_config().callbacks
    if reason := callback_addresses.defect(one.url):
        return CallbackRefused(f"Nothing was sent to this endpoint. {reason}")
    protect_logs()
    with Deadline(config.connect_timeout + config.read_timeout, check=callback_addresses.check) as deadline:
        return _request(one, config, deadline)


def _request(one: Post, config: CallbackSettings, deadline: Deadline) -> _Raw | ProviderError:
    try:
        with _Session() as session:
            response = session.post(
                one.url,
                data=one.body,
                auth=_NoAuth(),
                headers={
                    "Accept": "*/*",
                    "Accept-Encoding": "identity",
                    "Content-Type": "application/json",
                    "User-Agent": f"openedx-badges/{__version__}",
                    **one.headers,
                },
                timeout=(config.connect_timeout, config.read_timeout),
                allow_redirects=False,
                stream=True,
            )
            with response:
                if deadline.is_over:
                    # Cut off in the midst of its headers, an answer looks like a whole one.
                    return _too_late(config, deadline)
                return _Raw(response.status_code, response.headers.get("Retry-After"), _beginning(response, config))
    except ProviderError as error:
        return error
    except Exception as error:
        # A connection that ends in the midst of anything can surprise the libraries on it; an address, too.
        if deadline.is_over:
            return _too_late(config, deadline)
        if isinstance(error, requests.RequestException | urllib3.exceptions.HTTPError | ValueError | OSError):
            return _network_failure(error, config, deadline)
        raise


def _beginning(response: requests.Response, config: CallbackSettings) -> bytes:
    """The body, as far as it is read: the status has told already what the endpoint says.

    It is not unpacked: a small answer can become a huge one.
    """
    body = bytearray()
    try:
        while len(body) < config.max_answer:
            chunk = response.raw.read(min(_CHUNK, int(config.max_answer) - len(body)), decode_content=False)
            if not chunk:
                break
            body += chunk
    except Exception:  # noqa: BLE001 - an answer that breaks off, or is cut off at the end of the time
        return bytes(body)
    return bytes(body)


def _network_failure(error: Exception, config: CallbackSettings, deadline: Deadline) -> ProviderError:
    sent = may_have_been_sent(error) and not deadline.nothing_was_sent
    what = how_it_failed(error, was_sent=sent, read_timeout=config.read_timeout)
    return NotDelivered(f"The endpoint {what} ({type(error).__name__}).", outcome_unknown=sent)


def _too_late(config: CallbackSettings, deadline: Deadline) -> ProviderError:
    seconds = f"{config.connect_timeout + config.read_timeout:g} seconds"
    if deadline.nothing_was_sent:
        return NotDelivered(f"The endpoint could not be reached within {seconds}.")
    return NotDelivered(f"The endpoint did not answer within {seconds}.", outcome_unknown=True)


def _refusal(found: _Raw, shown: str) -> ProviderError | None:
    status, words = found.status, shown or "(no explanation)"
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return CallbackRefused(
            f"The endpoint answered with a redirect (HTTP {status}), which is never followed. Enter the address that "
            "it leads to, if it can be trusted.",
            status_code=status,
        )
    if status in LATER or status >= 500 or status < 200:
        wait = retry_after(found.retry_after, datetime.now(UTC))
        return NotDelivered(
            f"The endpoint did not take the message (HTTP {status}): {words}", status_code=status, retry_after=wait
        )
    if status == GONE:
        return Gone(f"The endpoint wants no more messages (HTTP {status}): {words}", status_code=status)
    hint = " Does it know the present secret?" if status in (401, 403) else ""
    return CallbackRefused(f"The endpoint refused the message (HTTP {status}): {words}{hint}", status_code=status)


def _tell(one: Post, status: int | None, answered: str, began: float) -> None:
    traffic.after(
        Exchange(
            doing="sending a callback",
            method="POST",
            path=one.host,
            asked=one.told,
            status=status,
            answered=excerpt(answered, one.private, LONGEST_ANSWERED - 1),
            duration_ms=_ms_since(began),
            changes=True,
        )
    )


def _ms_since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


class _Session(requests.Session):
    """Connections that end in time and go to checked addresses; no proxy, no ``.netrc``, no redirect looked at."""

    def __init__(self) -> None:
        super().__init__()
        # A proxy would resolve the name by itself, and reach what we may not.
        self.trust_env = False
        # With that the authorities that an operator trusts would be left out, too.
        self.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
        for scheme in ("http://", "https://"):
            self.mount(scheme, DeadlineAdapter())

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        return None


class _NoAuth(AuthBase):
    """Leaves the header as it is."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request
