"""What an event's changes are about is locked before the first of them is applied, in the one order of all.

Two events may name the same badges in different orders, and each may lead to rows that it does not name: locked one
after the other, as they are come upon, they would wait for each other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TypeAlias

from badges.changes import BadgeChange, NotificationSent, VisibilityChange
from badges.issuing.following import as_uuid
from badges.models import Badge, BadgeTemplate, ConfigurationVersion, ProviderAccount, ProviderBadge
from badges.models.insertion import insert
from badges.rules.payload import storable_text

OfBadge: TypeAlias = BadgeChange | VisibilityChange | NotificationSent
LONGEST_ID = 255
MOST_REPLACEMENTS = 20


def hold(changes: Iterable[OfBadge], account: ProviderAccount) -> None:
    """Lock the rows of badges that an event is about, and those of what took their places; see docs/locking.rst.

    Rows that an event makes known are made at once: their place in the order is before the badges.

    Arguments:
        changes: all of the event that are about badges.
        account: whose event it is.
    """
    changes = list(changes)
    _wait_for_templates(changes, account)
    named = {external_id: own_id for external_id, own_id in map(_named, changes) if _can_be_looked_for(external_id)}
    replaced = {one.replaces for one in changes if isinstance(one, BadgeChange) and _can_be_looked_for(one.replaces)}
    known = _lock_provider_badges(account, named)
    told = {_named(one)[0] for one in changes if isinstance(one, BadgeChange)}
    _make_missing(account, (told & named.keys()) - known)
    _lock_badges(account, named.keys() | replaced, named.values())


def _wait_for_templates(changes: Iterable[OfBadge], account: ProviderAccount) -> None:
    """A template that is not known may be made at this moment, and then adopts the badges that it can see."""
    told = (one.badge.template_external_id for one in changes if isinstance(one, BadgeChange))
    named = {external_id for external_id in told if _can_be_looked_for(external_id)}
    known = BadgeTemplate.objects.filter(account_id=account.pk, external_id__in=named)
    if named and known.count() < len(named):
        ConfigurationVersion.hold()


def _named(change: OfBadge) -> tuple[str, str]:
    if isinstance(change, BadgeChange):
        return change.badge.badge.external_id, change.badge.own_id
    return change.external_id, change.own_id


def _can_be_looked_for(external_id: str) -> bool:
    return 0 < len(external_id) <= LONGEST_ID and storable_text(external_id) == external_id


def _lock_provider_badges(account: ProviderAccount, external_ids: Collection[str]) -> set[str]:
    """The rows of these badges and of those that took their places, over and over. Which badges there are rows of."""
    rows = ProviderBadge.objects.filter(account_id=account.pk).order_by().values_list("pk", "external_id")
    found: dict[int, str] = {}
    looked_for = set(external_ids)
    for _ in range(MOST_REPLACEMENTS):
        # Two questions in one statement: together, on some databases, they would not use the indexes.
        come = dict(rows.filter(external_id__in=looked_for).union(rows.filter(replaces__in=looked_for)))
        looked_for = {external_id for pk, external_id in come.items() if pk not in found} - looked_for
        found |= come
        if not looked_for:
            break
    if found:
        list(ProviderBadge.objects.select_for_update().filter(pk__in=found).order_by("pk").values_list("pk"))
    return set(found.values())


def _make_missing(account: ProviderAccount, external_ids: Collection[str]) -> None:
    """Make the rows of badges that are not ours, as far as can be seen without a lock."""
    ours = Badge.objects.filter(template__account_id=account.pk, external_id__in=external_ids).order_by()
    missing = set(external_ids) - set(ours.values_list("external_id", flat=True)) if external_ids else set()
    if missing:
        # Where another worker makes one at this moment, its row is waited for, and locked, by this very statement.
        insert(
            ProviderBadge,
            ("account_id", "external_id"),
            [(account.pk, external_id) for external_id in sorted(missing)],
            unique=("account_id", "external_id"),
            update=("account_id",),
        )


def _lock_badges(account: ProviderAccount, external_ids: Collection[str], own_ids: Iterable[str]) -> None:
    ours = Badge.objects.filter(template__account_id=account.pk).order_by().values_list("pk", flat=True)
    own = {own_id for own_id in map(as_uuid, own_ids) if own_id is not None}
    found = list(ours.filter(external_id__in=external_ids).union(ours.filter(uuid__in=own)))
    if found:
        list(Badge.objects.select_for_update().filter(pk__in=found).order_by("pk").values_list("pk"))
