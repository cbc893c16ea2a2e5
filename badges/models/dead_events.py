"""Events that could not be processed, kept so that staff can see and replay them."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from badges.models.base import TimeStamped


class DeadEvent(TimeStamped):
    """An event that failed, with all that is needed to process it again.

    .. pii: The whole payload of an event: a learner's username, e-mail and name among it.
    .. pii_types: id, name, username, email_address, other
    .. pii_retirement: local_api
    """

    class Status(models.TextChoices):
        """What became of it."""

        WAITING = "waiting", _("waiting")
        REPLAYED = "replayed", _("replayed")
        DISCARDED = "discarded", _("discarded")

    event_id = models.UUIDField(_("event id"), unique=True)
    event_type = models.CharField(_("event type"), max_length=255)
    event_time = models.DateTimeField(_("event time"))
    payload = models.JSONField(_("payload"))
    metadata = models.JSONField(_("metadata"))
    error = models.TextField(_("error"))
    status = models.CharField(_("status"), max_length=16, choices=Status.choices, default=Status.WAITING)

    class Meta:
        db_table = "badging_deadevent"
        verbose_name = _("dead event")
        verbose_name_plural = _("dead events")
        ordering = ("-id",)
        indexes = [models.Index(fields=["status", "event_type"], name="badging_deadevent_status")]

    def __str__(self) -> str:
        return f"{self.event_type} {self.event_id}"
