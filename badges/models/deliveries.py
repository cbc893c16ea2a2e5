"""The outbox: what is still to be told to the platform or to a provider, and every attempt at it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from badges.exceptions import ForbiddenMove
from badges.models.awards import Badge
from badges.models.base import TimeStamped, delete_with
from badges.models.callbacks import Callback


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    """Deliveries, whose status changes by :meth:`move` and in no other way."""

    def move(self, to: str, **values: Any) -> int:
        """Bring those of these deliveries into a status that may be brought there.

        Arguments:
            to: the new status; ``MOVES`` says from where it may be reached.
            values: what else is written to them.

        Returns:
            How many were.
        """
        sources = [status for status, targets in MOVES.items() if to in targets]
        now = timezone.now()
        if to == Delivery.Status.IN_PROGRESS:
            values = {"finished_at": None, **values}
        else:
            finished_at = None if to in Delivery.OPEN else now
            values = {"lease_token": None, "leased_until": None, "finished_at": finished_at, **values}
        return super(DeliveryQuerySet, self.filter(status__in=sources)).update(status=to, modified=now, **values)

    def bulk_create(self, objs: Iterable[Delivery], *args: Any, **kwargs: Any) -> list[Delivery]:
        created = super().bulk_create(objs, *args, **kwargs)
        for delivery in created:
            delivery._stored_status = delivery.status
        return created

    def update(self, **kwargs: Any) -> int:
        if "status" in kwargs:
            raise ForbiddenMove("The status of deliveries is changed by move(), which knows the allowed moves.")
        return super().update(**kwargs)

    def bulk_update(self, objs: Iterable[Delivery], fields: Iterable[str], *args: Any, **kwargs: Any) -> int:
        if "status" in (fields := list(fields)):
            raise ForbiddenMove("The status of deliveries is changed by move(), which knows the allowed moves.")
        return super().bulk_update(objs, fields, *args, **kwargs)


class Delivery(TimeStamped):
    """One thing to be done for one badge, or one callback to be sent, written in the transaction that causes it.

    The deliveries of one badge are carried out in the order of their ids, and so are the callbacks about one badge or
    application to one endpoint.

    .. no_pii: Only a reference to the badge; errors are redacted before they are stored. Should staff name the learner
        in a note, the name is removed with the learner's retirement.
    """

    class Action(models.TextChoices):
        """What is to be done."""

        ANNOUNCE_AWARDED = "announce_awarded", _("announce the award")
        ISSUE = "issue", _("issue at the provider")
        ANNOUNCE_REVOKED = "announce_revoked", _("announce the revocation")
        REVOKE = "revoke", _("revoke at the provider")
        DELETE = "delete", _("delete at the provider")
        CALLBACK = "callback", _("send a callback")

    class Status(models.TextChoices):
        """How far it is. Each delivery ends as done, dead or cancelled."""

        PENDING = "pending", _("pending")
        IN_PROGRESS = "in_progress", _("in progress")
        DONE = "done", _("done")
        DEAD = "dead", _("dead")
        CANCELLED = "cancelled", _("cancelled")

    OPEN = (Status.PENDING, Status.IN_PROGRESS)
    _stored_status: str | None = None

    badge = models.ForeignKey(
        Badge, verbose_name=_("badge"), on_delete=delete_with, null=True, blank=True, related_name="deliveries"
    )
    # Instead of the badge, because one award causes a callback to each endpoint.
    callback = models.OneToOneField(
        Callback, verbose_name=_("callback"), on_delete=delete_with, null=True, blank=True, related_name="delivery"
    )
    action = models.CharField(_("action"), max_length=32, choices=Action.choices)
    status = models.CharField(_("status"), max_length=16, choices=Status.choices, default=Status.PENDING)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    failures = models.PositiveIntegerField(
        _("failures"), default=0, help_text=_("Failed attempts in a row; the pauses between attempts grow with them.")
    )
    next_attempt_at = models.DateTimeField(_("next attempt at"), default=timezone.now)
    # Set by the first failure of a row of failures: while an account is stopped, nothing runs out.
    give_up_at = models.DateTimeField(_("gives up at"), null=True, blank=True)
    leased_until = models.DateTimeField(_("leased until"), null=True, blank=True)
    lease_token = models.UUIDField(_("lease token"), null=True, blank=True)
    last_error = models.TextField(_("last error"), blank=True, default="")
    note = models.TextField(
        _("note"), blank=True, default="", help_text=_("How it ended, or why somebody ended or repeated it by hand.")
    )
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager.from_queryset(DeliveryQuerySet)()

    class Meta:
        db_table = "badging_delivery"
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(fields=["badge", "action"], name="badging_delivery_once"),
            models.CheckConstraint(
                condition=Q(badge__isnull=False, callback__isnull=True) | Q(badge__isnull=True, callback__isnull=False),
                name="badging_delivery_about_one",
            ),
            models.CheckConstraint(
                condition=~Q(status="in_progress") | Q(leased_until__isnull=False, lease_token__isnull=False),
                name="badging_delivery_leased",
            ),
            models.CheckConstraint(
                condition=Q(status__in=("pending", "in_progress"), finished_at__isnull=True)
                | Q(status__in=("done", "dead", "cancelled"), finished_at__isnull=False),
                name="badging_delivery_finished",
            ),
        ]
        indexes = [
            models.Index(fields=["status", "next_attempt_at"], name="badging_delivery_due"),
            models.Index(fields=["badge", "status"], name="badging_delivery_badge"),
        ]

    def __str__(self) -> str:
        return f"{self.get_action_display()}: {self.get_status_display()}"

    @property
    def own_badge(self) -> Badge:
        """The badge for which it does something.

        Raises:
            ValueError: it sends a callback instead.
        """
        if self.badge is None:
            raise ValueError(f"Delivery {self.pk} sends a callback, and has no badge of its own.")
        return self.badge

    @classmethod
    def from_db(cls, db: str | None, field_names: Any, values: Any, **kwargs: Any) -> Self:
        loaded = super().from_db(db, field_names, values, **kwargs)
        loaded._stored_status = loaded.__dict__.get("status")
        return loaded

    def refresh_from_db(self, *args: Any, **kwargs: Any) -> None:
        super().refresh_from_db(*args, **kwargs)
        self._stored_status = self.__dict__.get("status")

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            fields = kwargs.get("update_fields")
            # Not loaded, and then set, is changed as well.
            is_changed = self.__dict__.get("status", self._stored_status) != self._stored_status
            if is_changed or "status" in (fields or ()):
                raise ForbiddenMove("The status of a delivery is changed by move(), which knows the allowed moves.")
            if fields is None and not args:
                # The status that was read may be an old one by now.
                loaded = (one for one in self._meta.concrete_fields if one.attname in self.__dict__)
                kwargs["update_fields"] = [one.name for one in loaded if one.name != "status" and not one.primary_key]
        super().save(*args, **kwargs)
        self._stored_status = self.__dict__.get("status")


_S = Delivery.Status
MOVES: Mapping[str, frozenset[str]] = {
    # Claimed; cancelled by a revocation or by hand; marked as done by hand; made due at once.
    _S.PENDING: frozenset({_S.IN_PROGRESS, _S.CANCELLED, _S.DONE, _S.PENDING}),
    # Taken over after its lease; settled in one of four ways.
    _S.IN_PROGRESS: frozenset({_S.IN_PROGRESS, _S.DONE, _S.PENDING, _S.DEAD, _S.CANCELLED}),
    # Retried, cancelled by a revocation or by hand, marked as done by hand.
    _S.DEAD: frozenset({_S.PENDING, _S.CANCELLED, _S.DONE}),
    # Queued again by a reconciliation that found it undone at the provider; a callback, by hand.
    _S.DONE: frozenset({_S.PENDING}),
    _S.CANCELLED: frozenset(),
}
"""Status -> where a delivery may go from there. There is no other way."""


class DeliveryAttempt(models.Model):
    """One attempt at a delivery: when, how long, what came of it.

    .. no_pii: What was asked and answered is redacted before it is stored. Deleted
        ``BADGES_CONFIG["retention"]["attempts"]`` days after the delivery was done or cancelled.
    """

    class Outcome(models.TextChoices):
        """What was decided after the attempt."""

        DONE = "done", _("done")
        RETRY = "retry", _("to be retried")
        WAIT = "wait", _("waits for the account")
        DEAD = "dead", _("given up")
        CANCELLED = "cancelled", _("not wanted any more")

    delivery = models.ForeignKey(Delivery, verbose_name=_("delivery"), on_delete=models.CASCADE, related_name="history")
    number = models.PositiveIntegerField(_("number"))
    started_at = models.DateTimeField(_("started at"))
    duration_ms = models.PositiveIntegerField(_("duration (ms)"))
    outcome = models.CharField(_("outcome"), max_length=16, choices=Outcome.choices)
    status_code = models.PositiveSmallIntegerField(_("HTTP status"), null=True, blank=True)
    detail = models.TextField(_("detail"), blank=True, default="")
    reason = models.TextField(_("why this was decided"), blank=True, default="")
    exchanges = models.JSONField(_("asked and answered"), blank=True, default=list)
    """One entry for each call to the provider, redacted; see :class:`badges.data.Exchange`."""

    class Meta:
        db_table = "badging_deliveryattempt"
        verbose_name = _("delivery attempt")
        verbose_name_plural = _("delivery attempts")
        ordering = ("delivery", "number")
        constraints = [models.UniqueConstraint(fields=["delivery", "number"], name="badging_attempt_once")]

    def __str__(self) -> str:
        return f"{self.number}: {self.get_outcome_display()}"
