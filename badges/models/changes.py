"""What staff did to a badge by hand, and why."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from badges.models.awards import Badge


class BadgeChange(models.Model):
    """A badge that somebody awarded or revoked by hand: the audit.

    .. pii: Who did it, and what they wrote of it. Deleted with the badge; a learner's name and address are removed from
        the reason with the learner's retirement.
    .. pii_types: id, other
    .. pii_retirement: local_api
    """

    class Action(models.TextChoices):
        """What was done."""

        AWARDED = "awarded", _("awarded")
        REVOKED = "revoked", _("revoked")

    badge = models.ForeignKey(Badge, verbose_name=_("badge"), on_delete=models.CASCADE, related_name="changes")
    action = models.CharField(_("action"), max_length=16, choices=Action.choices)
    at = models.DateTimeField(_("when"), default=timezone.now)
    # None for the platform itself, and for whoever is not here any more.
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("by"),
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    reason = models.TextField(_("reason"), blank=True, default="")

    class Meta:
        db_table = "badging_badgechange"
        verbose_name = _("change by hand")
        verbose_name_plural = _("changes by hand")
        ordering = ("badge", "id")

    def __str__(self) -> str:
        return self.get_action_display()
