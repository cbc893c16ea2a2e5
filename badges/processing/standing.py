"""Where learners stand: what is stored of their progress, looked at and locked."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Set
from typing import TypeVar

from django.db import connection
from django.db.models import Model, OuterRef, QuerySet, Subquery

from badges.models import Badge, BadgeProgress, Fulfillment
from badges.models.insertion import insert
from badges.models.lookups import OneOf
from badges.processing import learners
from badges.processing.register import Entry
from badges.processing.steps import Reading

M = TypeVar("M", bound=Model)
Pair = tuple[int, int]
"""A learner's id and a template's id."""


Who = int | str
"""A learner: the id of the user record, or the username where there is none."""


class Standing:
    """What is known of learners by a look without locks: it tells whether an event can change anything."""

    def __init__(self, users: dict[str, int]) -> None:
        self.users = users
        """Username -> id of the user record, of those who have one."""
        self.entries: dict[tuple[Who, int], dict[int, Entry]] = defaultdict(dict)
        """(learner, template) -> requirement -> the newest word on it."""
        self.with_badge: set[tuple[Who, int]] = set()
        self.unclear: set[str] = set()
        """Usernames that the database may take for another one's: what is known of them may be under that name."""


def look(readings: Iterable[Reading]) -> Standing:
    """What is known of the learners and templates of these readings. Two queries; one where no learner is known.

    It is not one with a join: among some hundred thousand users PostgreSQL then reads them all.
    """
    usernames, template_ids = set(), set()
    for reading in readings:
        usernames.add(reading.learner.username)
        template_ids.update([step.template_id for step in reading.steps])
    standing = Standing(learners.known(usernames))
    if len(standing.users) < len(usernames):
        standing.unclear = _unclear(usernames, standing.users.keys())
    if not standing.users:
        return standing
    rows = Fulfillment.objects.filter(
        OneOf("progress__user_id", set(standing.users.values())), OneOf("progress__template_id", template_ids)
    )
    badges = Badge.objects.filter(user=OuterRef("progress__user"), template=OuterRef("progress__template"))
    for user_id, template_id, requirement_id, is_fulfilled, time, badge in (
        rows.order_by()
        .annotate(badge=Subquery(badges.order_by().values("pk")))
        .values_list(
            *("progress__user_id", "progress__template_id", "requirement_id", "is_fulfilled", "event_time", "badge")
        )
    ):
        pair = (user_id, template_id)
        standing.entries[pair][requirement_id] = Entry(is_fulfilled, time)
        if badge is not None:
            standing.with_badge.add(pair)
    return standing


def _unclear(asked: Set[str], known: Set[str]) -> set[str]:
    """Those without a record who may be another one that is asked for. MySQL takes "anna" and "Anna" for one name."""
    number = Counter(map(_plain, asked))
    return {name for name in asked - known if number[_plain(name)] > 1}


def _plain(name: str) -> str:
    if name.isascii():
        return name.lower().rstrip()
    name = "".join(one for one in unicodedata.normalize("NFKD", name) if not unicodedata.combining(one))
    return name.casefold().rstrip()


def of_pairs(rows: QuerySet[M], pairs: Iterable[Pair]) -> QuerySet[M]:
    """The rows of these learners and templates; also those of one's learner and another one's template."""
    users, templates = {user_id for user_id, _ in pairs}, {template_id for _, template_id in pairs}
    return rows.filter(OneOf("user_id", users), OneOf("template_id", templates))


def lock_progress(pairs: Collection[Pair], beginning: Collection[Pair]) -> tuple[dict[Pair, int], frozenset[Pair]]:
    """The ids of the progress records of these pairs, locked, and which of them are new.

    What is there is locked first, in the order of ids; then what is missing is made, in the order of pairs. So nobody
    who waits for a record to be locked has made one that others wait for.

    Arguments:
        pairs: what is wanted; a pair without a record is left out of the result.
        beginning: those that get a record if they have none.

    Raises:
        django.db.IntegrityError: somebody else made one of the records meanwhile; do the transaction again.
    """
    found = _lock_existing(pairs)
    missing = sorted(set(beginning) - set(found))
    if not missing:
        return found, frozenset()
    ids = insert(BadgeProgress, ("user_id", "template_id"), missing, returning=("id", "user_id", "template_id"))
    made = _lock_existing(missing) if ids is None else {tuple(pair): pk for pk, *pair in ids}
    return {**found, **made}, frozenset(made)


def _lock_existing(pairs: Collection[Pair]) -> dict[Pair, int]:
    rows = _found_first(BadgeProgress.objects.order_by("pk"), pairs)
    locked = rows.select_for_update().values_list("pk", "user_id", "template_id")
    return {(user_id, template_id): pk for pk, user_id, template_id in locked}


def _found_first(rows: QuerySet[M], pairs: Collection[Pair]) -> QuerySet[M]:
    """The rows of exactly these pairs, named by their ids.

    A database locks rows as it comes to them, and sorts them after that. By ids it comes to them in their order; by
    pairs it would in the order of another index, and to rows of other pairs as well.
    """
    found = of_pairs(rows, pairs)
    if len(pairs) == 1:
        return found
    ids = found.order_by().values_list("pk", "user_id", "template_id")
    wanted = [pk for pk, *pair in ids if tuple(pair) in pairs]
    return rows.filter(OneOf("pk", sorted(wanted))) if wanted else rows.none()


def lock_entries(progress_ids: Collection[int]) -> dict[int, dict[int, Entry]]:
    """Progress id -> requirement -> the newest word on it, locked in the order of ids."""
    entries: dict[int, dict[int, Entry]] = {progress_id: {} for progress_id in progress_ids}
    if not entries:
        return entries
    # A locking read sees what was committed while this transaction waited, at every isolation level.
    rows = Fulfillment.objects.select_for_update().filter(OneOf("progress_id", entries.keys())).order_by("pk")
    for progress_id, requirement_id, is_fulfilled, time in rows.values_list(
        "progress_id", "requirement_id", "is_fulfilled", "event_time"
    ):
        entries[progress_id][requirement_id] = Entry(is_fulfilled, time)
    return entries


def lock_badges(pairs: Collection[Pair], losing: Collection[Pair]) -> dict[Pair, Badge]:
    """The badges of these pairs, locked in the order of their ids.

    Arguments:
        pairs: what is wanted.
        losing: those of them whose badge must not be missed. One that is missed otherwise cannot be made a second time.
    """
    badges = list(_found_first(Badge.objects.order_by("pk"), pairs).select_for_update())
    if _shows_the_past():
        # Their ids were read as they were before this transaction waited for the progress records.
        missing = set(losing) - {(badge.user_id, badge.template_id) for badge in badges}
        for user_id, template_id in sorted(missing):
            badges += Badge.objects.select_for_update().filter(user_id=user_id, template_id=template_id)
    return {(badge.user_id, badge.template_id): badge for badge in badges}


def _shows_the_past() -> bool:
    """Whether a plain read tells what was when the transaction began, and a locking one does not fail for it."""
    return connection.vendor == "mysql" and getattr(connection, "isolation_level", None) != "read committed"
