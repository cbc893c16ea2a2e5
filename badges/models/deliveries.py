"""The outbox: what is still to be told to the platform or to a provider, and every attempt at it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from badges.models.awards import Badge
from badges.models.base import TimeStamped


class Delivery(TimeStamped):
    """One thing to be done for one badge, written in the transaction that causes it.

    The deliveries of one badge are carried out in the order of their ids.

    .. no_pii: Only a reference to the badge; errors are redacted before they are stored.
    """

    class Action(models.TextChoices):
        """What is to be done."""

        ANNOUNCE_AWARDED = "announce_awarded", _("announce the award")
        ISSUE = "issue", _("issue at the provider")
        ANNOUNCE_REVOKED = "announce_revoked", _("announce the revocation")
        REVOKE = "revoke", _("revoke at the provider")

    class Status(models.TextChoices):
        """How far it is. Each delivery ends as done, dead or cancelled."""

        PENDING = "pending", _("pending")
        IN_PROGRESS = "in_progress", _("in progress")
        DONE = "done", _("done")
        DEAD = "dead", _("dead")
        CANCELLED = "cancelled", _("cancelled")

    OPEN = (Status.PENDING, Status.IN_PROGRESS)

    badge = models.ForeignKey(Badge, verbose_name=_("badge"), on_delete=models.CASCADE, related_name="deliveries")
    action = models.CharField(_("action"), max_length=32, choices=Action.choices)
    status = models.CharField(_("status"), max_length=16, choices=Status.choices, default=Status.PENDING)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(_("next attempt at"), default=timezone.now)
    leased_until = models.DateTimeField(_("leased until"), null=True, blank=True)
    lease_token = models.UUIDField(_("lease token"), null=True, blank=True)
    last_error = models.TextField(_("last error"), blank=True, default="")
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    class Meta:
        db_table = "badging_delivery"
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(fields=["badge", "action"], name="badging_delivery_once"),
            models.CheckConstraint(
                condition=~Q(status="in_progress") | Q(leased_until__isnull=False, lease_token__isnull=False),
                name="badging_delivery_leased",
            ),
        ]
        indexes = [
            models.Index(fields=["status", "next_attempt_at"], name="badging_delivery_due"),
            models.Index(fields=["badge", "status"], name="badging_delivery_badge"),
        ]

    def __str__(self) -> str:
        return f"{self.get_action_display()}: {self.get_status_display()}"


class DeliveryAttempt(models.Model):
    """One attempt at a delivery: when, how long, what came of it.

    .. no_pii: Errors are redacted before they are stored.
    """

    class Outcome(models.TextChoices):
        """What was decided after the attempt."""

        DONE = "done", _("done")
        RETRY = "retry", _("to be retried")
        DEAD = "dead", _("given up")
        CANCELLED = "cancelled", _("not wanted any more")

    delivery = models.ForeignKey(Delivery, verbose_name=_("delivery"), on_delete=models.CASCADE, related_name="history")
    number = models.PositiveIntegerField(_("number"))
    started_at = models.DateTimeField(_("started at"))
    duration_ms = models.PositiveIntegerField(_("duration (ms)"))
    outcome = models.CharField(_("outcome"), max_length=16, choices=Outcome.choices)
    status_code = models.PositiveSmallIntegerField(_("HTTP status"), null=True, blank=True)
    detail = models.TextField(_("detail"), blank=True, default="")

    class Meta:
        db_table = "badging_deliveryattempt"
        verbose_name = _("delivery attempt")
        verbose_name_plural = _("delivery attempts")
        ordering = ("delivery", "number")
        constraints = [models.UniqueConstraint(fields=["delivery", "number"], name="badging_attempt_once")]

    def __str__(self) -> str:
        return f"{self.number}: {self.get_outcome_display()}"
