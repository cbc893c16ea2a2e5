"""The contract between this app and a badge provider.

A provider is a package of three files: ``client.py`` (HTTP and nothing else), ``provider.py`` (this contract) and,
where it has them, ``webhooks.py``. It takes and returns the frozen objects of :mod:`badges.data`, and raises the
:class:`badges.exceptions.ProviderError` family; it imports no model.
"""

from __future__ import annotations

import abc
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import frozen

from badges.conf import HTTPSettings, ProviderSettings
from badges.data import Account, AccountInfo, Award, IssuedBadge, ListedBadge, TemplatePage
from badges.exceptions import ProviderRejected

if TYPE_CHECKING:
    from badges.providers.webhooks import Webhooks


@frozen
class Features:
    """What a provider can do. Shown in the documentation's matrix and obeyed by the rest of the app."""

    lists_templates: bool = True
    """Templates are made at the provider and synchronized from there."""
    account_has_external_id: bool = False
    """An account is addressed by an identifier besides its key (Credly: the organization's UUID)."""
    learner_accepts: bool = False
    """A learner accepts or rejects a badge at the provider."""
    revocation_is_expiry: bool = False
    """The provider cannot revoke: a badge is taken away by letting it expire."""
    revocation_is_deletion: bool = False
    """The provider keeps nothing of a badge that is taken away: one that it had and does not hold any more is that."""
    deletes: bool = False
    """A badge can be deleted, with the page that names its learner."""
    lists_issued: bool = False
    """All issued badges can be listed, which a reconciliation needs."""
    takes_client_credentials: bool = False
    """A key may be the secret of an OAuth client, whose id stands on the account."""


class Provider(abc.ABC):
    """One account at one provider."""

    # A subclass sets these.
    slug: ClassVar[str]
    label: ClassVar[str]
    features: ClassVar[Features] = Features()
    settings_defaults: ClassVar[Mapping[str, Any]] = {}
    """The defaults of its section of ``BADGES_CONFIG``: ``<SLUG>_BASE_URL``, ``<SLUG>_API_BASE_URL``, the same with
    ``SANDBOX_``, and ``USE_SANDBOX``."""
    states: ClassVar[tuple[str, ...]] = ()
    """The states of a badge, in its own words, in the order of a badge's life: of two at one time, the later counts."""
    webhooks: ClassVar[type[Webhooks] | None] = None
    """How it calls back; None where it does not."""

    # A subclass should not need to override this.
    def __init__(self, account: Account, settings: ProviderSettings, http: HTTPSettings) -> None:
        self.account = account
        self.settings = settings
        self.http = http

    # A subclass implements these. All of them raise ``ProviderError``.
    @abc.abstractmethod
    def check_account(self) -> AccountInfo:
        """Ask the provider, with one cheap call, whether the account and its key work."""

    @abc.abstractmethod
    def templates(self, first_page: int = 1) -> Iterator[TemplatePage]:
        """The pages of the account's templates from ``first_page`` on (they count from 1), one after the other.

        Only one page is held in memory. A page beyond the last one is empty and no error.
        """

    @abc.abstractmethod
    def issue(self, award: Award) -> IssuedBadge:
        """Issue a badge.

        Raises:
            DuplicateBadge: the provider holds it already; :meth:`find_issued` gives it.
        """

    @abc.abstractmethod
    def revoke(self, external_id: str, *, award: Award, reason: str) -> IssuedBadge:
        """Take a badge away. Taking away what is taken away already succeeds."""

    @abc.abstractmethod
    def find_issued(self, award: Award) -> IssuedBadge | None:
        """The badge that the provider holds for this award, in whatever state, or None."""

    # A subclass may implement these.
    def has_template(self, external_id: str) -> bool:
        """Whether the account still has a template that the list did not show; asked before it counts as gone.

        The default trusts the list.
        """
        return False

    def delete(self, external_id: str, *, award: Award) -> IssuedBadge:
        """Delete a badge, so that nothing is left of it there. Deleting what is deleted already succeeds.

        Arguments:
            external_id: the provider's identifier.
            award: the badge; its learner's record may be anonymized by now, without name and e-mail address.

        Raises:
            ProviderRejected: this provider cannot (``features.deletes``), or the account may not.
        """
        raise ProviderRejected(f"{self.label} cannot delete badges. Badge {award.uuid} can only be revoked there.")

    def image_url(self, image_key: str) -> str:
        """The address of the image that a template names by its ``image_key``; empty where there is none."""
        return ""

    def issued_badges(self, since: datetime | None = None) -> Iterator[tuple[ListedBadge, ...]]:
        """All badges that the account holds, page after page, in whatever state; only one page is held in memory.

        Arguments:
            since: only those that changed since then (aware), where the provider can tell; None for all.

        Raises:
            ProviderRejected: this provider does not list them (``features.lists_issued``).
        """
        raise ProviderRejected(f"{self.label} does not list the badges that it holds.")
