"""Changing and deleting rows of whatever model, each in a small transaction of its own; or only telling which."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeAlias

from attrs import frozen
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from badges.models.base import TimeStamped
from badges.processing.retries import retried

Values: TypeAlias = dict[str, Any]
"""What is to be written to a row; empty where nothing is."""
AT_ONCE = 500


def _nothing(row: Any) -> None:
    """Where nothing else is to be done."""


@frozen
class Rows:
    """How rows are worked on."""

    is_dry_run: bool = False
    """Whether they are only counted."""
    is_stopping: Callable[[], bool] = lambda: False
    """Asked before each row; once true, the rest is left."""

    def delete(self, rows: QuerySet[Any]) -> int:
        """Delete rows with what belongs to them; how many, not counting that."""
        if self.is_dry_run:
            return rows.count()
        return sum(retried(partial(_delete_one, row)) for row in self._each(rows))

    def change(
        self, rows: QuerySet[Any], change: Callable[[Any], Values], also: Callable[[Any], None] = _nothing
    ) -> int:
        """Write to each row what it is to be changed to; how many were. Only those are locked.

        Arguments:
            rows: which ones.
            change: what is to be written to a row. It changes nothing itself.
            also: what else is done then, in the same transaction.
        """
        meant = (row for row in self._each(rows) if change(row))
        if self.is_dry_run:
            return sum(1 for _ in meant)
        return sum(retried(partial(_change_one, row, change, also)) for row in meant)

    def _each(self, rows: QuerySet[Any]) -> Iterator[Any]:
        for page in _pages(rows):
            for row in page:
                if self.is_stopping():
                    return
                yield row


def _delete_one(row: Any) -> bool:
    with transaction.atomic():
        # Before what belongs to it, as by all who change that.
        locked = type(row)._base_manager.select_for_update().filter(pk=row.pk).order_by("pk").first()
        return locked is not None and bool(locked.delete()[0])


def _change_one(row: Any, change: Callable[[Any], Values], also: Callable[[Any], None]) -> bool:
    every = type(row)._base_manager
    with transaction.atomic():
        # It may be another one by now.
        locked = every.select_for_update().filter(pk=row.pk).order_by("pk").first()
        values = change(locked) if locked is not None else {}
        if not values:
            return False
        also(row)
        stamp = {"modified": timezone.now()} if isinstance(row, TimeStamped) else {}
        every.filter(pk=row.pk).update(**stamp, **values)
    return True


def _pages(rows: QuerySet[Any]) -> Iterator[list[Any]]:
    last = 0
    while page := list(rows.filter(pk__gt=last).order_by("pk")[:AT_ONCE]):
        # Before they are worked on: one that is deleted has no key any more.
        last = page[-1].pk
        yield page
