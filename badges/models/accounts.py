"""Accounts at providers: who issues, and with which key."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from typing import ClassVar, Self

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from badges.conf import get_config
from badges.data import Account
from badges.models.base import ProviderManager, SetsProvider, TimeStamped
from badges.models.fields import EncryptedTextField


def new_webhook_token() -> str:
    """A token that cannot be guessed, for the address at which a provider calls back."""
    return secrets.token_urlsafe(32)


class ProviderAccount(TimeStamped):
    """An account at a provider.

    .. no_pii:
    """

    provider = models.SlugField(_("provider"), max_length=50)
    name = models.CharField(_("name"), max_length=255)
    # NULL where the provider has no such thing: NULLs do not collide in the unique constraint, blanks would.
    external_id = models.CharField(_("identifier at the provider"), max_length=255, null=True, blank=True)
    # With a client id, the key is the client's secret: both together get the token that is sent.
    client_id = models.CharField(_("OAuth client id"), max_length=255, blank=True, default="")
    api_key = EncryptedTextField(_("API key"), blank=True, default="")
    webhook_token = models.CharField(_("webhook token"), max_length=64, default=new_webhook_token, editable=False)

    class Meta:
        db_table = "badging_provideraccount"
        verbose_name = _("provider account")
        verbose_name_plural = _("provider accounts")
        ordering = ("provider", "name")
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "external_id"],
                name="badging_account_external_id",
                violation_error_message=_("There is an account with this identifier already."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def has_preconfigured_key(self) -> bool:
        """Whether the key comes from ``BADGES_CONFIG[...]["ORGANIZATIONS"]``; it wins over the stored one."""
        keys = get_config().sections.get(self.provider, {}).get("ORGANIZATIONS", {})
        if not isinstance(keys, Mapping):
            return False
        return bool(self.external_id) and any(
            key and str(name).lower() == str(self.external_id).lower() for name, key in keys.items()
        )

    def as_data(self) -> Account:
        """The account as providers take it. Decrypts the key.

        Raises:
            AccountUnusable: the stored key cannot be decrypted.
        """
        return Account(
            provider=self.provider,
            name=self.name,
            external_id=self.external_id or "",
            client_id=self.client_id,
            # Not even read where another one is used: it may be one that cannot be decrypted any more.
            api_key="" if self.has_preconfigured_key else str(self.api_key),
        )

    def clean(self) -> None:
        super().clean()
        self.external_id = (self.external_id or "").strip() or None


class CredlyOrganization(SetsProvider, ProviderAccount):
    """An organization at Credly; its ``external_id`` is the organization's UUID.

    .. no_pii:
    """

    provider_slug = "credly"
    objects: ClassVar[ProviderManager[Self]] = ProviderManager()

    class Meta:
        proxy = True
        verbose_name = _("Credly organization")
        verbose_name_plural = _("Credly organizations")

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        super().clean_fields(exclude)
        if not self.external_id and "external_id" not in (exclude or ()):
            raise ValidationError({"external_id": _("Enter the UUID that Credly gave the organization.")})

    def clean(self) -> None:
        self.provider = self.provider_slug
        super().clean()


class AccredibleAPIConfig(SetsProvider, ProviderAccount):
    """An API key at Accredible, of an account or of one of its departments.

    .. no_pii:
    """

    provider_slug = "accredible"
    objects: ClassVar[ProviderManager[Self]] = ProviderManager()

    class Meta:
        proxy = True
        verbose_name = _("Accredible API config")
        verbose_name_plural = _("Accredible API configs")

    def clean(self) -> None:
        self.provider = self.provider_slug
        super().clean()
