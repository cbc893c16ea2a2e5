"""How the provider holds our badges: found by what it says, and written down unless something newer is known."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.utils import timezone

from badges.data import IssuedBadge
from badges.exceptions import ConfigurationError
from badges.models import Badge, ProviderBadge
from badges.providers import registry

DELETED = "deleted"
"""The state of a badge of which its provider holds nothing any more, in our words."""


def find(account_id: int, external_id: str, own_id: str = "") -> Badge | None:
    """Our badge that a provider speaks of, locked; None where it is none of ours.

    Arguments:
        account_id: the account that it speaks of.
        external_id: the provider's identifier.
        own_id: ours, where the provider gives it back; it counts before the other.
    """
    ours = Badge.objects.filter(template__account_id=account_id).order_by("pk").values_list("pk", flat=True)
    own = as_uuid(own_id)
    found = ours.filter(uuid=own).first() if own is not None else None
    if found is None and external_id:
        found = ours.filter(external_id=external_id).first()
    # By its key alone: with the template joined, that would be locked as well.
    return Badge.objects.select_for_update().filter(pk=found).first() if found is not None else None


def forget(badge_ids: Collection[int]) -> None:
    """Forget what leads to badges at their providers, which hold nothing of them any more: identifier and page.

    They are locked by this, after what is known of them beside our records. Call it in a transaction.
    """
    beside = ProviderBadge.objects.filter(badge_id__in=badge_ids).order_by("pk")
    keys = list(beside.values_list("pk", flat=True))
    keys = list(
        ProviderBadge.objects.select_for_update().filter(pk__in=keys).order_by("pk").values_list("pk", flat=True)
    )
    locked = Badge.objects.select_for_update().filter(pk__in=badge_ids).order_by("pk")
    found = list(locked.values_list("pk", flat=True))
    ProviderBadge.objects.filter(pk__in=keys).delete()
    now = timezone.now()
    nothing = {"external_id": "", "url": "", "is_public": None, "is_public_at": None}
    Badge.objects.filter(pk__in=found).update(state=DELETED, state_at=now, modified=now, **nothing)


def is_forgotten(badge: Badge) -> bool:
    """Whether a badge was deleted at its provider on our behalf: what is told of it there comes too late."""
    return badge.state == DELETED and not badge.external_id


def follow(badge: Badge, held: IssuedBadge, at: datetime | None) -> bool:
    """Write down how the provider holds our badge.

    Arguments:
        badge: locked.
        held: as the provider tells it.
        at: when it was so, where ``held`` does not say since when; aware. None where nobody knows.

    Returns:
        Whether anything changed.
    """
    if is_forgotten(badge):
        return False
    changed = _state(badge, held, at)
    if held.is_public is not None and (badge.is_public_at is None or at is None or at >= badge.is_public_at):
        changed |= {"is_public": held.is_public, "is_public_at": at or badge.is_public_at}
    changed = {name: value for name, value in changed.items() if getattr(badge, name) != value}
    if changed:
        for name, value in changed.items():
            setattr(badge, name, value)
        Badge.objects.filter(pk=badge.pk).update(**changed, modified=timezone.now())
    return bool(changed)


def is_news(badge: Badge, held: IssuedBadge, at: datetime | None) -> bool:
    """Whether a state is newer than the one that is known; of two at the same time, the later one in a badge's life."""
    moment = held.state_at or at
    known = badge.state_at
    if badge.external_id and badge.external_id != held.external_id and moment is None:
        return True
    if known is None or (moment is not None and moment > known):
        return True
    if moment is not None and moment < known:
        return False
    return _stage(badge, held.state) >= _stage(badge, badge.state)


def as_uuid(text: str) -> uuid.UUID | None:
    """A UUID; None where it is none."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _state(badge: Badge, held: IssuedBadge, at: datetime | None) -> dict[str, Any]:
    if not is_news(badge, held, at):
        return {}
    return {
        "external_id": held.external_id,
        "state": held.state,
        "state_at": held.state_at or at or badge.state_at,
        "url": held.url or badge.url,
    }


def _stage(badge: Badge, state: str) -> int:
    """How late in its life a badge is in a state, by its provider's list; -1 where that does not tell."""
    try:
        states = registry.provider_class(badge.template.provider).states
    except ConfigurationError:
        return -1
    return states.index(state) if state in states else -1
