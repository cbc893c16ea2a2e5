"""Whose the built-in module's rows are: usernames become users, and rows are dealt with learner by learner."""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby, islice
from operator import itemgetter
from typing import Any

from attrs import frozen
from django.contrib.auth import get_user_model
from django.db.models import QuerySet

from badges.models.lookups import OneOf
from badges.models.users import USERNAME

READ_AT_ONCE = 5_000
"""So many rows of one table are in memory at once."""


@frozen
class Learner:
    """A learner, and which rows there are theirs, by their ids in rising order."""

    user_id: int
    progress: tuple[int, ...]
    credentials: tuple[int, ...]


class Belongings:
    """Which rows of one table belong to which learner. Sixteen bytes for each, so that a million take little."""

    def __init__(self) -> None:
        self._users = array("q")
        self._rows = array("q")

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """(id of the user, id of the row), in the order of users, and of one user in the order in which they came."""
        order = array("q", sorted(range(len(self._users)), key=self._users.__getitem__))
        return ((self._users[place], self._rows[place]) for place in order)

    def take(self, rows: Sequence[tuple[int, str]]) -> list[int]:
        """Find out whose these rows are.

        Arguments:
            rows: (id, username).

        Returns:
            The ids of the rows of nobody.
        """
        users = ids_of({username for _, username in rows})
        strangers = []
        for row_id, username in rows:
            if (user_id := users.get(username)) is None:
                strangers.append(row_id)
            else:
                self._users.append(user_id)
                self._rows.append(row_id)
        return strangers


def ids_of(usernames: Collection[str]) -> dict[str, int]:
    """Username -> id of the user who has this one.

    MySQL takes "anna", "Anna" and "änna" for one name. There the module found a learner in any case, as processing
    does here, so case alone makes no other one. A user whose name differs otherwise is left out: what somebody has
    earned must not become somebody else's.
    """
    # The default manager may hide some.
    users: Any = get_user_model()._base_manager
    rows = dict(users.filter(OneOf(USERNAME, list(usernames))).order_by().values_list(USERNAME, "pk"))
    found = {name: pk for name, pk in rows.items() if name in usernames}
    plain = {name.casefold() for name in rows}
    for name in usernames:
        if name not in found and name.casefold() in plain:
            # Only the database knows whether it takes the two for one.
            row = users.filter(**{USERNAME: name}).order_by().values_list(USERNAME, "pk").first()
            if row is not None and row[0].casefold() == name.casefold():
                found[name] = row[1]
    return found


def names_of(user_ids: Collection[int]) -> dict[int, str]:
    """Id of a user -> username, as it is now."""
    users: Any = get_user_model()._base_manager
    return dict(users.filter(OneOf("pk", list(user_ids))).order_by().values_list("pk", USERNAME))


def in_pages(rows: QuerySet[Any], key: str, *columns: str) -> Iterator[list[tuple[Any, ...]]]:
    """The rows in the order of their keys, some at a time; each begins with the key.

    No cursor is left open: MySQL's driver would hold all rows in memory, and SQLite keeps writers out meanwhile.
    """
    last: int | None = None
    while True:
        rest = rows if last is None else rows.filter(**{f"{key}__gt": last})
        page = list(rest.order_by(key).values_list(key, *columns)[:READ_AT_ONCE])
        if page:
            yield page
        if len(page) < READ_AT_ONCE:
            return
        last = page[-1][0]


def in_turn(progress: Belongings, credentials: Belongings, size: int) -> Iterator[list[Learner]]:
    """The learners with what is theirs, so many at a time, in the order of their ids.

    That is the order in which all who make progress records make them, so that nobody waits in a circle.
    """
    rows = heapq.merge(
        ((user_id, 0, row_id) for user_id, row_id in progress),
        ((user_id, 1, row_id) for user_id, row_id in credentials),
    )
    learners = (_learner(user_id, found) for user_id, found in groupby(rows, key=itemgetter(0)))
    while page := list(islice(learners, size)):
        yield page


def _learner(user_id: int, rows: Iterator[tuple[int, int, int]]) -> Learner:
    kinds: tuple[list[int], list[int]] = ([], [])
    for _, kind, row_id in rows:
        kinds[kind].append(row_id)
    return Learner(user_id, tuple(kinds[0]), tuple(kinds[1]))
