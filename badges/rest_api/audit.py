"""What staff's programs did, in the history that the admin shows of a record."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db.models import QuerySet


def note_in_admin(user: Any, rows: QuerySet[Any], message: str) -> None:
    """Note that a user has changed these rows; in a project without Django's admin nothing is noted.

    Arguments:
        user: who asked.
        rows: what was changed.
        message: what was done, and why.
    """
    if not apps.is_installed("django.contrib.admin"):
        return
    # Its table is there only with its app.
    from django.contrib.admin.models import CHANGE, LogEntry  # noqa: PLC0415

    LogEntry.objects.log_actions(user.pk, rows, CHANGE, change_message=message)
