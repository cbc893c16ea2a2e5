"""Who sends a webhook request: which account it belongs to, and whether it proves that it does."""

from __future__ import annotations

import functools
import secrets

from attrs import frozen
from django.utils import timezone

from badges.data import Notice, WebhookRequest
from badges.exceptions import WebhookRefused
from badges.models import ProviderAccount
from badges.models.fields import decrypt, encrypt
from badges.providers.webhooks import Webhooks

LARGEST_ID = 2**63 - 1


@frozen
class Sender:
    """Whose event a request is about."""

    account: ProviderAccount
    is_proven: bool
    """Whether the request came with the account's secret, or signed with it."""

    def must_be_named(self, notice: Notice) -> None:
        """Refuse what says that it belongs to another account.

        Raises:
            WebhookRefused: it does.
        """
        named, own = notice.account_external_id, self.account.external_id or ""
        if named and named.casefold() != own.casefold():
            raise unknown()


def unknown() -> WebhookRefused:
    """The one answer to a wrong secret, an account that is not here, and an organization that is not ours."""
    return WebhookRefused("The account or its secret is unknown.", status=403)


def sender_at(provider: str, account_id: int, webhooks: Webhooks, request: WebhookRequest) -> Sender:
    """The account that an address names, if the request proves to come from its provider.

    An account that is not there is answered the same as a wrong secret, and takes as long.

    Raises:
        WebhookRefused: the account is unknown, or the secret wrong.
        AccountUnusable: its secret cannot be decrypted.
    """
    account = ProviderAccount.objects.filter(pk=min(account_id, LARGEST_ID), provider=provider).first()
    valid = account.webhook_secrets(timezone.now()) if account is not None else [decrypt(encrypt(_nobodys()))]
    is_genuine = webhooks.is_genuine(request, valid)
    if account is None or not valid or not is_genuine:
        raise unknown()
    return Sender(account, is_proven=True)


def sender_on_trial(provider: str, webhooks: Webhooks, notice: Notice, *, is_allowed: bool) -> Sender:
    """The account that a request names, which proves nothing: the provider will be asked.

    Arguments:
        provider: its slug.
        webhooks: how it calls back.
        notice: what the request says.
        is_allowed: whether that is wanted here.

    Raises:
        WebhookRefused: it is not, the provider cannot be asked, or the account is unknown.
    """
    if not is_allowed or not webhooks.is_confirmed_by_provider or not notice.account_external_id:
        raise unknown()
    found = list(ProviderAccount.objects.filter(provider=provider, external_id__iexact=notice.account_external_id)[:2])
    # Two that differ by case alone may both be meant.
    if len(found) != 1:
        raise unknown()
    return Sender(found[0], is_proven=False)


@functools.lru_cache(maxsize=1)
def _nobodys() -> str:
    return secrets.token_urlsafe(32)
