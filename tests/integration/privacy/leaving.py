"""Learners with a row of everything that retirement looks at."""

from __future__ import annotations

import json
from typing import Any

from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.utils import timezone

from badges.exceptions import UnreadablePayload
from badges.issuing import awards
from badges.issuing.deliveries import run_due
from badges.issuing.tasks import held
from badges.models import (
    Application,
    Badge,
    BadgeChange,
    BadgeNotification,
    BadgeTemplate,
    DeliveryAttempt,
    Review,
)
from badges.processing.dead_events import incoming, park
from tests import factories

EMAIL, NAME = "anna@example.com", "Anna Maria Lee"
WAYS = ("keep", "revoke", "delete")


def snapshot() -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables of this app, of the users and of the admin's log."""
    models: list[Any] = [*apps.get_app_config("badges").get_models(), LogEntry, get_user_model()]
    return {model.__name__: list(model._base_manager.order_by("pk").values()) for model in models}


def everything() -> str:
    """All that this app has stored, and Django's log of the admin; of the keys of users, nothing."""
    models: list[Any] = [model for model in apps.get_app_config("badges").get_models() if not model._meta.proxy]
    rows = [row for model in [*models, LogEntry] for row in model._base_manager.values()]
    return json.dumps(rows, default=str).casefold()


def person(username: str, name: str, template: BadgeTemplate) -> Any:
    """A learner with badges that are issued and one that waits, and with all that names a learner."""
    user = factories.UserFactory(username=username, email=f"{username}@example.com", full_name=name)
    issued = awards.award(user, {template.pk: factories.moment(5)})[0]
    run_due(issued.pk)
    other = factories.BadgeTemplateFactory(account=template.account, external_id=f"other-{username}")
    with held():
        waiting = awards.award(user, {other.pk: factories.moment(6)})[0]
    _rows(user, issued)
    waiting.deliveries.filter(action="announce_awarded").update(note=f"For {user.email}")
    _told_by_others(user)
    return user


def _rows(user: Any, issued: Badge) -> None:
    BadgeNotification.objects.create(badge=issued, kind="no_user", sent_at=timezone.now())
    BadgeChange.objects.create(badge=issued, action="awarded", reason=f"{user.full_name} wrote from {user.email}.")
    factories.CallbackDeliveryFactory(callback__badge=issued)
    issue = issued.deliveries.get(action="issue")
    DeliveryAttempt.objects.create(
        delivery=issue, number=9, started_at=timezone.now(), duration_ms=1, outcome="done", detail=f"To {user.email}."
    )
    evidence = {"user.pii.email": user.email, "is_passing": True}
    factories.FulfillmentFactory(progress__user=user, evidence=evidence)
    application = Application.objects.create(
        template=factories.BadgeTemplateFactory(), user=user, submitted_at=timezone.now(), statement=user.full_name
    )
    # Of their own application, which goes as a whole, and of somebody else's.
    elsewhere = factories.ApplicationFactory()
    for one in (application, elsewhere):
        Review.objects.create(application=one, reviewed_at=timezone.now(), author_email=user.email)
    LogEntry.objects.create(
        user=factories.UserFactory(),
        content_type=ContentType.objects.get_for_model(issued),
        object_id=str(issued.pk),
        object_repr=str(issued),
        action_flag=CHANGE,
        change_message=f"For {user.email}.",
    )


def _told_by_others(user: Any) -> None:
    factories.EmployeeRecordFactory(email=user.email, full_name=user.full_name)
    factories.ProviderBadgeFactory(email=user.email)
    factories.WebhookEventFactory(body=json.dumps({"email": user.email}))
    told = factories.passing_status(user.username, name=user.full_name)
    event = incoming(factories.metadata(), {"course_passing_status": told})
    park(event, UnreadablePayload("It was too early."))
