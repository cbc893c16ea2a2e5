"""Settling one difference between a badge here and at the provider, if it still is one."""

from __future__ import annotations

import logging
import uuid
from datetime import datetime
from typing import Any

from attrs import field, frozen
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Value
from django.db.models.functions import Greatest
from django.utils import timezone

from badges.data import IssuedBadge, ListedBadge
from badges.issuing import adoption
from badges.issuing.reconcile_match import ours_of
from badges.issuing.reconcile_rules import Kind, Ours
from badges.issuing.tasks import enqueue_on_commit
from badges.models import Badge, BadgeTemplate, Delivery

logger = logging.getLogger(__name__)

Action, Status = Delivery.Action, Delivery.Status
ADOPTED = "A reconciliation found it at the provider and adopted it."
ALREADY_REVOKED = "A reconciliation found it revoked at the provider; nothing was left to do there."
ALREADY_DONE = "It had been given up; a reconciliation found that the provider has it as it should be."
QUEUED_AGAIN = "A reconciliation did not find at the provider what this delivery brought about, and queued it again."


@frozen
class Difference:
    """One difference, with all that settling it takes. Its repr holds no personal data."""

    kind: Kind
    template: str
    """The template's name."""
    template_id: int
    user_id: int
    badge_uuid: uuid.UUID | None = None
    """None where there is no badge here."""
    ours: Ours | None = None
    """How the badge here stood when it was compared."""
    held: IssuedBadge | None = None
    """What the provider holds; None where that is nothing."""
    own_id: str = field(default="", repr=False)
    issued_at: datetime | None = None
    """When the learner got what is missing here, as the provider says."""


def settle(difference: Difference) -> bool:
    """Bring both sides together, in one transaction; deliveries start when it commits.

    Returns:
        False where the badge is not as it was when it was compared: then nothing is changed.

    Raises:
        django.db.Error: the database failed; nothing is changed.
    """
    if difference.kind is Kind.MISSING_HERE and difference.held is not None:
        return _create(difference, difference.held)
    if difference.badge_uuid is None:
        return False
    with transaction.atomic():
        badge = Badge.objects.select_for_update().filter(uuid=difference.badge_uuid).first()
        # Events and workers go on meanwhile: what one of them changed is compared anew by the next run.
        if badge is None or ours_of(badge) != difference.ours:
            return False
        _settle(badge, difference)
    logger.info(
        "Badge %s was reconciled with its provider: %s.",
        difference.badge_uuid,
        difference.kind.value,
        extra={"action": "badge_reconciled", "badge": str(difference.badge_uuid), "difference": difference.kind.value},
    )
    return True


def _settle(badge: Badge, difference: Difference) -> None:
    if difference.held is not None:
        _adopt(badge, difference.held)
    deliveries: Any = Delivery.objects.filter(badge=badge)
    match difference.kind:
        case Kind.DONE_THERE:
            given_up = Action.ISSUE if badge.is_awarded else Action.REVOKE
            deliveries.filter(action=given_up, status=Status.DEAD).move(Status.DONE, note=ALREADY_DONE, last_error="")
        case Kind.REVOKED_THERE:
            adoption.revoke_as_there(badge, timezone.now(), ALREADY_REVOKED)
        case Kind.VALID_THERE:
            deletions = deliveries.filter(action=Action.DELETE).exclude(status=Status.CANCELLED)
            _queue(badge, Action.DELETE if deletions.exists() else Action.REVOKE)
        case Kind.MISSING_THERE:
            # A revocation that comes before the new issue is known must look for it, not name the one that is gone.
            Badge.objects.filter(pk=badge.pk).update(
                external_id="", state="", state_at=None, url="", modified=timezone.now()
            )
            _queue(badge, Action.ISSUE)


def _adopt(badge: Badge, held: IssuedBadge) -> None:
    badge.external_id, badge.state, badge.url = held.external_id, held.state, held.url or badge.url
    badge.state_at = held.state_at or badge.state_at
    if held.is_public is not None:
        badge.is_public = held.is_public
    badge.save(update_fields=["external_id", "state", "state_at", "is_public", "url", "modified"])
    if held.is_valid and badge.is_awarded:
        # Without one a later revocation would not be told to the provider.
        Delivery.objects.get_or_create(badge=badge, action=Action.ISSUE, defaults=adoption.done(ADOPTED))


def _queue(badge: Badge, action: Delivery.Action) -> None:
    now = timezone.now()
    again: Any = Delivery.objects.filter(badge=badge, action=action, status__in=(Status.DONE, Status.DEAD))
    queued = again.move(
        Status.PENDING,
        # One that was attempted before is looked up before it is issued: the search may have lagged.
        attempts=Greatest("attempts", Value(1)),
        failures=0,
        give_up_at=None,
        next_attempt_at=now,
        note=QUEUED_AGAIN,
    )
    if not queued:
        Delivery.objects.create(badge=badge, action=action, attempts=1, note=QUEUED_AGAIN)
    enqueue_on_commit(badge.pk)


def _create(difference: Difference, held: IssuedBadge) -> bool:
    listed = ListedBadge(badge=held, own_id=difference.own_id, issued_at=difference.issued_at)
    with transaction.atomic():
        template = BadgeTemplate.objects.filter(pk=difference.template_id).first()
        user = get_user_model()._default_manager.filter(pk=difference.user_id).first()
        if template is None or user is None:
            return False
        return adoption.adopt(template, user, listed, ADOPTED) is not None
