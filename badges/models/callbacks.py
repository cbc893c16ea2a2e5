"""System callbacks: other systems that are told of awards, revocations and reviews, and what they are told."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from badges.models.accounts import new_webhook_secret
from badges.models.applications import Review
from badges.models.awards import Badge
from badges.models.base import TimeStamped, delete_with
from badges.models.fields import EncryptedTextField


class CallbackEndpoint(TimeStamped):
    """A system that wants to be told.

    .. no_pii:
    """

    name = models.CharField(_("name"), max_length=255)
    url = models.URLField(_("address"), max_length=1000, help_text=_("HTTPS only, and no address of this network."))
    secret = EncryptedTextField(_("secret"), default=new_webhook_secret)
    sends_awards = models.BooleanField(_("awards"), default=True)
    sends_revocations = models.BooleanField(_("revocations"), default=True)
    sends_reviews = models.BooleanField(_("reviews"), default=True)
    is_active = models.BooleanField(_("active"), default=True)
    # An endpoint that fails again and again rests, so that it does not hold up the others.
    failures = models.PositiveIntegerField(_("failures in a row"), default=0, editable=False)
    paused_until = models.DateTimeField(_("rests until"), null=True, blank=True, editable=False)
    last_error = models.TextField(_("last error"), blank=True, default="", editable=False)
    last_success_at = models.DateTimeField(_("last success at"), null=True, blank=True, editable=False)

    class Meta:
        db_table = "badging_callbackendpoint"
        verbose_name = _("callback endpoint")
        verbose_name_plural = _("callback endpoints")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Callback(models.Model):
    """One message to one endpoint, made in the transaction of what it tells. Its delivery says how far it is.

    .. no_pii: Only references; the message is put together when it is sent.
    """

    class Action(models.TextChoices):
        """What it tells, in BadgeKit's words (System Callbacks)."""

        AWARD = "award", _("award")
        REVOKE = "revoke", _("revoke")
        REVIEW = "review", _("review")

    endpoint = models.ForeignKey(
        CallbackEndpoint, verbose_name=_("callback endpoint"), on_delete=models.CASCADE, related_name="callbacks"
    )
    action = models.CharField(_("action"), max_length=16, choices=Action.choices)
    badge = models.ForeignKey(
        Badge, verbose_name=_("badge"), on_delete=delete_with, null=True, blank=True, related_name="callbacks"
    )
    review = models.ForeignKey(
        Review, verbose_name=_("review"), on_delete=delete_with, null=True, blank=True, related_name="callbacks"
    )
    message_id = models.UUIDField(_("message id"), default=uuid.uuid4, unique=True, editable=False)
    created = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        db_table = "badging_callback"
        verbose_name = _("callback")
        verbose_name_plural = _("callbacks")
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "badge", "action"], name="badging_callback_badge_once"),
            models.UniqueConstraint(fields=["endpoint", "review"], name="badging_callback_review_once"),
            models.CheckConstraint(
                condition=Q(badge__isnull=False, review__isnull=True) | Q(badge__isnull=True, review__isnull=False),
                name="badging_callback_about_one",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_action_display()}: {self.endpoint}"
