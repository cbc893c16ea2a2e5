"""A scripted provider that lists the badges that it holds, and a person who acts on its pages."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import datetime
from typing import Any, ClassVar

from attrs import evolve

from badges.data import Award, IssuedBadge, ListedBadge
from badges.exceptions import DuplicateBadge
from badges.models import Badge
from badges.providers.base import Features
from tests.integration.issuing.scripted import ScriptedProvider

SETTINGS = {"providers": {"scripted": "tests.integration.issuing.reconcile.listing.ListingProvider"}}
PAGE = 2


class ListingProvider(ScriptedProvider):
    """Finds as the real ones do: by our identifier in whatever state, else a valid one by template and e-mail."""

    features = Features(lists_issued=True)
    rows: ClassVar[dict[str, ListedBadge]] = {}
    unlisted: ClassVar[set[str]] = set()
    """Identifiers that the list does not show (yet)."""
    fails_after: ClassVar[dict[int, Exception]] = {}
    """Number of pages -> what is raised then."""
    asked_since: ClassVar[list[datetime | None]] = []
    find_fails: ClassVar[list[Exception]] = []
    numbers: ClassVar[Iterator[int]] = itertools.count(1)

    @classmethod
    def reset(cls) -> None:
        super().reset()
        for kept in (cls.rows, cls.unlisted, cls.fails_after, cls.asked_since, cls.find_fails):
            kept.clear()

    @classmethod
    def hold(cls, badge: Badge | None = None, *, own: bool = True, state: str = "accepted", **values: Any) -> str:
        """Let the provider hold a badge, and give its identifier there; without ``own`` it was issued by hand."""
        external_id = f"ext-{next(cls.numbers)}"
        if badge is not None:
            values = {"template_external_id": badge.template.external_id, "email": badge.user.email, **values}
            values = {"own_id": str(badge.uuid) if own else "", **values}
        cls.rows[external_id] = ListedBadge(badge=issued(external_id, state), **values)
        return external_id

    @classmethod
    def put(cls, external_id: str, state: str) -> None:
        """Give a badge another state, as its learner or a person at the provider does."""
        cls.rows[external_id] = evolve(cls.rows[external_id], badge=issued(external_id, state))

    @classmethod
    def valid(cls, badge: Badge) -> list[str]:
        """The identifiers of the valid badges of a learner and template."""
        wanted = (badge.template.external_id, badge.user.email)
        rows = cls.rows.items()
        return [key for key, row in rows if (row.template_external_id, row.email) == wanted and row.badge.is_valid]

    def issue(self, award: Award) -> IssuedBadge:
        self._play("issue", award)
        if any(row.badge.is_valid and (_is_own(row, award) or _is_sent(row, award)) for row in self.rows.values()):
            raise DuplicateBadge("The learner has this badge already.")
        external_id = self.hold(
            own_id=str(award.uuid), state="pending", template_external_id=award.template_external_id, email=award.email
        )
        return self.rows[external_id].badge

    def revoke(self, external_id: str, *, award: Award, reason: str) -> IssuedBadge:
        self._play("revoke", award)
        if external_id not in self.rows:
            return IssuedBadge(external_id, "deleted", is_valid=False, is_revoked=True)
        if self.rows[external_id].badge.is_valid:
            self.put(external_id, "revoked")
        return self.rows[external_id].badge

    def find_issued(self, award: Award) -> IssuedBadge | None:
        self.calls.append("find")
        if self.find_fails:
            raise self.find_fails.pop(0)
        own = [row.badge for row in self.rows.values() if _is_own(row, award)]
        if own:
            return next((badge for badge in own if badge.is_valid), own[0])
        return next((row.badge for row in self.rows.values() if _is_sent(row, award) and row.badge.is_valid), None)

    def issued_badges(self, since: datetime | None = None) -> Iterator[tuple[ListedBadge, ...]]:
        self.asked_since.append(since)
        shown = [row for external_id, row in list(self.rows.items()) if external_id not in self.unlisted]
        pages = [tuple(shown[start : start + PAGE]) for start in range(0, len(shown), PAGE)]
        for number, page in enumerate(pages):
            self.calls.append("list")
            if number in self.fails_after:
                raise self.fails_after[number]
            yield page
        if len(pages) in self.fails_after:
            raise self.fails_after[len(pages)]


def issued(external_id: str, state: str) -> IssuedBadge:
    """A badge in a state, as Credly would name it."""
    return IssuedBadge(
        external_id,
        state,
        f"https://provider.example.com/{external_id}",
        is_valid=state in ("pending", "accepted"),
        is_revoked=state == "revoked",
    )


def _is_own(row: ListedBadge, award: Award) -> bool:
    return row.own_id == str(award.uuid)


def _is_sent(row: ListedBadge, award: Award) -> bool:
    same_template = row.template_external_id == award.template_external_id
    return same_template and row.email.casefold() == award.email.casefold()
