"""Badges that a provider told us of and that are not ours: recorded, and adopted once template and learner are."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from badges.models.accounts import ProviderAccount
from badges.models.awards import Badge
from badges.models.base import TimeStamped


class ProviderBadge(TimeStamped):
    """A badge at a provider that this app did not award.

    .. pii: The e-mail address to which the provider issued it. Emptied when the badge is adopted; deleted with
        the learner's retirement, or after ``BADGES_CONFIG["retention"]["provider_badges"]`` days without news.
    .. pii_types: email_address
    .. pii_retirement: local_api
    """

    class Relation(models.TextChoices):
        """Who issued it for whom."""

        OWN = "own", _("issued by this account")
        FOR_US = "for_us", _("issued by another organization on behalf of this account")
        FOR_OTHER = "for_other", _("issued by this account on behalf of another organization")

    account = models.ForeignKey(
        ProviderAccount, verbose_name=_("account"), on_delete=models.CASCADE, related_name="provider_badges"
    )
    external_id = models.CharField(_("identifier at the provider"), max_length=255)
    template_external_id = models.CharField(
        _("template's identifier at the provider"), max_length=255, blank=True, default=""
    )
    email = models.EmailField(_("issued to"), blank=True, default="")
    state = models.CharField(_("state at the provider"), max_length=50, blank=True, default="")
    state_at = models.DateTimeField(_("state since"), null=True, blank=True)
    is_valid = models.BooleanField(_("valid at the provider"), default=True)
    is_revoked = models.BooleanField(_("taken away at the provider"), default=False)
    is_public = models.BooleanField(
        _("public at the provider"), null=True, blank=True, help_text=_("Empty where the provider did not say.")
    )
    is_public_at = models.DateTimeField(_("visibility since"), null=True, blank=True, editable=False)
    # What takes the place of a badge of ours may be told before ours is known to be that badge.
    replaces = models.CharField(
        _("takes the place of"),
        max_length=255,
        blank=True,
        default="",
        db_index=True,
        help_text=_("Its identifier at the provider."),
    )
    url = models.URLField(_("page at the provider"), max_length=1000, blank=True, default="")
    issued_at = models.DateTimeField(_("issued at"), null=True, blank=True)
    relation = models.CharField(_("issued by"), max_length=16, choices=Relation.choices, default=Relation.OWN)
    other_organization = models.CharField(_("other organization"), max_length=255, blank=True, default="")
    badge = models.ForeignKey(
        Badge,
        verbose_name=_("adopted as"),
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="provider_badges",
    )
    note = models.TextField(_("why it is not ours"), blank=True, default="")

    class Meta:
        db_table = "badging_providerbadge"
        verbose_name = _("badge only at the provider")
        verbose_name_plural = _("badges only at the provider")
        ordering = ("-id",)
        constraints = [models.UniqueConstraint(fields=["account", "external_id"], name="badging_providerbadge_once")]

    def __str__(self) -> str:
        return self.external_id
