"""A learner who leaves: what becomes of the badges, here and at their providers."""

from __future__ import annotations

import enum
import logging
from collections.abc import Iterable
from typing import Any

from attrs import field, frozen
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext

from badges.exceptions import ConfigurationError
from badges.issuing import by_staff
from badges.issuing.deliveries import retry_now
from badges.issuing.tasks import enqueue_on_commit
from badges.models import Badge, Delivery, ProviderAccount
from badges.providers import registry

logger = logging.getLogger(__name__)

Action, Status = Delivery.Action, Delivery.Status
DELETED_INSTEAD = "The badge is deleted at the provider instead."


class AtProvider(enum.StrEnum):
    """What becomes of a learner's badges at their providers."""

    KEEP = "keep"
    REVOKE = "revoke"
    DELETE = "delete"


@frozen
class Parting:
    """What is to be done with a learner's badges. All are ids of badges, in rising order."""

    revoked: tuple[int, ...] = ()
    """They are awarded, and revoked here; the provider follows."""
    deleted: tuple[int, ...] = ()
    """They are deleted at their providers."""
    left: tuple[int, ...] = ()
    """They were to be deleted, and cannot be: their provider does not delete, or does not take orders from here."""
    replaced: tuple[int, ...] = field(default=(), repr=False)
    """Ids of deliveries: revocations that have not been carried out, and for which deletions take the place."""
    again: tuple[int, ...] = ()
    """Their revocations at the providers had been given up, and are begun again."""


def parting(badges: Iterable[Badge], wanted: AtProvider) -> Parting:
    """What is to be done with badges. Reads, and changes nothing.

    Arguments:
        badges: with their templates, accounts and deliveries loaded, in the order of their ids.
        wanted: what is asked for.
    """
    if wanted is AtProvider.KEEP:
        return Parting()
    revoked, deleted, left, replaced, again = [], [], [], [], []
    for badge in badges:
        if badge.is_awarded:
            revoked.append(badge.pk)
        deliveries = {one.action: one for one in badge.deliveries.all()}
        revocation = deliveries.get(Action.REVOKE)
        is_leaving = wanted is AtProvider.DELETE and _may_be_there(badge, deliveries)
        if is_leaving and _can_be_deleted(badge.template.account):
            if _is_to_be_deleted(badge, deliveries.get(Action.DELETE)):
                deleted.append(badge.pk)
                if revocation is not None and revocation.status in (Status.PENDING, Status.DEAD):
                    replaced.append(revocation.pk)
            continue
        if is_leaving:
            left.append(badge.pk)
        if revocation is not None and revocation.status == Status.DEAD:
            again.append(badge.pk)
    return Parting(tuple(revoked), tuple(deleted), tuple(left), tuple(replaced), tuple(again))


def badges_of(user: Any) -> Any:
    """The badges of a learner, with all that :func:`parting` needs."""
    found = Badge.objects.filter(user=user).select_related("template__account")
    return found.prefetch_related("deliveries").order_by("pk")


def hold(user: Any) -> None:
    """Lock a learner's badges, and what is to be told of them. Call it in a transaction."""
    badges = list(Badge.objects.filter(user=user).order_by().values_list("pk", flat=True))
    locked = list(Badge.objects.select_for_update().filter(pk__in=badges).order_by("pk").values_list("pk", flat=True))
    about = Q(badge_id__in=locked) | Q(callback__badge_id__in=locked)
    deliveries = list(Delivery.objects.filter(about).order_by().values_list("pk", flat=True))
    list(Delivery.objects.select_for_update().filter(pk__in=deliveries).order_by("pk").values_list("pk"))


def carry_out(user: Any, wanted: AtProvider) -> Parting:
    """Revoke a learner's badges, and have them revoked or deleted at their providers once the transaction commits.

    Call it in a transaction, with what :func:`hold` locks.

    Returns:
        What was done.
    """
    badges = list(badges_of(user))
    done = parting(badges, wanted)
    by_id = {badge.pk: badge for badge in badges}
    for pk in done.revoked:
        by_staff.revoke(by_id[pk], by=None, reason=gettext("The learner was retired."))
    for pk in done.deleted:
        _queue_deletion(by_id[pk])
    for revocation in Delivery.objects.filter(badge_id__in=done.again, action=Action.REVOKE):
        retry_now(revocation)
        enqueue_on_commit(revocation.own_badge.pk)
    return done


def delete_again(badge: Badge, external_id: str) -> None:
    """Delete what turned up at the provider after its deletion: it was not found then, or the news of it is old.

    Arguments:
        badge: locked.
        external_id: the provider's identifier.
    """
    deletion = Delivery.objects.filter(badge=badge, action=Action.DELETE, status__in=(Status.DONE, Status.DEAD))
    if not deletion.move(Status.PENDING, next_attempt_at=timezone.now(), failures=0, give_up_at=None):
        return
    Badge.objects.filter(pk=badge.pk).update(external_id=external_id, modified=timezone.now())
    enqueue_on_commit(badge.pk)


def _may_be_there(badge: Badge, deliveries: dict[str, Delivery]) -> bool:
    """Whether the provider may hold a badge: it is known there, or was sent there, or may have been."""
    if badge.external_id:
        return True
    issue = deliveries.get(Action.ISSUE)
    if issue is None or (issue.status in (Status.PENDING, Status.CANCELLED) and issue.attempts == 0):
        return False
    # Nothing was there when it was looked for.
    deletion = deliveries.get(Action.DELETE)
    return deletion is None or deletion.status != Status.DONE


def _can_be_deleted(account: ProviderAccount | None) -> bool:
    if account is None or not account.is_issuing:
        return False
    try:
        return registry.provider_class(account.provider).features.deletes
    except ConfigurationError:
        # Not installed at the moment: the deletion waits for it.
        return True


def _is_to_be_deleted(badge: Badge, deletion: Delivery | None) -> bool:
    """Whether nothing is under way that deletes it. What somebody cancelled is a decision, which stands."""
    if deletion is None or deletion.status == Status.DEAD:
        return True
    return deletion.status == Status.DONE and bool(badge.external_id)


def _queue_deletion(badge: Badge) -> None:
    undone = Delivery.objects.filter(badge=badge, action=Action.REVOKE, status__in=(Status.PENDING, Status.DEAD))
    undone.move(Status.CANCELLED, note=DELETED_INSTEAD)
    deletion, is_new = Delivery.objects.get_or_create(badge=badge, action=Action.DELETE)
    if not is_new and not retry_now(deletion):
        delete_again(badge, badge.external_id)
    logger.info(
        "Badge %s is to be deleted at its provider.",
        badge.uuid,
        extra={"action": "badge_deletion_queued", "badge": str(badge.uuid)},
    )
    enqueue_on_commit(badge.pk)
