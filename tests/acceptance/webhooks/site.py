"""What is asked of the project, and done in it. Each function runs in a process that has Django set up."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import load_command_class
from django.db.models import Sum
from django.urls import reverse
from django.utils import timezone

from badges.issuing.adoption import done
from badges.models import Badge, BadgeNotification, Delivery, ProviderBadge, WebhookEvent
from badges.providers import registry
from badges.webhooks.outcomes import MAY_COME_EARLY
from badges.webhooks.processing import process_due
from demo.sandbox.seed import ORGANIZATION_ID, ORGANIZATION_TOKEN
from tests.acceptance.webhooks.history import TEMPLATE
from tests.acceptance.webhooks.posting import UNKNOWN
from tests.factories import EPOCH, CredlyBadgeTemplateFactory, CredlyOrganizationFactory


def warm_up() -> None:
    """Import what processing needs, so that it is not imported by every worker that is forked."""
    load_command_class("badges", "deliver_badges")
    for slug in registry.registered():
        registry.provider_class(slug)


def configure(number: int, adopted: int) -> list[tuple[str, str]]:
    """An account, a template, and learners with an issued badge each; of each the e-mail address and our identifier.

    Arguments:
        number: of learners who have a badge.
        adopted: of learners who have none here, and will be issued one on Credly's pages.
    """
    account = CredlyOrganizationFactory(external_id=ORGANIZATION_ID, api_key=ORGANIZATION_TOKEN)
    template = CredlyBadgeTemplateFactory(account=account, external_id=TEMPLATE)
    model: Any = get_user_model()
    names = [f"learner{n}" for n in range(number + adopted)]
    model.objects.bulk_create(model(username=name, email=f"{name}@example.com", full_name="Anna Lee") for name in names)
    users = list(model.objects.filter(username__in=names[:number]))
    Badge.objects.bulk_create(Badge(user=user, template=template, awarded_at=EPOCH, state="pending") for user in users)
    badges = list(Badge.objects.select_related("user"))
    Delivery.objects.bulk_create(
        Delivery(badge=badge, action=Delivery.Action.ISSUE, **done("Issued before it all began.")) for badge in badges
    )
    return [(badge.user.email, str(badge.uuid)) for badge in badges]


def addresses() -> tuple[str, str]:
    """The path with the account's secret, and the one without."""
    account = CredlyOrganizationFactory._meta.model.objects.get()
    proven = reverse("badges:webhook-secret", args=(account.provider, account.pk, str(account.webhook_secret)))
    return proven, reverse("badges:credly-webhook")


def know_external_ids(known: dict[str, str]) -> None:
    """Our identifier -> Credly's, where the answer to the issue was not lost."""
    badges = list(Badge.objects.filter(uuid__in=known))
    for badge in badges:
        badge.external_id = known[str(badge.uuid)]
    Badge.objects.bulk_update(badges, ["external_id"])


def waiting() -> int:
    """How many events of the true history wait to be processed, and deliveries to be carried out."""
    events = WebhookEvent.objects.filter(status__in=WebhookEvent.OPEN).exclude(event_id__startswith=UNKNOWN)
    return events.count() + Delivery.objects.filter(status__in=Delivery.OPEN).count()


def forget_unknown() -> None:
    """Let the time pass for which an event is looked for that Credly does not know."""
    long_ago = timezone.now() - 2 * MAY_COME_EARLY
    looked_for = WebhookEvent.objects.filter(event_id__startswith=UNKNOWN)
    looked_for.update(received_at=long_ago, next_attempt_at=long_ago)
    # One of them was in the hands of a worker that was killed.
    looked_for.filter(status=WebhookEvent.Status.PROCESSING).update(leased_until=long_ago)
    process_due()


def facts() -> dict[str, Any]:
    """What the project says in the end."""
    badges = Badge.objects.select_related("user")
    return {
        "badges": {
            badge.user.email: [str(badge.uuid), badge.external_id, badge.status, badge.state, badge.is_public]
            for badge in badges
        },
        "strangers": {one.external_id: one.state for one in ProviderBadge.objects.filter(badge=None)},
        "events": dict(WebhookEvent.objects.values_list("event_id", "status")),
        "times_received": WebhookEvent.objects.aggregate(sum=Sum("times_received"))["sum"],
        "errors": list(WebhookEvent.objects.exclude(last_error="").values_list("last_error", flat=True)[:5]),
        "deliveries": dict(Counter(f"{one.action} {one.status}" for one in Delivery.objects.all())),
        "notified": BadgeNotification.objects.count(),
        "users": get_user_model().objects.count(),
    }
