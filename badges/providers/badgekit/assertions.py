"""Which badge an instance is of, by its public assertion: what an ``award`` says of it can be wrong.

Where an award completes a milestone, BadgeKit names the badge that triggered it beside the instance of another one
(its code: ``app/routes/badge-instances.js``). The assertion names the right one. It is public, and takes no key.
"""

from __future__ import annotations

from urllib.parse import SplitResult, unquote, urlsplit

from badges.conf import HTTPSettings, ProviderSettings
from badges.exceptions import ProviderAuthError, ProviderRejected, UnexpectedAnswer
from badges.providers.answers import Record, record, text
from badges.providers.http import ApiConnection, Call

_PORTS = {"http": 80, "https": 443}


def may_be_asked(assertion_url: str, settings: ProviderSettings) -> bool:
    """Whether an assertion is where BadgeKit is, by our settings. No other address is asked: it may lead anywhere."""
    known = {_host(address) for address in (settings.api_base_url, settings.base_url)}
    return _host(assertion_url) in known - {None}


def badge_of(assertion_url: str, timeouts: HTTPSettings) -> str:
    """The slug of the badge that an assertion is of; empty where there is no such assertion (any more).

    Arguments:
        assertion_url: an address of which :func:`may_be_asked` says so.

    Raises:
        ProviderError: BadgeKit could not be asked.
    """
    parts = urlsplit(assertion_url)
    connection = ApiConnection(
        provider="BadgeKit",
        base_url=f"{parts.scheme}://{parts.netloc}/",
        authorization="",
        secrets=(),
        timeouts=timeouts,
    )
    path = tuple(unquote(part) for part in parts.path.split("/") if part)
    try:
        assertion = connection.call(Call("GET", path, "asking for an assertion"))
    except ProviderAuthError as refusal:
        # No key was sent, so that nothing is wrong with one, and no account is stopped for it.
        raise UnexpectedAnswer(
            f"BadgeKit does not show an assertion that should be public (HTTP {refusal.status_code}).",
            status_code=refusal.status_code,
        ) from None
    except ProviderRejected as missing:
        if missing.status_code not in (404, 410):
            raise
        return ""
    return _slug_of(assertion)


def _slug_of(assertion: Record) -> str:
    address = text(assertion, "badge") or text(record(assertion, "badge"), "id", "url")
    try:
        parts = [unquote(part) for part in urlsplit(address).path.split("/") if part]
    except ValueError:
        return ""
    # .../badges/SLUG
    return parts[-1] if len(parts) > 1 and parts[-2] == "badges" else ""


def _host(address: str) -> tuple[str, str, int] | None:
    try:
        parts: SplitResult = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not host or parts.username is not None or parts.password is not None:
        return None
    return parts.scheme, host, port or _PORTS[parts.scheme]
