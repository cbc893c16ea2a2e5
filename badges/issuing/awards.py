"""Awarding and revoking: the badge and the deliveries that it causes, written together."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils import timezone

from badges.issuing.tasks import enqueue
from badges.models import Badge, BadgeTemplate, Delivery

logger = logging.getLogger(__name__)


def award(user: AbstractBaseUser, template_ids: Sequence[int], earned_at: datetime) -> list[Badge]:
    """Award badges that the learner does not hold and never held. Call it in the transaction of the progress.

    Arguments:
        user: the learner.
        template_ids: of templates for which the learner has no badge, awarded or revoked.
        earned_at: when the last requirement was fulfilled; aware.

    Returns:
        The new badges. Their deliveries start when the transaction commits.
    """
    if not template_ids:
        return []
    badges, deliveries = [], []
    for template in BadgeTemplate.objects.filter(pk__in=template_ids).order_by("pk"):
        # An event from a host whose clock is ahead must not give a badge of the future: providers refuse those.
        awarded_at = min(earned_at, timezone.now())
        badge = Badge.objects.create(user_id=user.pk, template=template, awarded_at=awarded_at)
        badges.append(badge)
        deliveries.append(Delivery(badge=badge, action=Delivery.Action.ANNOUNCE_AWARDED))
        if template.has_provider:
            deliveries.append(Delivery(badge=badge, action=Delivery.Action.ISSUE))
        logger.info(
            'Badge %s of template "%s" was awarded.',
            badge.uuid,
            template.name,
            extra={"action": "badge_awarded", "badge": str(badge.uuid), "template": template.pk},
        )
    Delivery.objects.bulk_create(deliveries)
    _deliver_on_commit(badges)
    return badges


def revoke(badges: Iterable[Badge], lost_at: datetime) -> list[Badge]:
    """Take badges away, for good. Call it in the transaction of the progress, with the rows locked.

    An issue that never went out is cancelled, and then the provider is told nothing; one that went out, or may have,
    is followed by a revocation.

    Arguments:
        badges: awarded badges.
        lost_at: when the penalty happened; aware.
    """
    revoked, deliveries = [], []
    for badge in badges:
        badge.status = Badge.Status.REVOKED
        badge.revoked_at = max(badge.awarded_at, min(lost_at, timezone.now()))
        badge.save(update_fields=["status", "revoked_at", "modified"])
        deliveries.append(Delivery(badge=badge, action=Delivery.Action.ANNOUNCE_REVOKED))
        if _provider_may_hold(badge):
            deliveries.append(Delivery(badge=badge, action=Delivery.Action.REVOKE))
        revoked.append(badge)
        logger.info("Badge %s was revoked.", badge.uuid, extra={"action": "badge_revoked", "badge": str(badge.uuid)})
    Delivery.objects.bulk_create(deliveries)
    _deliver_on_commit(revoked)
    return revoked


def _provider_may_hold(badge: Badge) -> bool:
    """Cancel the issue if nobody works on it, and say whether the provider may hold the badge all the same."""
    issue = Delivery.objects.filter(badge=badge, action=Delivery.Action.ISSUE)
    cancelled = {"status": Delivery.Status.CANCELLED, "finished_at": timezone.now(), "modified": timezone.now()}
    if issue.filter(status=Delivery.Status.PENDING, attempts=0).update(**cancelled):
        return False
    issue.filter(status=Delivery.Status.PENDING).update(**cancelled)
    return issue.exists()


def _deliver_on_commit(badges: Iterable[Badge]) -> None:
    for badge in badges:
        # Robust: the award is committed by then, and a task engine that is away must not look like a failed event.
        transaction.on_commit(partial(enqueue, badge.pk), robust=True)
