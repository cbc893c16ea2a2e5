"""Awarded badges: our record, and what the provider says of it."""

from __future__ import annotations

import uuid
from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from badges.models.base import OfProvider, ProviderManager, TimeStamped
from badges.models.templates import BadgeTemplate


class Badge(TimeStamped):
    """A badge of a learner. Never deleted when it is taken away: its status changes, once and for good.

    .. pii: Links a learner to a badge, at us and at the provider, whose page names the learner. Deleted with the user;
        stays where the user's record is anonymized, for then it links to nobody.
    .. pii_types: id
    .. pii_retirement: local_api
    """

    class Status(models.TextChoices):
        """Our own word on the badge."""

        AWARDED = "awarded", _("awarded")
        REVOKED = "revoked", _("revoked")

    uuid = models.UUIDField(_("UUID"), default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("learner"), on_delete=models.CASCADE, related_name="badges"
    )
    template = models.ForeignKey(
        BadgeTemplate, verbose_name=_("badge template"), on_delete=models.PROTECT, related_name="badges"
    )
    status = models.CharField(_("status"), max_length=20, choices=Status.choices, default=Status.AWARDED)
    state = models.CharField(
        _("state at the provider"), max_length=50, blank=True, default="", help_text=_("The provider's own word.")
    )
    # What was learned from an older answer or webhook never overwrites what is newer.
    state_at = models.DateTimeField(_("state since"), null=True, blank=True)
    is_public = models.BooleanField(
        _("public at the provider"), null=True, blank=True, help_text=_("Empty where the provider did not say.")
    )
    is_public_at = models.DateTimeField(_("visibility since"), null=True, blank=True, editable=False)
    external_id = models.CharField(
        _("identifier at the provider"), max_length=255, blank=True, default="", db_index=True
    )
    url = models.URLField(_("page at the provider"), max_length=1000, blank=True, default="")
    awarded_at = models.DateTimeField(_("awarded at"))
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)

    class Meta:
        db_table = "badging_badge"
        verbose_name = _("badge")
        verbose_name_plural = _("badges")
        ordering = ("-id",)
        constraints = [models.UniqueConstraint(fields=["user", "template"], name="badging_badge_once")]
        # The lists of all badges, page by page.
        indexes = [
            models.Index(fields=["awarded_at", "id"], name="badging_badge_awarded"),
            models.Index(fields=["modified", "id"], name="badging_badge_modified"),
        ]

    def __str__(self) -> str:
        return f"{self.template} - {self.user}"

    @property
    def is_awarded(self) -> bool:
        """Whether the learner holds it."""
        return self.status == self.Status.AWARDED


class CredlyBadge(OfProvider, Badge):
    """A badge that is issued at Credly.

    .. pii: See Badge.
    .. pii_types: id
    .. pii_retirement: local_api
    """

    provider_slug = "credly"
    provider_lookup = "template__provider"
    objects: ClassVar[ProviderManager[Self]] = ProviderManager()

    class Meta:
        proxy = True
        verbose_name = _("Credly badge")
        verbose_name_plural = _("Credly badges")


class AccredibleBadge(OfProvider, Badge):
    """A badge that is issued at Accredible.

    .. pii: See Badge.
    .. pii_types: id
    .. pii_retirement: local_api
    """

    provider_slug = "accredible"
    provider_lookup = "template__provider"
    objects: ClassVar[ProviderManager[Self]] = ProviderManager()

    class Meta:
        proxy = True
        verbose_name = _("Accredible badge")
        verbose_name_plural = _("Accredible badges")


class BadgeKitBadge(OfProvider, Badge):
    """A badge of a BadgeKit system.

    .. pii: See Badge.
    .. pii_types: id
    .. pii_retirement: local_api
    """

    provider_slug = "badgekit"
    provider_lookup = "template__provider"
    objects: ClassVar[ProviderManager[Self]] = ProviderManager()

    class Meta:
        proxy = True
        verbose_name = _("BadgeKit badge")
        verbose_name_plural = _("BadgeKit badges")


class BadgeNotification(models.Model):
    """A message that the provider sent to the learner about a badge that is not claimed.

    .. pii: Says of a learner, through the badge, whether there is an account at the provider. Deleted with the badge,
        or with the learner's retirement.
    .. pii_types: other
    .. pii_retirement: local_api
    """

    class Kind(models.TextChoices):
        """To whom, which is why the badge is not claimed."""

        SENT = "sent", _("The learner was notified, and has not accepted it yet.")
        NO_USER = "no_user", _("The learner has no account at the provider under this e-mail address.")
        UNCONFIRMED_EMAIL = "unconfirmed_email", _("The learner has not confirmed the e-mail address at the provider.")

    badge = models.ForeignKey(Badge, verbose_name=_("badge"), on_delete=models.CASCADE, related_name="notifications")
    kind = models.CharField(_("kind"), max_length=32, choices=Kind.choices)
    sent_at = models.DateTimeField(_("sent at"))

    class Meta:
        db_table = "badging_badgenotification"
        verbose_name = _("notification")
        verbose_name_plural = _("notifications")
        ordering = ("badge", "sent_at", "id")
        constraints = [models.UniqueConstraint(fields=["badge", "kind", "sent_at"], name="badging_notification_once")]

    def __str__(self) -> str:
        return self.get_kind_display()
