"""The consumers that take events in, as they tell of themselves."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from badges.models.base import TimeStamped


class BusConsumer(TimeStamped):
    """One consumer of one consumer group. By these rows it is known which groups to ask the bus about.

    .. no_pii:
    """

    topic = models.CharField(_("topic"), max_length=191, help_text=_("With its prefix: the name of the stream."))
    group_id = models.CharField(_("consumer group"), max_length=191)
    name = models.CharField(_("consumer"), max_length=191)
    started_at = models.DateTimeField(_("started at"))
    seen_at = models.DateTimeField(_("seen at"))
    stopped_at = models.DateTimeField(_("stopped at"), null=True, blank=True)
    last_message_id = models.CharField(_("last message"), max_length=64, blank=True, default="")
    events = models.PositiveBigIntegerField(_("events since its start"), default=0)
    awards = models.PositiveBigIntegerField(_("awards since its start"), default=0)
    last_error = models.TextField(_("last error"), blank=True, default="")

    class Meta:
        db_table = "badging_busconsumer"
        verbose_name = _("consumer")
        verbose_name_plural = _("consumers")
        ordering = ("topic", "group_id", "name")
        constraints = [models.UniqueConstraint(fields=["topic", "group_id", "name"], name="badging_busconsumer_once")]

    def __str__(self) -> str:
        return f"{self.topic} / {self.group_id} / {self.name}"
