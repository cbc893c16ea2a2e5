"""Accounts at providers: who issues, and with which key."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, ClassVar, Self

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from badges.conf import get_config
from badges.data import Account
from badges.models.base import ProviderManager, SetsProvider, TimeStamped
from badges.models.fields import EncryptedTextField


def new_webhook_secret() -> str:
    """A secret that cannot be guessed: it stands in the address where a provider calls back, or signs what it sends."""
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
    # Off for a system that tells us of its badges, and is not asked for any.
    is_issuing = models.BooleanField(
        _("issues badges"),
        default=True,
        help_text=_(
            "Whether the badges that are awarded here are issued at the provider. Off: it only tells us of its own."
        ),
    )
    webhook_secret = EncryptedTextField(_("webhook secret"), blank=True, default=new_webhook_secret)
    former_webhook_secret = EncryptedTextField(_("former webhook secret"), blank=True, default="")
    former_webhook_secret_until = models.DateTimeField(_("former webhook secret valid until"), null=True, blank=True)

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

    @property
    def only_tells(self) -> bool:
        """Whether it cannot be asked and need not be: without a key, it only tells us of its badges."""
        # The stored key is not decrypted for this.
        stored: Any = self._meta.get_field("api_key")
        return not (self.is_issuing or self.has_preconfigured_key or stored.pre_save(self, add=False))

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

    def webhook_secrets(self, now: datetime) -> list[str]:
        """The secrets that a webhook may come with: the present one, and a former one that is still valid.

        Raises:
            AccountUnusable: a stored secret cannot be decrypted.
        """
        found = [str(self.webhook_secret)]
        if self.former_webhook_secret_until is not None and now < self.former_webhook_secret_until:
            found.append(str(self.former_webhook_secret))
        return [secret for secret in found if secret]

    def rotate_webhook_secret(self, valid_until: datetime, secret: str = "") -> None:
        """Take a new webhook secret; the present one stays valid until then. Saves nothing.

        Arguments:
            valid_until: aware.
            secret: the new one; empty for one made up here.
        """
        self.former_webhook_secret, self.former_webhook_secret_until = str(self.webhook_secret), valid_until
        self.renew_webhook_secret(secret)

    def renew_webhook_secret(self, secret: str = "") -> None:
        """Take a new webhook secret, whatever the present one is. Saves nothing."""
        self.webhook_secret = secret or new_webhook_secret()

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


class BadgeKitSystem(SetsProvider, ProviderAccount):
    """A system at a BadgeKit API; its ``external_id`` is the system's slug.

    .. no_pii:
    """

    provider_slug = "badgekit"
    objects: ClassVar[ProviderManager[Self]] = ProviderManager()

    class Meta:
        proxy = True
        verbose_name = _("BadgeKit system")
        verbose_name_plural = _("BadgeKit systems")

    def clean(self) -> None:
        self.provider = self.provider_slug
        super().clean()
