"""What an operator does to deliveries by hand: try again now, cancel, mark as done."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from attrs import frozen
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from badges.exceptions import BadgesError
from badges.issuing import health
from badges.issuing.deliveries import PROVIDER_CALLS, retry_now
from badges.issuing.tasks import enqueue_on_commit
from badges.models import MOVES, AccountHealth, Badge, Delivery
from badges.rules.payload import storable_text

Action, Status = Delivery.Action, Delivery.Status

LIMIT = 5000
"""So many deliveries are changed at once; somebody waits for the page."""
AT_ONCE = 20
"""So many badges are worked on at once: without a task engine that is the process of whoever asked, who waits for
it. What is left is due, and the next sweep takes it."""
_WORDS = {Status.CANCELLED: "Cancelled by hand", Status.DONE: "Marked as done by hand"}


class NotPossible(BadgesError):
    """What somebody wants to do by hand cannot be done; the text says why."""


@frozen
class Retried:
    """What came of trying deliveries again."""

    deliveries: tuple[Delivery, ...] = ()
    """Those that are due now."""
    stopped: tuple[AccountHealth, ...] = ()
    """The stopped accounts that some of them need, with their ``account``. Those deliveries wait all the same."""
    held_back: int = 0
    """How many deliveries wait for a stopped account."""
    left_to_sweep: int = 0
    """How many badges were not begun with."""
    beyond_limit: int = 0
    """How many more deliveries could be retried than are changed at once."""


def may_end(delivery: Delivery) -> bool:
    """Whether a delivery can be cancelled or marked as done by hand: it waits, or was given up."""
    return delivery.status in endable(Status.CANCELLED) or delivery.status in endable(Status.DONE)


def endable(to: str) -> frozenset[str]:
    """From where a delivery may be ended by hand: whatever the moves allow, but not out of a worker's hands."""
    return frozenset(status for status, targets in MOVES.items() if to in targets) - {Status.IN_PROGRESS}


def may_have_reached_provider(delivery: Delivery) -> bool:
    """Whether the provider may have done it although it is not done here."""
    return delivery.action in PROVIDER_CALLS and (delivery.attempts > 0 or delivery.failures > 0)


def retry(deliveries: QuerySet[Delivery]) -> Retried:
    """Make waiting and dead deliveries due now, and begin with the first of them once the transaction commits.

    An account that rests is tried at once. One that is stopped stays so. Of more than ``LIMIT`` the first are taken.
    """
    waiting = deliveries.filter(status__in=(Status.PENDING, Status.DEAD))
    beyond_limit = max(0, waiting.count() - LIMIT)
    with transaction.atomic():
        chosen = list(waiting.select_related("badge__template").order_by("pk")[:LIMIT])
        retried = [delivery for delivery in chosen if retry_now(delivery)]
        needed = {delivery.badge.template.account_id for delivery in retried if delivery.action in PROVIDER_CALLS}
        account_ids = [account_id for account_id in needed if account_id is not None]
        health.forget(account_ids)
        left = _begin(list(dict.fromkeys(delivery.badge_id for delivery in retried)))
    stopped = {
        row.pk: row
        for row in AccountHealth.objects.filter(pk__in=account_ids, stopped_at__isnull=False).select_related("account")
    }
    held_back = sum(one.action in PROVIDER_CALLS and one.badge.template.account_id in stopped for one in retried)
    return Retried(tuple(retried), tuple(stopped.values()), held_back, left, beyond_limit)


def end(delivery_ids: Collection[int], to: str, reason: str, *, external_id: str = "") -> list[Delivery]:
    """Cancel deliveries, or mark them as done. Those that are finished, or that a worker has, are left alone.

    What waited behind them is begun with once the transaction commits.

    Arguments:
        delivery_ids: of which deliveries.
        to: ``Status.CANCELLED`` or ``Status.DONE``.
        reason: why, in words; it is kept in the deliveries' notes.
        external_id: of a single issue that is marked as done: the badge's identifier at the provider.

    Returns:
        Those that were ended.

    Raises:
        NotPossible: there is no reason, or an identifier that does not belong to the one issue that is marked as done.
    """
    reason, external_id = storable_text(reason).strip(), storable_text(external_id).strip()
    if not reason:
        raise NotPossible("Enter a reason.")
    note = f"{_WORDS[Status(to)]}: {reason}"
    with transaction.atomic():
        found = list(
            Delivery.objects.filter(pk__in=delivery_ids, status__in=endable(to)).select_for_update().order_by("pk")
        )
        if external_id:
            _identify(found, to, external_id)
        ended = Delivery.objects.filter(pk__in=[delivery.pk for delivery in found], status__in=endable(to))
        values = {"last_error": "", "failures": 0, "give_up_at": None} if to == Status.DONE else {}
        ended.move(to, note=note, **values)
        badge_ids = {delivery.badge_id for delivery in found}
        followed = Delivery.objects.filter(badge_id__in=badge_ids, status__in=Delivery.OPEN)
        _begin(list(followed.order_by("badge_id").values_list("badge_id", flat=True).distinct()))
    return found


def _identify(found: Sequence[Delivery], to: str, external_id: str) -> None:
    if to != Status.DONE or len(found) != 1 or found[0].action != Action.ISSUE:
        raise NotPossible("An identifier belongs to a single issue that is marked as done, and is waiting or dead.")
    if len(external_id) > 255:
        raise NotPossible("The identifier is longer than 255 characters.")
    Badge.objects.filter(pk=found[0].badge_id).update(external_id=external_id, modified=timezone.now())


def _begin(badge_ids: Sequence[int]) -> int:
    for badge_id in badge_ids[:AT_ONCE]:
        enqueue_on_commit(badge_id)
    return max(0, len(badge_ids) - AT_ONCE)
