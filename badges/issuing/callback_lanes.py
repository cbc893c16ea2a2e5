"""Which callbacks are due: of those about one badge or application, the first to each endpoint."""

from __future__ import annotations

from datetime import datetime

from attrs import frozen
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from badges.models import Delivery

Status = Delivery.Status


@frozen
class Subject:
    """What callbacks are about. Those about one subject reach an endpoint in the order in which they were made."""

    badge_id: int | None = None
    application_id: int | None = None
    """Where it is no badge."""

    def deliveries(self) -> QuerySet[Delivery]:
        """The deliveries of all callbacks about it."""
        if self.application_id is not None:
            return Delivery.objects.filter(callback__review__application_id=self.application_id)
        return Delivery.objects.filter(callback__badge=self.badge_id)


def first_due(subject: Subject, now: datetime | None = None) -> list[Delivery]:
    """The first open callback about a subject to each endpoint, where it is due and its endpoint does not rest."""
    now = now or timezone.now()
    found = (
        subject.deliveries()
        .filter(status__in=Delivery.OPEN)
        .select_related(
            "callback__endpoint",
            "callback__badge__user",
            "callback__badge__template__account",
            "callback__review__application__template__account",
            "callback__review__application__user",
        )
        .order_by("pk")
    )
    first: dict[int, Delivery] = {}
    for delivery in found:
        if delivery.callback is not None:
            first.setdefault(delivery.callback.endpoint_id, delivery)
    return [delivery for delivery in first.values() if _is_due(delivery, now)]


def due_subjects(now: datetime | None = None) -> list[Subject]:
    """What there is to be told now, the longest waiting first; without what waits for an endpoint that rests."""
    now = now or timezone.now()
    rows = (
        _due(now)
        .exclude(callback__endpoint__paused_until__gt=now)
        .order_by("next_attempt_at", "pk")
        .values_list("callback__badge_id", "callback__review__application_id")
    )
    return list(dict.fromkeys(Subject(badge_id, application_id) for badge_id, application_id in rows))


def _due(now: datetime) -> QuerySet[Delivery]:
    waiting = Q(status=Status.PENDING, next_attempt_at__gt=now) | Q(status=Status.IN_PROGRESS, leased_until__gte=now)
    not_due = Delivery.objects.filter(
        waiting, pk__lt=OuterRef("pk"), callback__endpoint_id=OuterRef("callback__endpoint_id")
    )
    about_the_same = (
        not_due.filter(callback__badge_id=OuterRef("callback__badge_id")),
        not_due.filter(callback__review__application_id=OuterRef("callback__review__application_id")),
    )
    found = Delivery.objects.filter(
        Q(status=Status.PENDING, next_attempt_at__lte=now) | Q(status=Status.IN_PROGRESS, leased_until__lt=now),
        callback__isnull=False,
    )
    # Those behind an earlier one that is not due would cost a look each.
    return found.exclude(Exists(about_the_same[0])).exclude(Exists(about_the_same[1]))


def _is_due(delivery: Delivery, now: datetime) -> bool:
    endpoint = delivery.callback.endpoint if delivery.callback is not None else None
    if endpoint is not None and endpoint.paused_until is not None and endpoint.paused_until > now:
        return False
    if delivery.status == Status.PENDING:
        return delivery.next_attempt_at <= now
    return delivery.leased_until is not None and delivery.leased_until < now
