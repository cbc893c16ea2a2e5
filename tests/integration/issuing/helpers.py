"""What the tests of deliveries have in common."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from badges.models import AccountHealth, Badge, Delivery

Status = Delivery.Status


def issue_of(badge: Badge) -> Delivery:
    """The delivery that issues a badge."""
    return badge.deliveries.get(action=Delivery.Action.ISSUE)


def let_the_rest_end() -> None:
    """Let the time have come at which accounts that rest are tried, and that of a probe whose worker died be over."""
    past = timezone.now() - timedelta(seconds=1)
    AccountHealth.objects.filter(paused_until__isnull=False).update(paused_until=past)
    AccountHealth.objects.filter(probing_until__isnull=False).update(probing_until=past)


def make_due(delivery: Delivery) -> None:
    """Let the time of a delivery's next attempt, or the end of its lease, have come."""
    past = timezone.now() - timedelta(seconds=1)
    Delivery.objects.filter(pk=delivery.pk, status=Status.PENDING).update(next_attempt_at=past)
    Delivery.objects.filter(pk=delivery.pk, status=Status.IN_PROGRESS).update(leased_until=past)
