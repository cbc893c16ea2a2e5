"""Awarding and revoking: the badge and the deliveries that it causes, written together."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.utils import timezone

from badges.issuing.tasks import enqueue_on_commit
from badges.models import Badge, BadgeTemplate, Delivery

logger = logging.getLogger(__name__)


def award(user: AbstractBaseUser, earned: Mapping[int, datetime]) -> list[Badge]:
    """Award badges that the learner does not hold and never held. Call it in the transaction of the progress.

    Arguments:
        user: the learner.
        earned: id of a template for which the learner has no badge, awarded or revoked -> when its last group was
            fulfilled; aware.

    Returns:
        The new badges. Their deliveries start when the transaction commits.
    """
    if not earned:
        return []
    badges, deliveries = [], []
    for template in BadgeTemplate.objects.filter(pk__in=earned).order_by("pk"):
        # An event from a host whose clock is ahead must not give a badge of the future: providers refuse those.
        awarded_at = min(earned[template.pk], timezone.now())
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
    for badge in badges:
        enqueue_on_commit(badge.pk)
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
    for badge in revoked:
        enqueue_on_commit(badge.pk)
    return revoked


def _provider_may_hold(badge: Badge) -> bool:
    """Cancel the issue if nobody works on it, and say whether the provider may hold the badge all the same."""
    issue = Delivery.objects.filter(badge=badge, action=Delivery.Action.ISSUE)
    note = "The badge was revoked before it was issued."
    if issue.filter(status=Delivery.Status.PENDING, attempts=0).move(Delivery.Status.CANCELLED, note=note):
        return False
    # A dead one too: it could otherwise be retried, and nothing would take the badge away again.
    note = "The badge was revoked. Where the provider got it all the same, the revocation that follows takes it away."
    issue.filter(status__in=(Delivery.Status.PENDING, Delivery.Status.DEAD)).move(Delivery.Status.CANCELLED, note=note)
    return issue.exists()
