"""What may be concluded from a failed call: the provider's words in it, when to come back, whether it was sent."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3.exceptions


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
    return not isinstance(error, never) and not any(isinstance(cause, before) for cause in causes(error))


def how_it_failed(error: Exception, *, was_sent: bool, read_timeout: float) -> str:
    """How a call failed on the network, to follow who was called: "... could not be reached".

    Arguments:
        error: of requests or urllib3.
        was_sent: whether the request may have reached the other side.
        read_timeout: seconds that were waited for an answer.
    """
    if isinstance(error, requests.Timeout) and was_sent:
        return f"did not answer within {read_timeout:g} seconds"
    if was_sent:
        return "broke the connection off before it had answered"
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes(error)):
        return "showed a certificate that is not valid"
    return "could not be reached"


def causes(error: BaseException) -> Iterator[BaseException]:
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
