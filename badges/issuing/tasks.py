"""The task that carries out the deliveries of a few badges.

Run by Django's task framework: with no ``TASKS`` setting at once and in this process, with one by the workers of the
engine that it names. A task is only a nudge; what is to be done stands in the deliveries, and the sweep finds it too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING

import django
from django.db import transaction

from badges.issuing.callback_lanes import Subject
from badges.issuing.deliveries import run_callbacks, run_due
from badges.toggles import is_badges_enabled

if TYPE_CHECKING or django.VERSION < (6, 0):
    from django_tasks import task
    from django_tasks.backends.immediate import ImmediateBackend
else:
    from django.tasks import task
    from django.tasks.backends.immediate import ImmediateBackend

PATIENCE = 30.0
"""Seconds that a worker's call waits for its turn below the ceiling of its account."""
BADGES_PER_TASK = 25
"""A task of its own for each badge would cost a consumer as much as the award; few large ones leave workers idle."""
_is_waited_for: ContextVar[bool] = ContextVar("badges.issuing.tasks._is_waited_for", default=False)
"""Whether the engine runs a task within the call that enqueues it."""
_held: ContextVar[list[int] | None] = ContextVar("badges.issuing.tasks._held", default=None)


@task()
def deliver_badges(badge_ids: list[int]) -> int:
    """Carry out what is due for these badges, and tell how many attempts were made.

    Where a consumer or a page waits for it, what the ceiling has no place for is left to the sweep.
    """
    if not is_badges_enabled():
        return 0
    patience = 0.0 if _is_waited_for.get() else PATIENCE
    return sum(
        len(run_due(badge_id, patience=patience)) + len(run_callbacks(Subject(badge_id=badge_id)))
        for badge_id in badge_ids
    )


@task()
def deliver_callbacks(application_ids: list[int]) -> int:
    """Send the callbacks that are due about these applications, and tell how many attempts were made."""
    if not is_badges_enabled():
        return 0
    return sum(len(run_callbacks(Subject(application_id=one))) for one in application_ids)


def is_run_here() -> bool:
    """Whether tasks run at once and in this process, for want of a task engine."""
    return isinstance(deliver_badges.get_backend(), ImmediateBackend)


def enqueue(badge_id: int) -> None:
    """Have the deliveries of a badge carried out soon."""
    enqueue_all([badge_id])


def enqueue_all(badge_ids: Iterable[int], is_stopping: Callable[[], bool] = lambda: False) -> None:
    """Have the deliveries of these badges carried out soon.

    Arguments:
        badge_ids: the badges, in the order in which they are begun.
        is_stopping: asked before each task; once true, the rest is left to the sweep.
    """
    wanted = list(dict.fromkeys(badge_ids))
    # What runs here and now must be stoppable between two badges.
    size = 1 if is_run_here() else BADGES_PER_TASK
    waited_for = _is_waited_for.set(True)
    try:
        for start in range(0, len(wanted), size):
            if is_stopping():
                return
            deliver_badges.enqueue(wanted[start : start + size])
    finally:
        _is_waited_for.reset(waited_for)


@contextlib.contextmanager
def held() -> Iterator[list[int]]:
    """Within it, a commit starts no deliveries: the ids of the badges are put in this list, for :func:`enqueue_all`."""
    badge_ids: list[int] = []
    token = _held.set(badge_ids)
    try:
        yield badge_ids
    finally:
        _held.reset(token)


def enqueue_callbacks_on_commit(application_id: int) -> None:
    """Have the callbacks about an application sent soon, once the present transaction is committed."""

    def nudge() -> None:
        deliver_callbacks.enqueue([application_id])

    transaction.on_commit(nudge, robust=True)


def enqueue_on_commit(*badge_ids: int) -> None:
    """The same as :func:`enqueue_all`, once the present transaction is committed.

    A task engine that is away is logged and no more: what the transaction did stands, and the sweep finds the rest.
    """

    # A function, not a partial: Django names a callback that failed, and a partial has no name.
    def nudge() -> None:
        held_ids = _held.get()
        if held_ids is None:
            enqueue_all(badge_ids)
        else:
            held_ids.extend(badge_ids)

    transaction.on_commit(nudge, robust=True)
