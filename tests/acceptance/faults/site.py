"""What is asked of the project, and done in it. Each function runs in a process that has Django set up."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from badges.issuing import awards
from badges.issuing.account_checks import check
from badges.issuing.deliveries import retry_now
from badges.models import AccountHealth, Badge, BadgeTemplate, Delivery, DeliveryAttempt, ProviderAccount
from demo.sandbox.seed import ORGANIZATION_ID
from tests.acceptance.faults.providers import KEYS, TEMPLATES
from tests.factories import (
    AccredibleAPIConfigFactory,
    AccredibleGroupFactory,
    CredlyBadgeTemplateFactory,
    CredlyOrganizationFactory,
)

ISSUE, Status = Delivery.Action.ISSUE, Delivery.Status


def configure(provider: str) -> None:
    """An account and an active template at a provider."""
    if provider == "credly":
        account = CredlyOrganizationFactory(external_id=ORGANIZATION_ID, api_key=KEYS[provider])
        CredlyBadgeTemplateFactory(account=account, external_id=TEMPLATES[provider])
    else:
        account = AccredibleAPIConfigFactory(api_key=KEYS[provider])
        AccredibleGroupFactory(account=account, external_id=TEMPLATES[provider])


def award(first: int, number: int) -> None:
    """Award the template to so many learners, each in a transaction of its own. Without a task engine, all waits."""
    template = BadgeTemplate.objects.get()
    model: Any = get_user_model()
    names = [f"learner{n}" for n in range(first, first + number)]
    model.objects.bulk_create(model(username=name, email=f"{name}@example.com", full_name="Anna Lee") for name in names)
    for user in model.objects.filter(username__in=names):
        with transaction.atomic():
            awards.award(user, {template.pk: timezone.now()})


def progress() -> dict[str, int]:
    """How far the deliveries are."""
    issues = Delivery.objects.filter(action=ISSUE)
    return {
        "untried": issues.filter(attempts=0).count(),
        "open": Delivery.objects.filter(status__in=Delivery.OPEN).count(),
        "dead": Delivery.objects.filter(status=Status.DEAD).count(),
        "stopped": AccountHealth.objects.filter(stopped_at__isnull=False).count(),
    }


def retry_dead() -> int:
    """What an operator does with the dead deliveries once the fault is gone, in the admin or in a shell."""
    return sum(retry_now(delivery) for delivery in Delivery.objects.filter(status=Status.DEAD))


def check_accounts() -> list[str]:
    """What an operator does with a stopped account: ask whether it works."""
    return [check(account) for account in ProviderAccount.objects.all()]


def facts() -> dict[str, Any]:
    """What the project says in the end."""
    issues, rows = Delivery.objects.filter(action=ISSUE), DeliveryAttempt.objects.filter(delivery__action=ISSUE)
    exchanges = [one for found in rows.values_list("exchanges", flat=True) for one in found]
    return {
        "statuses": dict(Counter(Delivery.objects.values_list("status", flat=True))),
        "issues": dict(Counter(issues.values_list("status", flat=True))),
        "external_ids": dict(Badge.objects.values_list("user__email", "external_id")),
        "claims": sum(issues.values_list("attempts", flat=True)),
        "rows": rows.count(),
        "failed": list(rows.exclude(outcome__in=("done", "cancelled")).values_list("status_code", flat=True)),
        "outcomes": dict(Counter(rows.values_list("outcome", flat=True))),
        "answers": [one["status"] for one in exchanges],
    }
