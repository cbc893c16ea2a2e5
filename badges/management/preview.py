"""What a sweep would do, read from the database and from nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from attrs import frozen
from django.utils import timezone
from django.utils.timesince import timesince

from badges.issuing import health
from badges.issuing.deliveries import PROVIDER_CALLS, first_due
from badges.models import AccountHealth, Delivery


@frozen
class Line:
    """One delivery whose time has come."""

    badge_id: int
    text: str
    is_blocked: bool
    """Whether it waits for its account all the same."""


def preview(now: datetime | None = None) -> Iterator[Line]:
    """The deliveries that a sweep would look at, the longest waiting first."""
    now = now or timezone.now()
    blocked = {row.pk: _why(row, now) for row in AccountHealth.objects.filter(pk__in=health.blocked_accounts(now))}
    rows = first_due(now).order_by("next_attempt_at", "pk")
    found = rows.select_related("badge__template__account").only(
        *("action", "status", "next_attempt_at", "leased_until", "badge__uuid"),
        *("badge__template__account__name", "badge__template__account__provider"),
    )
    # All at once: a cursor that waits for a pager would keep SQLite's writers out.
    for delivery in list(found):
        account = delivery.badge.template.account if delivery.action in PROVIDER_CALLS else None
        why = blocked.get(account.pk, "") if account else ""
        where = f', account "{account.name}" ({account.provider})' if account else ""
        yield Line(
            delivery.badge_id,
            f"delivery {delivery.pk} {delivery.action}, badge {delivery.badge.uuid}, {_since(delivery, now)}{where}"
            + (f": {why}" if why else ""),
            bool(why),
        )


def _since(delivery: Delivery, now: datetime) -> str:
    if delivery.status == Delivery.Status.IN_PROGRESS:
        return f"left by its worker {_ago(delivery.leased_until or now, now)} ago"
    return f"due for {_ago(delivery.next_attempt_at, now)}"


def _ago(since: datetime, now: datetime) -> str:
    return timesince(since, now).replace("\xa0", " ")


def _why(row: AccountHealth, now: datetime) -> str:
    if row.stopped_at is None:
        until = f"{row.paused_until:%Y-%m-%d %H:%M:%S %Z}" if row.paused_until else "its probe ends"
        return f"waits, the account rests until {until}: {row.last_error}"
    is_checked = row.next_check_at is None or row.next_check_at <= now
    checked = "; a sweep checks it first" if is_checked else ""
    return f"waits, the account is stopped{checked}: {row.stop_reason}"
