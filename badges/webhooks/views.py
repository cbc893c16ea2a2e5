"""The view at which all providers call back: it stores what it is sent, and does nothing else.

What a stranger sends leaves nothing behind, and nothing is answered with 500: a provider would take it for a fault that
lasts. Answers are plain and short, and are not logged by Django, which would write addresses with their secrets.
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
from collections.abc import Iterator

from attrs import field, frozen
from django.contrib.auth.decorators import login_not_required
from django.db import DataError, Error, transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from badges.conf import WebhookSettings, get_config
from badges.data import Notice, WebhookRequest
from badges.exceptions import BadgesError, UnknownProvider, WebhookRefused, describe
from badges.issuing.health import as_sentence
from badges.providers.registry import provider_class
from badges.providers.webhooks import Webhooks
from badges.rules.payload import storable_text
from badges.toggles import is_badges_enabled
from badges.webhooks import inbox, tasks, telling
from badges.webhooks.limits import Limit, TooMany, who_is_at
from badges.webhooks.senders import Sender, sender_at, sender_on_trial

logger = logging.getLogger(__name__)

COME_AGAIN = 60
"""Seconds after which a provider is asked to come again where the fault is ours."""


@frozen
class _Address:
    """What the address of a request says."""

    provider: str
    account_id: int | None
    secret: str = field(repr=False)

    @property
    def is_on_trial(self) -> bool:
        """Whether it names no account: what comes there is believed only when the provider confirms it."""
        return self.account_id is None

    def fits(self, webhooks: Webhooks) -> bool:
        """Whether this provider has such addresses."""
        return self.is_on_trial or webhooks.secret_in_address == bool(self.secret)


# The decorators are those of a view that other programs post to. Outside ATOMIC_REQUESTS, what is stored is stored when
# it is answered.
@csrf_exempt
@login_not_required
@transaction.non_atomic_requests
def webhook(request: HttpRequest, provider: str, account: int | None = None, secret: str = "") -> HttpResponse:
    """Store an event, and answer 200.

    Arguments:
        request: the request.
        provider: the slug of a provider.
        account: the id of an account, in addresses that name one.
        secret: the account's secret, in addresses that carry it.
    """
    try:
        return _answered(request, _Address(provider, account, storable_text(secret)))
    except Error as error:
        return _ours("The database cannot be used", error)
    except BadgesError as error:
        return _ours("It cannot be known who sends them", error)
    except Exception as error:  # noqa: BLE001 - an event must come again, whatever is wrong here
        return _ours("Something is wrong here", error)


@csrf_exempt
@login_not_required
def nothing(request: HttpRequest, provider: str, rest: str) -> HttpResponse:
    """Answer 404 where an address was entered wrongly: it may hold a secret, which Django would log."""
    return _answer(404, "There is nothing here.")


def _answered(request: HttpRequest, address: _Address) -> HttpResponse:
    webhooks = _webhooks_of(address.provider) if is_badges_enabled() else None
    if webhooks is None or not address.fits(webhooks):
        return _answer(404, "There is nothing here.")
    if request.method != "POST":
        return _answer(405, "Only POST is answered.", {"Allow": "POST"})
    config, remote_address = get_config().webhooks, _remote_address(request)
    refused, who = Limit("refused", config.refused_calls, config.seconds), who_is_at(remote_address)
    try:
        if address.is_on_trial:
            refused.check(who)
        _take(request, address, webhooks, config, remote_address)
    except TooMany as error:
        return _answer(429, str(error), {"Retry-After": str(error.wait)})
    except (WebhookRefused, DataError) as error:
        return _refused(address, error, refused, who)
    return HttpResponse(content_type="text/plain")


def _take(
    request: HttpRequest, address: _Address, webhooks: Webhooks, config: WebhookSettings, remote_address: str | None
) -> None:
    """Store what a request brings.

    Raises:
        WebhookRefused: it is not what the provider sends, or nobody knows who sends it.
        TooMany: its account has had too many.
    """
    body = _body(request, int(config.max_body))
    headers = {name.lower(): storable_text(value) for name, value in request.headers.items()}
    sent = WebhookRequest(body=body, headers=headers, secret=address.secret)
    sender = None
    if address.account_id is not None:
        with _understood(address.provider):
            sender = sender_at(address.provider, address.account_id, webhooks, sent)
    with _understood(address.provider):
        notice = _checked(webhooks.read(sent))
    if sender is None:
        sender = sender_on_trial(address.provider, webhooks, notice, is_allowed=config.without_secret)
    sender.must_be_named(notice)
    _count(sender, config)
    event = inbox.receive(sender.account, notice, sent, is_proven=sender.is_proven, remote_address=remote_address)
    if event is not None:
        tasks.enqueue_on_commit(event)


def _count(sender: Sender, config: WebhookSettings) -> None:
    # Apart, so that a stranger cannot use up what the provider needs.
    name = "proven" if sender.is_proven else "on-trial"
    Limit(name, config.calls, config.seconds).count(str(sender.account.pk))
    if not sender.is_proven and inbox.is_full_on_trial(sender.account):
        raise TooMany(COME_AGAIN)


def _webhooks_of(provider: str) -> Webhooks | None:
    try:
        found = provider_class(provider).webhooks
    except UnknownProvider:
        return None
    return found() if found is not None else None


def _body(request: HttpRequest, most: int) -> bytes:
    """The body of a request, of which no more is read than is let in."""
    told = request.META.get("CONTENT_LENGTH") or ""
    if str(told).isdecimal() and int(str(told)[:20]) > most:
        raise WebhookRefused(f"The body is larger than {most} bytes.", status=413)
    chunks, size = [], 0
    try:
        while size <= most and (chunk := request.read(most + 1 - size)):
            chunks.append(chunk)
            size += len(chunk)
    except OSError as error:
        raise WebhookRefused("The body broke off.") from error
    if size > most:
        raise WebhookRefused(f"The body is larger than {most} bytes.", status=413)
    body = b"".join(chunks)
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise WebhookRefused("The body is not UTF-8.") from error
    if b"\x00" in body:
        raise WebhookRefused("The body holds a NUL.")
    return body


def _checked(notice: Notice) -> Notice:
    """A notice whose words can be stored and looked for."""
    for name, text, longest in (
        ("event id", notice.event_id, 255),
        ("event type", notice.event_type, 100),
        ("account", notice.account_external_id, 255),
    ):
        if not text.isprintable() or len(text) > longest:
            raise WebhookRefused(f"The {name} cannot be one.")
    if not notice.event_id or not notice.event_type:
        raise WebhookRefused("The event has no id or no type.")
    return notice


@contextlib.contextmanager
def _understood(provider: str) -> Iterator[None]:
    """Within it, an error of a provider's class means that the request is not understood."""
    try:
        yield
    except (BadgesError, Error):
        raise
    except Exception as error:
        logger.warning(
            "A webhook request for %s is not understood, and was refused: %s",
            provider,
            describe(error),
            extra={"action": "webhook_not_understood"},
        )
        raise WebhookRefused("This request is not understood.") from error


def _remote_address(request: HttpRequest) -> str | None:
    """Where a request came from: no word of the sender's, such as X-Forwarded-For, is taken for it."""
    try:
        found = ipaddress.ip_address(str(request.META.get("REMOTE_ADDR", "")).partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)


def _refused(address: _Address, error: WebhookRefused | DataError, refused: Limit, who: str) -> HttpResponse:
    try:
        refused.count(who)
    except TooMany as too_many:
        return _answer(429, str(too_many), {"Retry-After": str(too_many.wait)})
    is_told = isinstance(error, WebhookRefused)
    reason = str(error) if is_told else "It cannot be stored."
    status = error.status if isinstance(error, WebhookRefused) and 400 <= error.status < 500 else 400
    logger.warning(
        "A webhook request for %s%s was refused (%d): %s",
        address.provider,
        "" if address.account_id is None else f", account {address.account_id}",
        status,
        reason,
        extra={"action": "webhook_refused", "status": status},
    )
    return _answer(status, reason)


def _ours(what: str, error: Exception) -> HttpResponse:
    """The fault is ours, so the provider is asked to come again."""
    if telling.is_due(what):
        logger.error(
            "Webhook requests cannot be taken: %s. %s Providers are asked to come again.",
            what,
            as_sentence(describe(error)),
            extra={"action": "webhook_not_taken"},
        )
    return _answer(503, "Come again later.", {"Retry-After": str(COME_AGAIN)})


def _answer(status: int, text: str, headers: dict[str, str] | None = None) -> HttpResponse:
    response = HttpResponse(f"{text}\n", status=status, content_type="text/plain", headers=headers)
    # Django would log the address, and with it the secret.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response
