"""What is known of badges at a provider that are not ours: the newest word on each, until one of ours is that badge."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from attrs import evolve
from django.utils import timezone

from badges.changes import BadgeChange, Relation
from badges.data import IssuedBadge
from badges.exceptions import ConfigurationError
from badges.issuing.following import DELETED, follow
from badges.models import Badge, ProviderAccount, ProviderBadge
from badges.models.users import learner_by_email
from badges.providers import registry
from badges.rules.payload import storable_text

LONGEST_EMAIL = 254
LONGEST_TEXT = 255


def record(change: BadgeChange, held: IssuedBadge, account: ProviderAccount) -> ProviderBadge:
    """The row of a badge, locked, with what a change says of it unless something newer is known.

    Arguments:
        held: the badge of the change, as it fits into a row.
    """
    made, is_new = ProviderBadge.objects.get_or_create(account_id=account.pk, external_id=held.external_id)
    row = ProviderBadge.objects.select_for_update().get(pk=made.pk)
    told = _facts(change, row)
    if is_new or is_newer(account.provider, held, change.at, row.state, row.state_at):
        told |= {
            "state": held.state,
            "state_at": held.state_at or change.at,
            "is_valid": held.is_valid,
            "is_revoked": held.is_revoked,
            "url": held.url or row.url,
        }
    told |= visibility(held.is_public, change.at, row.is_public, row.is_public_at)
    if told.get("state", row.state) == DELETED and learner_by_email(told.get("email", row.email)) is None:
        # It may have been deleted for a learner who left. Of one who is here, an older event may make it ours yet.
        told["email"] = ""
    write(row, told)
    return row


def locked(account: ProviderAccount, external_id: str) -> ProviderBadge | None:
    """The row of a badge, locked; None where there is none."""
    found = ProviderBadge.objects.filter(account_id=account.pk, external_id=external_id).values_list("pk", flat=True)
    # By its key alone, as everybody locks.
    pk = found.first()
    return ProviderBadge.objects.select_for_update().filter(pk=pk).first() if pk is not None else None


def update_known(change: BadgeChange, held: IssuedBadge, account: ProviderAccount, badge: Badge) -> None:
    """Keep the row of a badge that is ours in step, where it has one."""
    if ProviderBadge.objects.filter(account_id=account.pk, external_id=held.external_id).exists():
        link(record(change, held, account), badge)


def link(row: ProviderBadge, badge: Badge) -> None:
    """Note that a badge is ours. Its e-mail address is the learner's, and not needed any more.

    Arguments:
        row: locked.
    """
    write(row, {"badge_id": badge.pk, "email": "", "note": ""})


def successor(badge: Badge) -> ProviderBadge | None:
    """The row, locked, of what is known to have taken the place of our badge at the provider."""
    if not badge.external_id:
        return None
    rows = ProviderBadge.objects.filter(account_id=badge.template.account_id, replaces=badge.external_id)
    found = rows.exclude(external_id=badge.external_id).order_by("pk").values_list("pk", flat=True).first()
    return ProviderBadge.objects.select_for_update().filter(pk=found).first() if found is not None else None


def formerly(account: ProviderAccount, external_id: str) -> Badge | None:
    """Our badge that was this one at the provider, and is another one there by now. It is not locked."""
    rows = ProviderBadge.objects.filter(account_id=account.pk, badge__isnull=False).select_related("badge")
    found = rows.filter(external_id=external_id).first() or rows.filter(replaces=external_id).order_by("pk").first()
    return found.badge if found is not None else None


def explain(row: ProviderBadge, note: str) -> None:
    """Note why a badge is not ours."""
    write(row, {"note": note})


def held_by(row: ProviderBadge) -> IssuedBadge:
    """The badge of a row, as providers give it."""
    return IssuedBadge(
        external_id=row.external_id,
        state=row.state,
        url=row.url,
        is_valid=row.is_valid,
        is_revoked=row.is_revoked,
        state_at=row.state_at,
        is_public=row.is_public,
    )


def become(badge: Badge, row: ProviderBadge) -> None:
    """Make the badge of a row the one that our badge is at the provider, with all that is known of it.

    Arguments:
        badge: locked. What was known of the badge that it was there before is forgotten.
        row: locked.
    """
    forgotten: dict[str, Any] = {"url": "", "state": "", "state_at": None, "is_public": None, "is_public_at": None}
    Badge.objects.filter(pk=badge.pk).update(external_id=row.external_id, **forgotten)
    for name, value in {"external_id": row.external_id, **forgotten}.items():
        setattr(badge, name, value)
    follow(badge, held_by(row), row.is_public_at)
    link(row, badge)


def visibility(
    told: bool | None, at: datetime, known: bool | None, known_at: datetime | None
) -> dict[str, bool | datetime]:
    """What is to be written of a visibility that is told; of two at the same time, the invisible one counts."""
    if told is None or (known_at is not None and (at < known_at or (at == known_at and known is False))):
        return {}
    return {"is_public": told, "is_public_at": at}


def without_older_visibility(badge: Badge, held: IssuedBadge, at: datetime) -> IssuedBadge:
    """The same badge, silent on its visibility where that of ours is not to change."""
    is_told = visibility(held.is_public, at, badge.is_public, badge.is_public_at)
    return held if is_told else evolve(held, is_public=None)


def is_newer(provider: str, held: IssuedBadge, at: datetime, state: str, state_at: datetime | None) -> bool:
    """Whether a state is newer than the one that is known; of two at the same time, the later one in a badge's life."""
    moment = held.state_at or at
    if state_at is None or moment != state_at:
        return state_at is None or moment > state_at
    return _stage(provider, held.state) >= _stage(provider, state)


def write(row: ProviderBadge, values: dict[str, Any]) -> None:
    """Write what changes."""
    changed = {name: value for name, value in values.items() if getattr(row, name) != value}
    for name, value in changed.items():
        setattr(row, name, value)
    if changed:
        ProviderBadge.objects.filter(pk=row.pk).update(**changed, modified=timezone.now())


def _facts(change: BadgeChange, row: ProviderBadge) -> dict[str, Any]:
    """What of a badge does not change in its life: an event that leaves it out takes nothing away."""
    email = storable_text(change.badge.email)
    facts: dict[str, Any] = {
        "template_external_id": storable_text(change.badge.template_external_id)[:LONGEST_TEXT],
        "email": email if row.badge_id is None and len(email) <= LONGEST_EMAIL else "",
        "issued_at": change.badge.issued_at,
        "other_organization": storable_text(change.other_organization)[:LONGEST_TEXT],
        "replaces": storable_text(change.replaces)[:LONGEST_TEXT],
    }
    if change.relation is not Relation.OWN:
        facts["relation"] = change.relation.value
    return {name: value for name, value in facts.items() if value}


def _stage(provider: str, state: str) -> int:
    try:
        states = registry.provider_class(provider).states
    except ConfigurationError:
        return -1
    return states.index(state) if state in states else -1
