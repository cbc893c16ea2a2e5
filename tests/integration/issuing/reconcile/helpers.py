"""What the tests of reconciling have in common."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from badges.issuing.reconcile import Finding, Report, reconcile
from badges.models import Badge, Delivery, ProviderAccount
from tests.factories import DeliveryFactory

Action = Delivery.Action


def compared(account: ProviderAccount | None = None, **options: Any) -> list[str]:
    """What is found, in words; what goes wrong is found, too."""
    found: list[str] = []

    def on_finding(finding: Finding) -> None:
        found.append(f"{finding.difference.kind.value}: {finding.outcome}")

    account = account or ProviderAccount.objects.get()
    reconcile(account, on_finding=on_finding, on_problem=found.append, **options)
    return found


def applied(**options: Any) -> list[str]:
    """The same, settled."""
    return compared(apply=True, **options)


def report_of(**options: Any) -> Report:
    """What came of the one account."""
    return reconcile(ProviderAccount.objects.get(), **options)


def statuses(badge: Badge) -> dict[str, str]:
    """Action -> status of the badge's deliveries."""
    return dict(badge.deliveries.values_list("action", "status"))


def finish(badge: Badge, status: str, action: str = Action.ISSUE) -> None:
    """A delivery of this badge ended so."""
    deliveries: Any = badge.deliveries.filter(action=action)
    deliveries.delete()
    DeliveryFactory(badge=badge, action=action, status=status, attempts=1, finished_at=timezone.now())
