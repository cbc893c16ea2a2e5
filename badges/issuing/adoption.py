"""What a person did at the provider: a badge that was taken away there, and one that was issued there.

Call it in the transaction of what tells of it.
"""

from __future__ import annotations

import logging
import uuid
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.utils import timezone

from badges.data import ListedBadge
from badges.issuing import awards, records
from badges.issuing.callbacks import make_for_badges
from badges.issuing.following import as_uuid, find, follow, is_news
from badges.issuing.tasks import enqueue_on_commit
from badges.models import Badge, BadgeTemplate, Callback, Delivery

logger = logging.getLogger(__name__)

__all__ = ["adopt", "as_uuid", "done", "find", "follow", "is_news", "revoke_as_there"]

Action, Status = Delivery.Action, Delivery.Status


def revoke_as_there(badge: Badge, at: datetime, note: str) -> bool:
    """Take a badge away here that was taken away at the provider: announced, and not sent back there.

    Arguments:
        badge: locked.
        at: when it was taken away; aware.
        note: what is noted on the delivery that would have taken it away there.

    Returns:
        False where it had been taken away here before.
    """
    if not badge.is_awarded:
        return False
    awards.revoke([badge], at)
    revoke: Any = Delivery.objects.filter(badge=badge, action=Action.REVOKE)
    revoke.move(Status.DONE, note=note)
    return True


def adopt(template: BadgeTemplate, user: AbstractBaseUser, listed: ListedBadge, note: str) -> Badge | None:
    """Make our record of a badge that the provider holds already: announced here, and not issued again.

    Arguments:
        template: ours.
        user: the learner.
        listed: as the provider tells it.
        note: what is noted on the delivery that would have issued it.

    Returns:
        None where the learner has a badge of this template, awarded or revoked.
    """
    held, own = listed.badge, as_uuid(listed.own_id)
    now = timezone.now()
    try:
        with transaction.atomic():
            if Badge.objects.filter(user_id=user.pk, template=template).exists():
                return None
            is_free = own is not None and not Badge.objects.filter(uuid=own).exists()
            badge = Badge.objects.create(
                uuid=own if own is not None and is_free else uuid.uuid4(),
                user_id=user.pk,
                template=template,
                external_id=held.external_id,
                state=held.state,
                state_at=held.state_at,
                is_public=held.is_public,
                url=held.url,
                awarded_at=min(listed.issued_at or now, now),
            )
            Delivery.objects.create(badge=badge, action=Action.ANNOUNCE_AWARDED)
            Delivery.objects.create(badge=badge, action=Action.ISSUE, **done(note))
            records.awarded([badge.pk])
            make_for_badges([badge.pk], Callback.Action.AWARD)
            enqueue_on_commit(badge.pk)
    except IntegrityError:
        # An event awarded it at this moment, or the learner was deleted.
        return None
    logger.info(
        'Badge %s of template "%s" was adopted from its provider.',
        badge.uuid,
        template.name,
        extra={"action": "badge_adopted", "badge": str(badge.uuid), "template": template.pk},
    )
    return badge


def done(note: str) -> dict[str, Any]:
    """The values of a delivery that others have done. Counted as attempted: it is looked up should it be done again."""
    return {"status": Status.DONE, "attempts": 1, "note": note, "finished_at": timezone.now()}
