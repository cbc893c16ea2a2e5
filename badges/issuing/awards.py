"""Awarding and revoking: the badge and the deliveries that it causes, written together."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.utils import timezone

from badges.issuing import records
from badges.issuing.callbacks import make_for_badges
from badges.issuing.tasks import enqueue_on_commit
from badges.models import Badge, BadgeTemplate, Callback, Delivery
from badges.models.insertion import insert

logger = logging.getLogger(__name__)


def award(user: AbstractBaseUser, earned: Mapping[int, datetime]) -> list[Badge]:
    """Award badges to one learner; see :func:`award_all`.

    Arguments:
        user: the learner.
        earned: id of a template -> when its last group was fulfilled; aware.
    """
    made = award_all({(user.pk, template_id): earned_at for template_id, earned_at in earned.items()})
    return list(Badge.objects.filter(pk__in=made.values()).select_related("template").order_by("pk"))


def award_once(user: AbstractBaseUser, template_id: int) -> tuple[Badge, bool]:
    """Award a badge now to a learner who may hold it, or may have held it. Call it in a transaction.

    Arguments:
        user: the learner.
        template_id: of which template.

    Returns:
        The learner's badge, and whether it is new; one that is not, awarded or revoked, is locked and was left alone.

    Raises:
        django.db.IntegrityError: the learner or the template is not there any more.
    """
    if (found := _locked(user, template_id)) is not None:
        return found, False
    try:
        with transaction.atomic():
            made = award(user, {template_id: timezone.now()})
    except IntegrityError:
        # An event, or somebody else, has awarded it at this moment.
        if (found := _locked(user, template_id)) is None:
            raise
        return found, False
    if not made:
        raise IntegrityError(f"There is no badge template {template_id} any more.")
    return made[0], True


def _locked(user: AbstractBaseUser, template_id: int) -> Badge | None:
    """The learner's badge. A locking read sees what another transaction has just committed, at any isolation."""
    return Badge.objects.select_for_update().filter(user_id=user.pk, template_id=template_id).first()


def award_all(earned: Mapping[tuple[int, int], datetime]) -> dict[tuple[int, int], int]:
    """Award badges that their learners do not hold and never held. Call it in the transaction of the progress.

    Arguments:
        earned: (id of a learner, id of a template) without a badge, awarded or revoked -> when the last group was
            fulfilled; aware.

    Returns:
        The same pairs -> the ids of the new badges. Their deliveries start when the transaction commits.
    """
    if not earned:
        return {}
    rows = BadgeTemplate.objects.filter(pk__in={template_id for _, template_id in earned}).order_by()
    templates = {
        pk: (name, bool(is_issuing)) for pk, name, is_issuing in rows.values_list("pk", "name", "account__is_issuing")
    }
    now = timezone.now()
    badges = [
        # An event from a host whose clock is ahead must not give a badge of the future: providers refuse those.
        (uuid.uuid4(), user_id, template_id, min(earned_at, now))
        for (user_id, template_id), earned_at in sorted(earned.items())
        if template_id in templates
    ]
    ids = _insert_badges(badges)
    deliveries: list[tuple[int, str]] = []
    for badge_uuid, user_id, template_id, _ in badges:
        badge_id, (name, is_issuing) = ids[user_id, template_id], templates[template_id]
        deliveries.append((badge_id, Delivery.Action.ANNOUNCE_AWARDED.value))
        if is_issuing:
            deliveries.append((badge_id, Delivery.Action.ISSUE.value))
        logger.info(
            'Badge %s of template "%s" was awarded.',
            badge_uuid,
            name,
            extra={"action": "badge_awarded", "badge": str(badge_uuid), "template": template_id},
        )
    insert(Delivery, ("badge_id", "action"), deliveries)
    records.awarded(ids.values())
    make_for_badges(list(ids.values()), Callback.Action.AWARD)
    enqueue_on_commit(*ids.values())
    return ids


def _insert_badges(badges: list[tuple[uuid.UUID, int, int, datetime]]) -> dict[tuple[int, int], int]:
    columns = ("uuid", "user_id", "template_id", "awarded_at")
    made = insert(Badge, columns, badges, returning=("id", "user_id", "template_id"))
    if made is None:
        rows = Badge.objects.filter(uuid__in=[badge[0] for badge in badges]).order_by("pk")
        made = list(rows.values_list("pk", "user_id", "template_id"))
    return {(user_id, template_id): badge_id for badge_id, user_id, template_id in made}


def revoke(badges: Iterable[Badge], lost_at: datetime) -> list[Badge]:
    """Take badges away that were lost at the same time; see :func:`revoke_all`."""
    return revoke_all([(badge, lost_at) for badge in badges])


def revoke_all(lost: Iterable[tuple[Badge, datetime]]) -> list[Badge]:
    """Take badges away, for good. Call it in the transaction of the progress, with the rows locked.

    An issue that never went out is cancelled, and then the provider is told nothing; one that went out, or may have,
    is followed by a revocation.

    Arguments:
        lost: awarded badges, each with the time of the penalty; aware.
    """
    revoked, deliveries = [], []
    for badge, lost_at in lost:
        badge.status = Badge.Status.REVOKED
        badge.revoked_at = max(badge.awarded_at, min(lost_at, timezone.now()))
        badge.save(update_fields=["status", "revoked_at", "modified"])
        deliveries.append(Delivery(badge=badge, action=Delivery.Action.ANNOUNCE_REVOKED))
        if _provider_may_hold(badge):
            deliveries.append(Delivery(badge=badge, action=Delivery.Action.REVOKE))
        revoked.append(badge)
        logger.info("Badge %s was revoked.", badge.uuid, extra={"action": "badge_revoked", "badge": str(badge.uuid)})
    if revoked:
        Delivery.objects.bulk_create(deliveries)
        records.revoked([badge.pk for badge in revoked])
        make_for_badges([badge.pk for badge in revoked], Callback.Action.REVOKE)
        enqueue_on_commit(*(badge.pk for badge in revoked))
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
    # A system that only tells us of its badges is not told of ours.
    return issue.filter(badge__template__account__is_issuing=True).exists()
