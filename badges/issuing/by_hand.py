"""What an operator does to deliveries by hand: try again now, cancel, mark as done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import frozen
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from badges.exceptions import BadgesError
from badges.issuing import callback_health, health
from badges.issuing.callback_lanes import Subject
from badges.issuing.deliveries import PROVIDER_CALLS, retry_now
from badges.issuing.following import forget
from badges.issuing.tasks import enqueue_callbacks_on_commit, enqueue_on_commit
from badges.models import MOVES, AccountHealth, Badge, Delivery, DeliveryAttempt, ProviderBadge
from badges.rules.payload import storable_text
from badges.toggles import is_badges_enabled

Action, Status = Delivery.Action, Delivery.Status

LIMIT = 5000
"""So many deliveries are changed at once; somebody waits for the page."""
AT_ONCE = 20
"""So many badges and applications are worked on at once: without a task engine that is the process of whoever asked,
who waits for it. What is left is due, and the next sweep takes it."""
AT_A_TIME = 500
"""The attempts of so many deliveries are read at once: they may be long."""
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
    """How many badges, and applications of which callbacks tell, were not begun with."""
    beyond_limit: int = 0
    """How many more deliveries could be retried than are changed at once."""
    done: int = 0
    """How many were carried out already: without a task engine that is before the answer, unless a transaction is
    open around it."""
    cancelled: int = 0
    """How many turned out not to be wanted any more."""
    failed: tuple[Delivery, ...] = ()
    """Those that were attempted already and failed, as they are now."""
    due: int = 0
    """How many are due and wait for no stopped account."""


def may_end(delivery: Delivery) -> bool:
    """Whether a delivery can be cancelled or marked as done by hand: it waits, was given up, or lost its worker."""
    return _may_go(delivery, Status.CANCELLED, timezone.now()) or _may_go(delivery, Status.DONE, timezone.now())


def endable(to: str, now: datetime | None = None) -> Q:
    """Which deliveries may be ended by hand: what the moves allow, but nothing out of a worker's hands."""
    sources = {status for status, targets in MOVES.items() if to in targets}
    waiting = Q(status__in=sorted(sources - {Status.IN_PROGRESS}))
    return waiting | lost_by_workers(now) if Status.IN_PROGRESS in sources else waiting


def lost_by_workers(now: datetime | None = None) -> Q:
    """Which deliveries are in progress, but their leases are over: nobody works on them any more."""
    return Q(status=Status.IN_PROGRESS, leased_until__lt=now or timezone.now())


def has_lost_its_worker(delivery: Delivery, now: datetime | None = None) -> bool:
    """The same, of a delivery that was read."""
    ends = delivery.leased_until
    return delivery.status == Status.IN_PROGRESS and ends is not None and ends < (now or timezone.now())


def may_have_reached_provider(deliveries: Iterable[Delivery]) -> set[int]:
    """Which of these the provider may have done although they are not done here; a query for each ``AT_A_TIME``.

    Those with a call that was to change something and whose outcome is unknown: no answer, a server's error, or a
    success that could not be read. And those of whose attempts one left nothing: its worker died.

    Returns:
        Their ids.
    """
    attempts = {one.pk: one.attempts for one in deliveries if one.action in PROVIDER_CALLS and one.attempts}
    found: set[int] = set()
    chosen = list(attempts)
    for start in range(0, len(chosen), AT_A_TIME):
        ids = chosen[start : start + AT_A_TIME]
        told: Counter[int] = Counter()
        rows = DeliveryAttempt.objects.filter(delivery__in=ids).order_by().values_list("delivery_id", "exchanges")
        for delivery_id, exchanges in rows.iterator():
            told[delivery_id] += 1
            if isinstance(exchanges, list) and any(map(_has_unknown_outcome, exchanges)):
                found.add(delivery_id)
        found.update(delivery_id for delivery_id in ids if told[delivery_id] < attempts[delivery_id])
    return found


def _has_unknown_outcome(exchange: Any) -> bool:
    if not isinstance(exchange, Mapping) or not exchange.get("changes"):
        return False
    status = exchange.get("status")
    return not isinstance(status, int) or status >= 500 or 200 <= status < 300


def retry(deliveries: QuerySet[Delivery]) -> Retried:
    """Make waiting and dead deliveries due now, and begin with the first of them once the transaction commits.

    Those whose workers are gone are among them. An account or endpoint that rests is tried at once; an account that is
    stopped stays so. Of more than ``LIMIT`` the first are taken. With the feature off nothing is begun: all is left to
    a later sweep.
    """
    waiting = deliveries.filter(Q(status__in=(Status.PENDING, Status.DEAD)) | lost_by_workers())
    beyond_limit = max(0, waiting.count() - LIMIT)
    with transaction.atomic():
        locked = _lock(waiting.order_by("pk").values_list("pk", flat=True)[:LIMIT])
        rows = Delivery.objects.filter(pk__in=locked).select_related("badge__template", "callback__review")
        retried = [delivery for delivery in rows.order_by("pk") if retry_now(delivery)]
        account_of = {one.pk: one.own_badge.template.account_id for one in retried if one.action in PROVIDER_CALLS}
        account_ids = sorted({account_id for account_id in account_of.values() if account_id is not None})
        health.forget(account_ids)
        for endpoint_id in sorted({one.callback.endpoint_id for one in retried if one.callback is not None}):
            callback_health.wake(endpoint_id)
        left = _begin(dict.fromkeys(map(_subject_of, retried)))
    stopped = {
        row.pk: row
        for row in AccountHealth.objects.filter(pk__in=account_ids, stopped_at__isnull=False).select_related("account")
    }
    held_back = {pk for pk, account_id in account_of.items() if account_id in stopped}
    came = _what_came(retried)
    failed = tuple(one for one, outcome in came if outcome == Status.DEAD)
    outcomes = Counter(outcome for one, outcome in came if outcome != Status.PENDING or one.pk not in held_back)
    return Retried(
        deliveries=tuple(retried),
        stopped=tuple(stopped.values()),
        held_back=len(held_back),
        left_to_sweep=left,
        beyond_limit=beyond_limit,
        done=outcomes[Status.DONE],
        cancelled=outcomes[Status.CANCELLED],
        failed=failed,
        due=outcomes[Status.PENDING],
    )


def send_again(deliveries: QuerySet[Delivery]) -> list[Delivery]:
    """Send callbacks that were taken once more, as to a receiver that has lost them; the others are left alone.

    What the same endpoint was told later about the same badge or application is sent again, too: the last word must
    stay the last one. Receivers know them again by their message ids.

    Returns:
        Those that are due now.
    """
    taken = Delivery.objects.filter(action=Action.CALLBACK, status=Status.DONE)
    with transaction.atomic():
        wanted = list(deliveries.filter(pk__in=taken).order_by("pk").values_list("pk", flat=True)[:LIMIT])
        first: dict[tuple[int, Subject], int] = {}
        for pk, told in _told(taken.filter(pk__in=wanted)):
            first.setdefault(told, pk)
        subjects = {subject for _, subject in first}
        about = Q(callback__badge_id__in=[one.badge_id for one in subjects if one.badge_id is not None]) | Q(
            callback__review__application_id__in=[one.application_id for one in subjects if one.application_id]
        )
        chosen = [pk for pk, told in _told(taken.filter(about)) if pk >= first.get(told, pk + 1)]
        locked = _lock(chosen)
        again = taken.filter(pk__in=locked)
        found = list(again.select_related("callback__review").order_by("pk"))
        again.move(Status.PENDING, next_attempt_at=timezone.now(), failures=0, give_up_at=None)
        _begin(dict.fromkeys(map(_subject_of, found)))
    return found


def _told(deliveries: QuerySet[Delivery]) -> Iterable[tuple[int, tuple[int, Subject]]]:
    """Of callbacks, in their order: the delivery, and to which endpoint about what."""
    columns = ("pk", "callback__endpoint_id", "callback__badge_id", "callback__review__application_id")
    for pk, endpoint_id, badge_id, application_id in deliveries.order_by("pk").values_list(*columns):
        yield pk, (endpoint_id, Subject(badge_id, application_id))


def end(delivery_ids: Collection[int], to: str, reason: str, *, external_id: str = "") -> list[Delivery]:
    """Cancel deliveries, or mark them as done. Those that are finished, or that a worker has, are left alone.

    A worker whose lease is over has nothing any more; what it still brings is dropped. What waited behind those that
    are ended is begun with once the transaction commits.

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
        if to == Status.DONE:
            _lock_beside_deleted(delivery_ids)
        locked, now = _lock_with_badges(delivery_ids), timezone.now()
        rows = Delivery.objects.filter(endable(to, now), pk__in=locked).select_related("callback__review")
        found = list(rows.order_by("pk"))
        if external_id:
            _identify(found, to, external_id)
        ended = Delivery.objects.filter(endable(to, now), pk__in=[delivery.pk for delivery in found])
        values = {"last_error": "", "failures": 0, "give_up_at": None} if to == Status.DONE else {}
        ended.move(to, note=note, **values)
        if to == Status.DONE and (deleted := [one.own_badge.pk for one in found if one.action == Action.DELETE]):
            forget(deleted)
        _begin(_with_open_deliveries(found))
    return found


def _what_came(retried: Iterable[Delivery]) -> list[tuple[Delivery, str]]:
    """The deliveries as they are now: done, cancelled, failed (dead, here), or still to be attempted (pending)."""
    attempts = {one.pk: one.attempts for one in retried}
    told: list[tuple[Delivery, str]] = []
    for one in Delivery.objects.filter(pk__in=attempts).order_by("pk"):
        has_failed = one.status == Status.DEAD or (
            one.status == Status.PENDING and one.attempts > attempts[one.pk] and one.last_error != ""
        )
        is_open = one.status in Delivery.OPEN
        told.append((one, Status.DEAD if has_failed else Status.PENDING if is_open else one.status))
    return told


def _may_go(delivery: Delivery, to: str, now: datetime) -> bool:
    is_free = delivery.status != Status.IN_PROGRESS or has_lost_its_worker(delivery, now)
    return is_free and to in MOVES[delivery.status]


def _lock_beside_deleted(delivery_ids: Collection[int]) -> None:
    """What is known of badges beside our records comes before these, and goes with a deletion at the provider."""
    deleted = (
        Delivery.objects.filter(pk__in=delivery_ids, action=Action.DELETE).order_by().values_list("badge_id", flat=True)
    )
    beside = ProviderBadge.objects.filter(badge_id__in=list(deleted)).order_by().values_list("pk", flat=True)
    locked = ProviderBadge.objects.select_for_update().filter(pk__in=list(beside)).order_by("pk")
    list(locked.values_list("pk", flat=True))


def _lock_with_badges(delivery_ids: Collection[int]) -> list[int]:
    """Badges before deliveries, as all who lock both: a penalty does it at the same time."""
    of_badges = (
        Delivery.objects.filter(pk__in=delivery_ids, badge__isnull=False)
        .order_by()
        .values_list("badge_id", flat=True)
        .distinct()
    )
    badges = Badge.objects.filter(pk__in=list(of_badges)).order_by("pk").select_for_update()
    list(badges.values_list("pk", flat=True))
    return _lock(delivery_ids)


def _lock(delivery_ids: Iterable[int]) -> list[int]:
    """By nothing but their keys: along another index a database would lock them in another order."""
    rows = Delivery.objects.filter(pk__in=list(delivery_ids)).order_by("pk").select_for_update()
    return list(rows.values_list("pk", flat=True))


def _identify(found: Sequence[Delivery], to: str, external_id: str) -> None:
    if to != Status.DONE or len(found) != 1 or found[0].action != Action.ISSUE:
        raise NotPossible("An identifier belongs to a single issue that is marked as done, and is not finished yet.")
    if len(external_id) > 255:
        raise NotPossible("The identifier is longer than 255 characters.")
    Badge.objects.filter(pk=found[0].own_badge.pk).update(external_id=external_id, modified=timezone.now())


def _subject_of(delivery: Delivery) -> Subject:
    """What is worked on at once with a delivery: its badge with all that is to be told of it, or an application."""
    callback = delivery.callback
    if callback is None:
        return Subject(badge_id=delivery.badge_id)
    application_id = callback.review.application_id if callback.review is not None else None
    return Subject(badge_id=callback.badge_id, application_id=application_id)


def _with_open_deliveries(ended: Iterable[Delivery]) -> list[Subject]:
    """What was behind deliveries that were ended."""
    subjects = set(map(_subject_of, ended))
    badge_ids = {one.badge_id for one in subjects if one.badge_id is not None}
    application_ids = {one.application_id for one in subjects if one.application_id is not None}
    is_open = Delivery.objects.filter(status__in=Delivery.OPEN).order_by()
    badges = {
        *is_open.filter(badge_id__in=badge_ids).values_list("badge_id", flat=True),
        *is_open.filter(callback__badge_id__in=badge_ids).values_list("callback__badge_id", flat=True),
    }
    of_applications = is_open.filter(callback__review__application_id__in=application_ids)
    applications = set(of_applications.values_list("callback__review__application_id", flat=True))
    return [*(Subject(badge_id=pk) for pk in sorted(badges)), *(Subject(None, pk) for pk in sorted(applications))]


def _begin(subjects: Iterable[Subject]) -> int:
    found = list(subjects)
    begun = found[:AT_ONCE] if is_badges_enabled() else ()
    for subject in begun:
        if subject.badge_id is not None:
            enqueue_on_commit(subject.badge_id)
        elif subject.application_id is not None:
            enqueue_callbacks_on_commit(subject.application_id)
    return len(found) - len(begun)
