"""Events that could not be processed, kept so that staff can see and replay them."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from badges.models.base import TimeStamped


class DeadEvent(TimeStamped):
    """An event that failed, with all that is needed to process it again.

    .. pii: The whole payload of an event: a learner's username, e-mail and name among it. Emptied with the learner's
        retirement; deleted ``BADGES_CONFIG["retention"]["dead_events"]`` days after it was replayed or discarded.
    .. pii_types: id, name, username, email_address, other
    .. pii_retirement: local_api
    """

    class Status(models.TextChoices):
        """What became of it."""

        WAITING = "waiting", _("waiting")
        REPLAYED = "replayed", _("replayed")
        DISCARDED = "discarded", _("discarded")

    class Kind(models.TextChoices):
        """Why it is here."""

        FAILED = "failed", _("processing failed")
        UNREADABLE = "unreadable", _("could not be decoded")
        UNKNOWN_TYPE = "unknown_type", _("unknown event type")
        LOST = "lost", _("lost: the bus has it no more")

    kind = models.CharField(_("kind"), max_length=16, choices=Kind.choices, default=Kind.FAILED)
    # None where the message could not be decoded so far.
    event_id = models.UUIDField(_("event id"), unique=True, null=True, blank=True)
    event_type = models.CharField(_("event type"), max_length=255, blank=True, default="")
    event_time = models.DateTimeField(_("event time"), null=True, blank=True)
    payload = models.JSONField(_("payload"), blank=True, default=dict)
    metadata = models.JSONField(_("metadata"), blank=True, default=dict)
    topic = models.CharField(
        _("topic"), max_length=255, blank=True, default="", help_text=_("Where it came from; empty if not from a bus.")
    )
    message_id = models.CharField(_("message id"), max_length=64, null=True, blank=True)
    body = models.JSONField(
        _("message"), null=True, blank=True, help_text=_("The fields of a message that could not be decoded, base64.")
    )
    error = models.TextField(_("error"))
    attempts = models.PositiveIntegerField(_("attempts"), default=1)
    status = models.CharField(_("status"), max_length=16, choices=Status.choices, default=Status.WAITING)
    note = models.TextField(_("note"), blank=True, default="", help_text=_("Why it was discarded."))

    class Meta:
        db_table = "badging_deadevent"
        verbose_name = _("dead event")
        verbose_name_plural = _("dead events")
        ordering = ("-id",)
        constraints = [models.UniqueConstraint(fields=["topic", "message_id"], name="badging_deadevent_message")]
        indexes = [models.Index(fields=["status", "event_type"], name="badging_deadevent_status")]

    def __str__(self) -> str:
        return f"{self.event_type or self.get_kind_display()} {self.event_id or self.message_id or self.pk}"
