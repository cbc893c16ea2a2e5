"""What was adopted from the module that this app replaces, so that adopting again changes nothing."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class AdoptedRow(models.Model):
    """A row of the built-in module's configuration, and what it became here.

    It stays when that is changed or deleted here: adopted again, it would come back.

    .. no_pii:
    """

    table_name = models.CharField(_("table"), max_length=64)
    source_id = models.BigIntegerField(_("id there"))
    target_id = models.BigIntegerField(_("id here"))
    adopted_at = models.DateTimeField(_("adopted at"), auto_now_add=True)

    class Meta:
        db_table = "badging_adoptedrow"
        verbose_name = _("adopted row")
        verbose_name_plural = _("adopted rows")
        constraints = [models.UniqueConstraint(fields=["table_name", "source_id"], name="badging_adoptedrow_once")]

    def __str__(self) -> str:
        return f"{self.table_name} {self.source_id}"
