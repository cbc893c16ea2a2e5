"""What is still to be done at providers after a retirement: carried out at once, and told where it waits."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

from attrs import frozen
from django.utils import timezone

from badges.issuing import health
from badges.issuing.deliveries import run_due
from badges.issuing.tasks import enqueue_all, is_run_here
from badges.models import AccountHealth, Badge, Delivery

Action, Status = Delivery.Action, Delivery.Status
AT_PROVIDER = (Action.REVOKE, Action.DELETE)
PATIENCE = 30.0
"""Seconds that a call may wait for its turn below the ceiling of its account."""


@frozen
class Undone:
    """A revocation or deletion that is not carried out."""

    delivery_id: int
    action: str
    status: str
    reason: str
    """Redacted."""
    next_attempt_at: datetime | None
    """When it is tried again by itself; None where a person is needed."""


def carry_out(user: Any, also: Collection[int] = (), is_stopping: Callable[[], bool] = lambda: False) -> bool:
    """Carry out what is due at providers for a learner's badges; with a task engine, have its workers do it.

    Arguments:
        user: the learner.
        also: other badges with something to be done.
        is_stopping: asked before each badge; once true, the rest is left to the sweep.

    Returns:
        Whether it was done here, and not left to a task engine.
    """
    open_ones = Delivery.objects.filter(badge__user=user, action__in=AT_PROVIDER, status__in=Delivery.OPEN)
    badges = sorted({*also, *open_ones.values_list("badge_id", flat=True)})
    if not is_run_here():
        enqueue_all(badges, is_stopping)
        return False
    for badge_id in badges:
        if is_stopping():
            break
        run_due(badge_id, patience=PATIENCE)
    return True


def undone(user: Any) -> list[Undone]:
    """What was to be done at providers for a learner's badges, and is not done."""
    rows = (
        Delivery.objects.filter(badge__user=user, action__in=AT_PROVIDER, status__in=(*Delivery.OPEN, Status.DEAD))
        .select_related("badge__template")
        .order_by("pk")
    )
    accounts = {row.own_badge.template.account_id for row in rows}
    blocked = {row.pk: row for row in health.blocked().filter(pk__in=[pk for pk in accounts if pk is not None])}
    return [_undone(row, blocked.get(row.own_badge.template.account_id or 0)) for row in rows]


def left_there(user: Any) -> int:
    """How many of a learner's badges their providers show, as far as it is known here."""
    return Badge.objects.filter(user=user).exclude(external_id="").count()


def _undone(row: Delivery, account: AccountHealth | None) -> Undone:
    if row.status == Status.DEAD:
        return Undone(row.pk, row.action, row.status, row.last_error, None)
    due_at = row.leased_until if row.status == Status.IN_PROGRESS else row.next_attempt_at
    if account is None:
        return Undone(row.pk, row.action, row.status, row.last_error, due_at or timezone.now())
    if account.stopped_at is not None:
        return Undone(row.pk, row.action, row.status, account.stop_reason, None)
    rests_until = account.paused_until or account.probing_until or timezone.now()
    return Undone(row.pk, row.action, row.status, account.last_error, max(rests_until, due_at or rests_until))
