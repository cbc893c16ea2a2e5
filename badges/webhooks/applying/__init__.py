"""What each kind of change does to what we have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from badges.changes import (
    BadgeChange,
    EmploymentChange,
    NotificationSent,
    ProviderEvent,
    ReviewChange,
    TemplateChange,
    TemplateRemoval,
    VisibilityChange,
)
from badges.models import ProviderAccount
from badges.webhooks.applying.badges import adopt_recorded, apply_badge_change
from badges.webhooks.applying.employment import apply_employment
from badges.webhooks.applying.locking import OfBadge, hold
from badges.webhooks.applying.marks import apply_notification_sent, apply_visibility_change
from badges.webhooks.applying.reviews import apply_review
from badges.webhooks.applying.templates import apply_template_change, apply_template_removal, is_known

Applier = Callable[[Any, ProviderAccount], str]
"""Takes a change and the account whose provider tells of it; returns what it changed here, empty for nothing."""

APPLIERS: Mapping[type[Any], Applier] = {
    BadgeChange: apply_badge_change,
    VisibilityChange: apply_visibility_change,
    NotificationSent: apply_notification_sent,
    TemplateChange: apply_template_change,
    TemplateRemoval: apply_template_removal,
    EmploymentChange: apply_employment,
    ReviewChange: apply_review,
}


def apply(event: ProviderEvent, account: ProviderAccount) -> list[str]:
    """Apply an event, within a transaction.

    Arguments:
        event: as its provider tells it.
        account: whose event it is.

    Returns:
        What it changed, in sentences; empty where it changed nothing.

    Raises:
        Exception: whatever went wrong; nothing of the event may stay then.
    """
    about_badges = [change for change in event.changes if isinstance(change, OfBadge)]
    about_templates = [change for change in event.changes if isinstance(change, TemplateChange)]
    # Beside other changes it is not done: their locks would come after those of badges.
    news = about_templates if len(about_templates) == len(event.changes) else []
    news = [change for change in news if not is_known(change, account)]
    told = []
    for change in event.changes:
        if about_badges and change is about_badges[0]:
            # Not before: what configures is locked before badges.
            hold(about_badges, account)
        told.append(_applier_of(change)(change, account))
    for change in news:
        told += adopt_recorded(change.template.external_id, account)
    return [str(sentence) for sentence in told if sentence]


def _applier_of(change: object) -> Applier:
    if type(change) not in APPLIERS:
        raise TypeError(f"Nothing applies a {type(change).__name__}.")
    return APPLIERS[type(change)]
