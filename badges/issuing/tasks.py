"""The task that carries out the deliveries of one badge.

Run by Django's task framework: with no ``TASKS`` setting at once and in this process, with one by the workers of the
engine that it names. A task is only a nudge; what is to be done stands in the deliveries, and the sweep finds it too.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

import django
from django.db import transaction

from badges.issuing.deliveries import run_due
from badges.toggles import is_badges_enabled

if TYPE_CHECKING or django.VERSION < (6, 0):
    from django_tasks import task
else:
    from django.tasks import task

PATIENCE = 30.0
"""Seconds that a worker's call waits for its turn below the ceiling of its account."""
_is_waited_for: ContextVar[bool] = ContextVar("badges.issuing.tasks._is_waited_for", default=False)
"""Whether the engine runs a task within the call that enqueues it."""


@task()
def deliver_badge(badge_id: int) -> int:
    """Carry out what is due for a badge, and tell how many attempts were made.

    Where a consumer or a page waits for it, what the ceiling has no place for is left to the sweep.
    """
    if not is_badges_enabled():
        return 0
    return len(run_due(badge_id, patience=0.0 if _is_waited_for.get() else PATIENCE))


def enqueue(badge_id: int) -> None:
    """Have the deliveries of a badge carried out soon."""
    waited_for = _is_waited_for.set(True)
    try:
        deliver_badge.enqueue(badge_id)
    finally:
        _is_waited_for.reset(waited_for)


def enqueue_on_commit(badge_id: int) -> None:
    """The same, once the present transaction is committed.

    A task engine that is away is logged and no more: what the transaction did stands, and the sweep finds the rest.
    """

    # A function, not a partial: Django names a callback that failed, and a partial has no name.
    def nudge() -> None:
        enqueue(badge_id)

    transaction.on_commit(nudge, robust=True)
