"""The contract between this app and a provider that calls back. Pure but for :meth:`Webhooks.event`."""

from __future__ import annotations

import abc
import hmac
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from badges.changes import ProviderEvent
from badges.data import Notice, WebhookRequest
from badges.providers.base import Provider

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise as StrOrPromise


class Webhooks(abc.ABC):
    """How one provider calls back. A provider names its class in ``Provider.webhooks``."""

    secret_in_address: ClassVar[bool] = True
    """Whether the address carries the secret; otherwise requests are signed with it."""
    is_confirmed_by_provider: ClassVar[bool] = True
    """Whether :meth:`event` asks the provider, so that a request without the secret can be let in on trial."""

    setup_steps: ClassVar[tuple[StrOrPromise, ...]] = ()
    """What an operator does at the provider, in sentences."""

    # A subclass implements these.
    @abc.abstractmethod
    def read(self, request: WebhookRequest) -> Notice:
        """What a request says.

        Raises:
            WebhookRefused: it is not what the provider sends.
        """

    @abc.abstractmethod
    def event(self, provider: Provider | None, notice: Notice, body: bytes) -> ProviderEvent:
        """The event itself, asked for at the provider where that is possible.

        Arguments:
            provider: connected to the account that the event belongs to; None where it is not needed
                (``is_confirmed_by_provider``), because the account may have no key then.
            notice: what :meth:`read` gave.
            body: the body of the request.

        Raises:
            NoSuchEvent: the provider knows no such event, so the request was made up, or came too early.
            ProviderError: the provider could not be asked, or its answer is not understood.
        """

    # A subclass may override this.
    def is_genuine(self, request: WebhookRequest, secrets: Sequence[str]) -> bool:
        """Whether the request comes with one of the secrets, compared in constant time."""
        given = request.secret.encode()
        # All of them are compared, so that the time tells nothing.
        matches = [hmac.compare_digest(given, secret.encode()) for secret in secrets if secret]
        return any(matches)
