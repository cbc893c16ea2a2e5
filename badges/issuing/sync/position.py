"""How far the synchronization of an account is, and that only one of its runs goes on.

A run never waits for another and holds no lock between pages. Instead each of its steps is a conditional update of
the account's one row: it says which synchronization (``token``) and which page it expects, in the transaction of what
it stores. Where another run has come in between, nothing matches, nothing is stored, and the run ends.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from attrs import define
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from badges.exceptions import BadgesError, describe
from badges.issuing.sync.report import shown
from badges.models import ProviderAccount, TemplateSync

RESUMED_WITHIN = timedelta(days=1)
"""An older synchronization is not gone on with: too much may have changed in the pages that it has read."""
LONGEST_ERROR = 1000


class Overtaken(BadgesError):
    """Another synchronization of the same account began, or went on, while this one was at work."""


@define
class Position:
    """Where a run is in its account's synchronization."""

    account_id: int
    account_name: str
    token: uuid.UUID
    next_page: int
    started_at: datetime
    is_resumed: bool = False
    error: str = ""
    """Why the run before failed, where this one goes on with its work."""
    abandoned: datetime | None = None
    """When an unfinished one had begun that is not gone on with."""

    def turn_to(self, page: int) -> None:
        """Make a page the next one, in the transaction that stores what was read before it; with the same page, hold
        the row until that transaction ends.

        Raises:
            Overtaken: another run is at work on this account.
        """
        if not self._ours().filter(next_page=self.next_page).update(next_page=page, last_error=""):
            self._give_way()
        self.next_page = page

    def hold(self) -> None:
        """Keep other runs from taking a step until the transaction ends.

        Raises:
            Overtaken: another run is at work on this account.
        """
        self.turn_to(self.next_page)

    def begin_again(self) -> None:
        """Let the next synchronization begin with the first page."""
        self._ours().update(next_page=1)

    def failed(self, error: Exception) -> None:
        """Note why this run ends before its end."""
        self._ours().update(last_error=describe(error)[:LONGEST_ERROR])

    def finish(self) -> None:
        """Everything was read, and what vanished is archived.

        Raises:
            Overtaken: another run is at work on this account.
        """
        if not self._ours().update(finished_at=timezone.now(), last_error=""):
            self._give_way()

    def _ours(self) -> QuerySet[TemplateSync]:
        return TemplateSync.objects.filter(pk=self.account_id, token=self.token, finished_at=None)

    def _give_way(self) -> None:
        raise Overtaken(
            gettext(
                'Another synchronization of "%(account)s" was started while this one was at work. This one stopped; '
                "the other one goes on."
            )
            % {"account": self.account_name}
        )


def begin(account: ProviderAccount, *, restart: bool) -> Position:
    """Go on with an account's unfinished synchronization; else begin one.

    One is begun anew where the account was changed since, for its pages may be those of another organization.

    Arguments:
        restart: begin anew in any case.
    """
    now = timezone.now()
    row, _ = TemplateSync.objects.get_or_create(account_id=account.pk)
    is_fresh = row.started_at > max(now - RESUMED_WITHIN, account.modified)
    if _is_unfinished(row) and is_fresh and not restart:
        return Position(
            account.pk, account.name, row.token, row.next_page, row.started_at, is_resumed=True, error=row.last_error
        )
    abandoned = row.started_at if _is_unfinished(row) else None
    token = uuid.uuid4()
    values = {"token": token, "next_page": 1, "started_at": now, "finished_at": None, "last_error": ""}
    TemplateSync.objects.filter(pk=account.pk).update(**values)
    return Position(account.pk, account.name, token, 1, now, abandoned=abandoned)


def how_to_go_on(account: ProviderAccount) -> str:
    """What becomes of a synchronization that failed, in a sentence; empty where there is nothing to go on with."""
    row = TemplateSync.objects.filter(pk=account.pk).first()
    if row is None or not _is_unfinished(row):
        return ""
    return gettext(
        "Everything before page %(page)d is stored. Synchronize again to go on there; from %(time)s on it begins anew."
    ) % {"page": row.next_page, "time": shown(row.started_at + RESUMED_WITHIN)}


def _is_unfinished(row: TemplateSync) -> bool:
    return row.finished_at is None and row.next_page > 1
