"""What a synchronization tells: each page, each template that vanished, what was left out, and the sum."""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

from attrs import evolve, frozen
from django.utils import timezone
from django.utils.translation import gettext, ngettext


@frozen
class Counts:
    """What became of the templates that the provider lists."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    archived: int = 0

    def plus(self, outcome: str) -> Counts:
        """One more of an outcome; an empty one counts nothing."""
        return evolve(self, **{outcome: getattr(self, outcome) + 1}) if outcome else self

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.created + other.created,
            self.updated + other.updated,
            self.unchanged + other.unchanged,
            self.archived + other.archived,
        )

    def words(self) -> dict[str, object]:
        """The numbers, for a text with places for them."""
        return {
            "created": self.created,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "archived": self.archived,
        }


@frozen
class Resumed:
    """An earlier synchronization had not come to its end; this one goes on with it."""

    account: str
    page: int
    started_at: datetime
    error: str
    """Why the earlier one failed; empty where it was killed, or is still at work."""

    def __str__(self) -> str:
        text = gettext("%(account)s: goes on at page %(page)d with the synchronization of %(time)s, %(how)s")
        failed = gettext("which failed: %(error)s") % {"error": self.error}
        return text % {
            "account": self.account,
            "page": self.page,
            "time": shown(self.started_at),
            "how": failed if self.error else gettext("which did not come to its end."),
        }


@frozen
class Abandoned:
    """An earlier synchronization had not come to its end, and it is too late, or not wanted, to go on with it."""

    account: str
    started_at: datetime

    def __str__(self) -> str:
        text = gettext(
            "%(account)s: begins anew; the synchronization of %(time)s, which had not come to its end, is dropped."
        )
        return text % {"account": self.account, "time": shown(self.started_at)}


@frozen
class PageReport:
    """What one page of the provider's list came to."""

    account: str
    number: int
    total_pages: int | None
    templates: int
    counts: Counts

    def __str__(self) -> str:
        values = {
            **self.counts.words(),
            "account": self.account,
            "number": self.number,
            "total": self.total_pages or "?",
            "templates": self.templates,
        }
        return (
            gettext(
                "%(account)s: page %(number)d of %(total)s: %(templates)d templates (%(created)d created, "
                "%(updated)d updated, %(unchanged)d unchanged, %(archived)d archived)."
            )
            % values
        )


@frozen
class LeftOut:
    """An entry of the provider's list that could not be stored."""

    name: str
    reason: str

    def __str__(self) -> str:
        return gettext('"%(name)s" was left out: %(reason)s') % {"name": self.name, "reason": self.reason}


@frozen
class InDoubt:
    """A template that the list did not show, and for which the provider refuses to be asked."""

    name: str
    reason: str

    def __str__(self) -> str:
        text = gettext(
            '"%(name)s" was not in the list. It stays as it is, for the provider does not say more: %(reason)s'
        )
        return text % {"name": self.name, "reason": self.reason}


@frozen
class Vanished:
    """A template that the provider does not hold any more, and what depends on it here."""

    name: str
    external_id: str
    requirements: tuple[str, ...] = ()
    """In words that name each: its description, event type and group."""
    penalties: tuple[str, ...] = ()
    learners: int = 0
    """Learners who have fulfilled something of it, and do not hold the badge."""
    badges: int = 0

    def __str__(self) -> str:
        text = gettext('"%(name)s" is no longer at the provider: archived and deactivated. %(dependents)s')
        return text % {"name": self.name, "dependents": self._dependents()}

    def _dependents(self) -> str:
        counted = []
        if self.badges:
            counted.append(ngettext("%d badge", "%d badges", self.badges) % self.badges)
        if self.learners:
            text = ngettext("%d learner on the way to it", "%d learners on the way to it", self.learners)
            counted.append(text % self.learners)
        counted += [gettext("requirement %(what)s") % {"what": what} for what in self.requirements]
        counted += [gettext("penalty %(what)s") % {"what": what} for what in self.penalties]
        if not counted:
            return gettext("Nothing depends on it.")
        return gettext("On it depend: %(dependents)s.") % {"dependents": "; ".join(counted)}


News: TypeAlias = Resumed | Abandoned | PageReport | LeftOut | InDoubt | Vanished
"""What a synchronization tells while it runs; it keeps none of it."""


@frozen
class SyncReport:
    """What a whole synchronization came to."""

    account: str
    counts: Counts
    """``archived`` counts those that vanished too."""
    vanished: int = 0
    kept: int = 0
    """Templates that the list did not show, and that the provider holds all the same."""
    left_out: int = 0
    resumed_at: int | None = None
    """The page at which it went on with an earlier one, whose work it does not count."""

    def __str__(self) -> str:
        text = gettext(
            "%(account)s: %(created)d created, %(updated)d updated, %(unchanged)d unchanged, %(archived)d archived."
        ) % {**self.counts.words(), "account": self.account}
        if self.resumed_at is not None:
            text += " " + gettext("Counted from page %(page)d on, where it was resumed.") % {"page": self.resumed_at}
        if self.kept:
            text += (
                " "
                + ngettext(
                    "%d template was not in the list, but the provider still has it; it stays as it is.",
                    "%d templates were not in the list, but the provider still has them; they stay as they are.",
                    self.kept,
                )
                % self.kept
            )
        return text


def shown(moment: datetime) -> str:
    """A time as people read it, in the time zone of the settings."""
    return timezone.localtime(moment).strftime("%Y-%m-%d %H:%M %Z")
