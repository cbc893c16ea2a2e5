"""Archives a template that is gone at the provider, and names what depends on it here."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext

from badges.data import TemplateState
from badges.issuing.sync.position import Position
from badges.issuing.sync.report import Vanished
from badges.issuing.sync.rows import write
from badges.models import Badge, BadgePenalty, BadgeProgress, BadgeRequirement, BadgeTemplate

CHUNK = 100


def unseen(position: Position) -> Iterator[list[BadgeTemplate]]:
    """The templates that the whole list did not show; some at a time."""
    known = BadgeTemplate.objects.filter(account_id=position.account_id, external_id__isnull=False)
    known = known.exclude(state=TemplateState.ARCHIVED, is_active=False)
    known = known.filter(Q(synced_in__isnull=True) | ~Q(synced_in=position.token)).order_by("pk")
    last = 0
    while chunk := list(known.filter(pk__gt=last)[:CHUNK]):
        yield chunk
        last = chunk[-1].pk


def archive(pk: int, position: Position) -> Vanished | None:
    """Archive and deactivate a template.

    Returns:
        What depends on it; None where staff has deleted it meanwhile.

    Raises:
        Overtaken: another run is at work on this account, and may have seen the template.
    """
    with transaction.atomic():
        position.hold()
        return take_down(pk)


def take_down(pk: int, at: datetime | None = None) -> Vanished | None:
    """Archive and deactivate a template, within a transaction. It is never deleted, for the sake of its history.

    Arguments:
        at: when it vanished, by the provider's clock; aware. None where nobody knows.

    Returns:
        What depends on it; None where staff has deleted it meanwhile.
    """
    since = {} if at is None else {"state_at": at}
    if not write(pk, {"state": TemplateState.ARCHIVED.value, "is_active": False, **since}):
        return None
    row = BadgeTemplate.objects.get(pk=pk)
    return Vanished(
        name=row.name,
        external_id=row.external_id or "",
        requirements=tuple(_words(one) for one in BadgeRequirement.objects.filter(template=row)),
        penalties=tuple(_words(one) for one in BadgePenalty.objects.filter(template=row)),
        learners=_learners_on_the_way(row),
        badges=Badge.objects.filter(template=row).count(),
    )


def _learners_on_the_way(row: BadgeTemplate) -> int:
    progress = BadgeProgress.objects.filter(template=row, fulfillments__is_fulfilled=True)
    badges = Badge.objects.filter(template=row, user=OuterRef("user"))
    return progress.exclude(Exists(badges)).distinct().count()


def _words(dependent: BadgeRequirement | BadgePenalty) -> str:
    group = dependent.group if isinstance(dependent, BadgeRequirement) else ""
    where = dependent.event_type
    if group:
        where = gettext('%(event_type)s, group "%(group)s"') % {"event_type": where, "group": group}
    if not dependent.description:
        return where
    return gettext('"%(description)s" (%(where)s)') % {"description": dependent.description, "where": where}
