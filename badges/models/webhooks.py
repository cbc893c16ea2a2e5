"""The inbox: what providers sent us, stored before it is believed."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from badges.models.accounts import ProviderAccount
from badges.models.base import TimeStamped


class WebhookEvent(TimeStamped):
    """One event that a provider told us of, however often it did.

    .. pii: The body of a request and the address it came from; what some providers send names the learner. Emptied with
        the learner's retirement; deleted ``BADGES_CONFIG["retention"]["webhooks"]`` days after it was processed,
        ignored or discarded, and told of last.
    .. pii_types: ip, email_address, other
    .. pii_retirement: local_api
    """

    class Status(models.TextChoices):
        """How far it is."""

        RECEIVED = "received", _("received")
        PROCESSING = "processing", _("being processed")
        PROCESSED = "processed", _("processed")
        IGNORED = "ignored", _("ignored")
        FAILED = "failed", _("failed, will be retried")
        DEAD = "dead", _("dead")
        DISCARDED = "discarded", _("discarded")

    OPEN: ClassVar = (Status.RECEIVED, Status.PROCESSING, Status.FAILED)

    account = models.ForeignKey(
        ProviderAccount, verbose_name=_("account"), on_delete=models.CASCADE, related_name="webhook_events"
    )
    event_id = models.CharField(_("event id"), max_length=255)
    event_type = models.CharField(
        _("event type"), max_length=100, help_text=_("As the request says it, until the provider has confirmed it.")
    )
    occurred_at = models.DateTimeField(_("occurred at"), null=True, blank=True)
    is_proven = models.BooleanField(
        _("proven"), default=False, help_text=_("Whether the request came with the secret, or signed with it.")
    )
    body = models.TextField(_("body"))
    headers = models.JSONField(_("headers"), blank=True, default=dict)
    remote_address = models.GenericIPAddressField(_("address"), null=True, blank=True)
    received_at = models.DateTimeField(_("received at"), default=timezone.now)
    last_received_at = models.DateTimeField(_("last received at"), default=timezone.now)
    times_received = models.PositiveIntegerField(_("times received"), default=1)
    status = models.CharField(_("status"), max_length=16, choices=Status.choices, default=Status.RECEIVED)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(_("next attempt at"), default=timezone.now)
    # Set by the first failure of a row of failures, as for deliveries.
    give_up_at = models.DateTimeField(_("gives up at"), null=True, blank=True)
    lease_token = models.UUIDField(_("lease token"), null=True, blank=True)
    leased_until = models.DateTimeField(_("leased until"), null=True, blank=True)
    last_error = models.TextField(_("last error"), blank=True, default="")
    note = models.TextField(
        _("note"), blank=True, default="", help_text=_("What it changed, why it was ignored, or why it was discarded.")
    )
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    class Meta:
        db_table = "badging_webhookevent"
        verbose_name = _("webhook event")
        verbose_name_plural = _("webhook events")
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(fields=["account", "event_id"], name="badging_webhookevent_once"),
            models.CheckConstraint(
                condition=~Q(status="processing") | Q(leased_until__isnull=False, lease_token__isnull=False),
                name="badging_webhookevent_leased",
            ),
        ]
        indexes = [
            models.Index(fields=["status", "next_attempt_at"], name="badging_webhookevent_due"),
            models.Index(fields=["received_at"], name="badging_webhookevent_age"),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} {self.event_id}"
