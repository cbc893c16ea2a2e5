"""How deliveries are told to people: their age, when they go on, and what was asked and answered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.timesince import timesince, timeuntil
from django.utils.translation import gettext

from badges.admin.base import EMPTY
from badges.issuing.by_hand import has_lost_its_worker
from badges.issuing.deliveries import LANES, PROVIDER_CALLS
from badges.issuing.summary import AccountState, health_of, state_of
from badges.models import AccountHealth, Application, Badge, Delivery


def with_what_they_wait_for(deliveries: QuerySet[Delivery]) -> Any:
    """Deliveries with all that :func:`next_time` needs, so that a list costs no query a row."""
    earlier = Delivery.objects.filter(badge=OuterRef("badge"), pk__lt=OuterRef("pk"), status__in=Delivery.OPEN)
    announced, called = (Q(Exists(earlier.filter(action__in=lane)), action__in=lane) for lane in LANES)
    to_the_same = Delivery.objects.filter(
        callback__endpoint=OuterRef("callback__endpoint"), pk__lt=OuterRef("pk"), status__in=Delivery.OPEN
    )
    of_badge = Exists(to_the_same.filter(callback__badge=OuterRef("callback__badge")))
    of_application = Exists(to_the_same.filter(callback__review__application=OuterRef("callback__review__application")))
    told = Q(of_badge | of_application, action=Delivery.Action.CALLBACK)
    return (
        deliveries.select_related(
            "badge__user",
            "badge__template__account__health",
            "callback__endpoint",
            "callback__badge__user",
            "callback__badge__template",
            "callback__review__application__template",
        )
        .defer("badge__template__account__api_key", "callback__endpoint__secret")
        .annotate(is_behind=announced | called | told)
    )


def subject_of(delivery: Delivery) -> Badge | Application | None:
    """What a delivery is about: a badge, or the application that was reviewed."""
    callback = delivery.callback
    if callback is None:
        return delivery.badge
    return callback.badge if callback.review is None else callback.review.application


def subject_text(delivery: Delivery) -> str:
    """The same in words."""
    subject = subject_of(delivery)
    if isinstance(subject, Application):
        return gettext("application %(number)s for %(template)s") % {"number": subject, "template": subject.template}
    return str(subject) if subject is not None else EMPTY


def action_text(delivery: Delivery) -> str:
    """What is to be done; of a callback, what it tells whom."""
    callback = delivery.callback
    if callback is None:
        return delivery.get_action_display()
    return gettext("callback (%(action)s) to %(endpoint)s") % {
        "action": callback.get_action_display(),
        "endpoint": callback.endpoint,
    }


def moment(value: datetime | None) -> str:
    """A time as people read it: date, time, and how far away."""
    if value is None:
        return EMPTY
    return f"{clock(value)} ({distance(value)})"


def clock(value: datetime) -> str:
    """Date and time, in the time zone of the page."""
    return date_format(timezone.localtime(value), "SHORT_DATETIME_FORMAT")


def distance(value: datetime) -> str:
    """How far away a time is."""
    now = timezone.now()
    if abs((value - now).total_seconds()) < 60:
        return gettext("now")
    if value > now:
        return gettext("in %(time)s") % {"time": timeuntil(value, now, depth=1)}
    return gettext("%(time)s ago") % {"time": timesince(value, now, depth=1)}


def age(value: datetime) -> str:
    """How long ago, without "ago"."""
    if (timezone.now() - value).total_seconds() < 60:
        return gettext("less than a minute")
    return timesince(value, depth=1)


def took(duration_ms: int) -> str:
    """A duration."""
    if duration_ms < 1000:
        return gettext("%(number)d ms") % {"number": duration_ms}
    return gettext("%(number).1f s") % {"number": duration_ms / 1000}


def health_behind(delivery: Delivery) -> AccountHealth | None:
    """The health of the account that a delivery needs, if it needs one and something is known of it."""
    account = delivery.own_badge.template.account if delivery.action in PROVIDER_CALLS else None
    return None if account is None else health_of(account)


def next_time(delivery: Any) -> str:
    """When a delivery goes on, its account and what is before it considered; of :func:`with_what_they_wait_for`."""
    if has_lost_its_worker(delivery):
        return gettext("its worker is gone; %(time)s") % {"time": _time_of_waiting(delivery, delivery.leased_until)}
    if delivery.status == Delivery.Status.IN_PROGRESS:
        return gettext("a worker has it, until %(time)s at most") % {"time": moment(delivery.leased_until)}
    if delivery.status != Delivery.Status.PENDING:
        return EMPTY
    return _time_of_waiting(delivery, delivery.next_attempt_at)


def _time_of_waiting(delivery: Any, due_at: datetime) -> str:
    health, now = health_behind(delivery), timezone.now()
    if health is not None and state_of(health, now) is AccountState.STOPPED:
        return gettext("when the account works again")
    if delivery.is_behind:
        return gettext("when the one before it is finished")
    if health is not None and health.paused_until is not None:
        due_at = max(due_at, health.paused_until)
    if delivery.callback is not None and delivery.callback.endpoint.paused_until is not None:
        due_at = max(due_at, delivery.callback.endpoint.paused_until)
    if due_at <= now:
        return gettext("due now")
    return moment(due_at)


def exchanges(entries: Any) -> str:
    """What was asked and answered in an attempt, call by call."""
    told = [entry for entry in entries or () if isinstance(entry, Mapping)]
    if not told:
        return EMPTY
    calls = format_html_join("", "<li>{}</li>", ((_exchange(entry),) for entry in told))
    return format_html('<ol class="badges-exchanges">{}</ol>', calls)


def _exchange(entry: Mapping[str, Any]) -> str:
    status = entry.get("status")
    duration = entry.get("duration_ms")
    return format_html(
        "{} <code>{} {}</code>: <strong>{}</strong>{}{}{}",
        entry.get("doing", ""),
        entry.get("method", ""),
        entry.get("path", ""),
        gettext("no answer") if status is None else status,
        f", {took(duration)}" if isinstance(duration, int) else "",
        _excerpt(gettext("asked"), entry.get("asked")),
        _excerpt(gettext("answered"), entry.get("answered")),
    )


def _excerpt(title: str, text: Any) -> str:
    if not text:
        return ""
    return format_html('<div class="badges-excerpt"><span>{}:</span> <code>{}</code></div>', title, text)
