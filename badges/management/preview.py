"""What a sweep would do, read from the database and from nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from attrs import frozen
from django.db.models import Count, Min, Q
from django.utils import timezone
from django.utils.timesince import timesince

from badges.issuing import health
from badges.issuing.callback_lanes import Subject, due_subjects
from badges.issuing.callback_lanes import first_due as callbacks_due
from badges.issuing.deliveries import PROVIDER_CALLS, first_due
from badges.issuing.sweep import OWN_TIME
from badges.models import AccountHealth, Delivery


@frozen
class Line:
    """One delivery whose time has come."""

    unit: tuple[str, int | None]
    """What a sweep works on at once: a badge, or the subject of callbacks."""
    text: str
    is_blocked: bool
    """Whether it waits for its account all the same."""
    is_follower: bool = False
    """Whether it is attempted only if the one that tries its account after a rest succeeds."""


def preview(now: datetime | None = None) -> Iterator[Line]:
    """The deliveries that a sweep would look at, the longest waiting first."""
    now = now or timezone.now()
    blocked = {row.pk: _why(row, now) for row in AccountHealth.objects.filter(pk__in=health.blocked_accounts(now))}
    rows = first_due(now).order_by("next_attempt_at", "pk")
    found = (
        rows.filter(badge__isnull=False)
        .select_related("badge__template__account")
        .only(
            *("action", "status", "next_attempt_at", "leased_until", "badge__uuid"),
            *("badge__template__account__name", "badge__template__account__provider"),
        )
    )
    # All at once: a cursor that waits for a pager would keep SQLite's writers out.
    due = list(found)
    probes = _probes(due, blocked, now)
    for delivery in due:
        account = delivery.own_badge.template.account if delivery.action in PROVIDER_CALLS else None
        why = blocked.get(account.pk, "") if account else ""
        is_follower = account is not None and probes.get(account.pk, delivery.pk) != delivery.pk
        if account is not None and account.pk in probes:
            why = "follows if the account works again" if is_follower else "tries the account after its rest"
        where = f', account "{account.name}" ({account.provider})' if account else ""
        yield Line(
            ("badge", delivery.badge_id),
            f"delivery {delivery.pk} {delivery.action}, badge {delivery.own_badge.uuid}, {_since(delivery, now)}{where}"
            + (f": {why}" if why else ""),
            account is not None and account.pk in blocked,
            is_follower,
        )
    for subject in due_subjects(now):
        for delivery in callbacks_due(subject, now):
            yield _of_callback(delivery, subject, now)


def _of_callback(delivery: Delivery, subject: Subject, now: datetime) -> Line:
    callback = delivery.callback
    what = f'{callback.action} to endpoint "{callback.endpoint.name}"' if callback is not None else ""
    unit = ("badge", subject.badge_id) if subject.badge_id is not None else ("application", subject.application_id)
    about = f"{unit[0]} {unit[1]}"
    return Line(unit, f"delivery {delivery.pk} callback: {what}, about {about}, {_since(delivery, now)}", False)


def later(now: datetime | None = None) -> tuple[int, datetime | None]:
    """How many open deliveries a sweep would not look at yet, and when the time of the first one comes."""
    now = now or timezone.now()
    found = Delivery.objects.filter(status__in=Delivery.OPEN).exclude(pk__in=first_due(now).values("pk"))
    told = found.annotate(own_time=OWN_TIME).aggregate(
        number=Count("pk"), first=Min("own_time", filter=Q(own_time__gt=now))
    )
    return told["number"], told["first"]


def _probes(due: list[Delivery], blocked: dict[int, str], now: datetime) -> dict[int, int]:
    """The accounts whose rest is over -> the delivery that tries each: the first one in the order of a sweep."""
    rested = set(
        AccountHealth.objects.filter(stopped_at=None, paused_until__lte=now).values_list("pk", flat=True)
    ) - set(blocked)
    if not rested:
        return {}
    calls = [one for one in due if one.action in PROVIDER_CALLS]
    waiting = {one.pk for one in calls if one.own_badge.template.account_id in blocked}
    order: dict[int, int] = {}
    for one in due:
        if one.pk not in waiting:
            order.setdefault(one.own_badge.pk, len(order))
    probes: dict[int, int] = {}
    for one in sorted(
        (one for one in calls if one.pk not in waiting), key=lambda one: (order[one.own_badge.pk], one.pk)
    ):
        account_id = one.own_badge.template.account_id
        if account_id in rested:
            probes.setdefault(account_id, one.pk)
    return probes


def _since(delivery: Delivery, now: datetime) -> str:
    if delivery.status == Delivery.Status.IN_PROGRESS:
        return f"left by its worker {_ago(delivery.leased_until or now, now)} ago"
    if now - delivery.next_attempt_at < timedelta(minutes=1):
        return "due now"
    return f"due for {_ago(delivery.next_attempt_at, now)}"


def _ago(since: datetime, now: datetime) -> str:
    return timesince(since, now).replace("\xa0", " ")


def _why(row: AccountHealth, now: datetime) -> str:
    if row.stopped_at is None:
        if row.paused_until is None or row.paused_until <= now:
            return f"waits, a delivery is trying the account at this moment: {row.last_error}"
        return f"waits, the account rests until {row.paused_until:%Y-%m-%d %H:%M:%S %Z}: {row.last_error}"
    is_checked = row.next_check_at is None or row.next_check_at <= now
    checked = "; a sweep checks it first" if is_checked else ""
    return f"waits, the account is stopped{checked}: {row.stop_reason}"
