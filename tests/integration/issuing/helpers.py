"""What the tests of deliveries have in common."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from badges.models import Badge, Delivery

Status = Delivery.Status


def issue_of(badge: Badge) -> Delivery:
    """The delivery that issues a badge."""
    return badge.deliveries.get(action=Delivery.Action.ISSUE)


def make_due(delivery: Delivery) -> None:
    """Let the time of a delivery's next attempt, or the end of its lease, have come."""
    past = timezone.now() - timedelta(seconds=1)
    Delivery.objects.filter(pk=delivery.pk, status=Status.PENDING).update(next_attempt_at=past)
    Delivery.objects.filter(pk=delivery.pk, status=Status.IN_PROGRESS).update(leased_until=past)
