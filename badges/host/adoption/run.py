"""The adoption as a whole: accounts, then template by template what belongs to it.

A plan and its application are the same code, which reads and decides, and writes only where it is told to. A template
is adopted in one transaction, with its requirements, penalties, learners and badges: all of it is here, or nothing.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from typing import Any

from attrs import Factory, define
from django.db import DatabaseError, connection, transaction
from django.db.models import Max

from badges.host.adoption import tables
from badges.host.adoption.accounts import adopt_accounts
from badges.host.adoption.context import Stopped, TemplateContext
from badges.host.adoption.learners import adopt_learners
from badges.host.adoption.leftovers import leave, report_orphans
from badges.host.adoption.outcome import Note, Outcome, Report
from badges.host.adoption.penalties import Penalties
from badges.host.adoption.premature import PrematureRows, ignored
from badges.host.adoption.refusals import is_refused
from badges.host.adoption.requirements import Requirements
from badges.host.adoption.templates import KIND, Standing, Templates, subject, tell
from badges.models import BadgeTemplate, ConfigurationVersion
from badges.models.sequences import begin_above
from badges.processing.retries import retried

logger = logging.getLogger(__name__)

NO_REQUIREMENT = "It has no requirement, so nobody could earn it by events. Add one before you activate it."
STILL_INACTIVE = "It was adopted before, and is inactive here. Activate it in the admin once it is as you want it."


@define
class Adoption:
    """One run."""

    apply: bool
    """Whether to write. Otherwise it is a plan."""
    report: Report = Factory(Report)
    premature: PrematureRows | None = None
    """Where badges are listed that were awarded before they were earned."""
    advance: Callable[[int], None] = lambda number: None
    """Called with how many of :meth:`total` were dealt with."""
    is_stopping: Callable[[], bool] = lambda: False

    def total(self) -> int:
        """How many rows there are to deal with: templates, progress records, badges. For a progress bar."""
        rows = (tables.BadgeTemplate, tables.BadgeProgress, *tables.BADGES.values())
        return sum(model.objects.count() for model in rows)

    def run(self) -> None:
        """Adopt everything that is not here yet.

        Raises:
            Stopped: it was asked to end. What was adopted until then stays.
            django.db.Error: the database cannot be used. What was adopted until then stays.
        """
        if self.apply:
            self._prepare()
        accounts = adopt_accounts(self.report, apply=self.apply)
        templates = Templates(accounts, self.report, self.apply)
        templates.read()
        last = 0
        while there := _templates().filter(pk__gt=last).order_by("pk").first():
            if self.is_stopping():
                raise Stopped
            self._adopt(templates, there)
            last = there.pk
            self.advance(1)
        report_orphans(self.report)

    def _prepare(self) -> None:
        """Make the row that adoptions at the same time wait for, and keep new templates off the ids that are needed."""
        if ConfigurationVersion.current() is None:
            ConfigurationVersion.bump()
        if highest := _highest_id():
            begin_above(connection, BadgeTemplate._meta.db_table, highest)

    def _adopt(self, templates: Templates, there: Any) -> None:
        """One template with all that belongs to it, or nothing of it."""
        attempt = _Attempt(self, templates, there)
        try:
            # Consumers take the same locks.
            report = retried(attempt)
        except DatabaseError as error:
            attempt.undo()
            if not is_refused(error):
                raise
            name = type(error).__name__
            logger.error(  # noqa: TRY400 - its text may hold what the row holds, and so may a traceback
                "Badge template %s of the built-in module was not adopted: %s.",
                there.pk,
                name,
                extra={"action": "adoption_refused", "template": there.pk},
            )
            report = Report()
            reason = f"the database refused a row that belongs to it ({name}), so nothing of it was adopted"
            report.add(KIND, Outcome.CANNOT, reason, str(there.pk))
        except BaseException:
            attempt.undo()
            raise
        self.report.absorb(report)


@define
class _Attempt:
    """To adopt one template; called again if it lost against another transaction."""

    adoption: Adoption
    templates: Templates
    there: Any
    _position: tuple[int, int] | None = None
    _advanced: int = 0

    def __attrs_post_init__(self) -> None:
        if self.adoption.premature is not None:
            self._position = self.adoption.premature.position()

    def __call__(self) -> Report:
        self.undo()
        report = Report()
        with transaction.atomic() if self.adoption.apply else contextlib.nullcontext():
            self._take(report)
        return report

    def undo(self) -> None:
        """Take back what the database does not."""
        self.adoption.advance(-self._advanced)
        self._advanced = 0
        if self.adoption.premature is not None and self._position is not None:
            self.adoption.premature.rewind(self._position)

    def _advance(self, number: int) -> None:
        self._advanced += number
        self.adoption.advance(number)

    def _take(self, report: Report) -> None:
        there, apply = self.there, self.adoption.apply
        if apply:
            # The first lock: nobody changes the configuration meanwhile, and of two adoptions one waits.
            ConfigurationVersion.hold()
        standing = self.templates.adopt(there, report)
        if standing is None:
            self._advance(leave(there.pk, report))
            return
        requirements = Requirements(standing, report, apply).adopt(there.pk)
        Penalties(standing, report, apply, requirements).adopt(there.pk)
        context = TemplateContext(
            builtin_id=there.pk,
            name=standing.template.name if standing.template is not None else there.name,
            kind=standing.origin.kind,
            created=there.created or there.modified or tables.LONG_AGO,
            template=standing.template,
            is_issuing=standing.is_issuing,
            requirements=requirements,
            apply=apply,
            report=report,
            advance=self._advance,
            premature=self.adoption.premature or ignored,
            is_stopping=self.adoption.is_stopping,
        )
        if not requirements and standing.is_new:
            standing.obstacles.append(NO_REQUIREMENT)
        self._activate(standing, report)
        adopt_learners(context)

    def _activate(self, standing: Standing, report: Report) -> None:
        """Let a template take part that took part there, if nothing speaks against it; say so otherwise."""
        there = self.there
        tell(standing, there, report)
        if standing.is_new:
            if there.is_active and not standing.obstacles and standing.template is not None:
                standing.template.is_active = True
                standing.template.save(update_fields=["is_active", "modified"])
        elif there.is_active and not standing.is_active:
            report.inactive.append(Note(subject(there), STILL_INACTIVE))


def _templates() -> Any:
    return tables.BadgeTemplate.objects


def _highest_id() -> int:
    """The highest id of a template there, also of a deleted one to which the host's records of badges point."""
    templates = _templates().aggregate(highest=Max("pk"))["highest"] or 0
    records: Any = tables.UserCredential.objects.filter(credential_content_type__app_label="badges")
    return max(templates, records.aggregate(highest=Max("credential_id"))["highest"] or 0)
