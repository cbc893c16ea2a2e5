"""What the learners of a template have, adopted: progress, fulfilments and badges, some learners at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import define
from django.db.models import QuerySet

from badges.host.adoption import awards, people, progress, tables
from badges.host.adoption.awards import BADGES, Credential, Deciding, of
from badges.host.adoption.context import Stopped, TemplateContext
from badges.host.adoption.missing import Missing
from badges.host.adoption.outcome import Note, Outcome, Report
from badges.host.adoption.people import Belongings, Learner
from badges.host.adoption.progress import FULFILMENTS, PROGRESS
from badges.models.lookups import OneOf

AT_ONCE = 2_000
"""So many learners are worked on at once. Fewer take more statements, more take more memory."""

NO_USER = "no user has this username: renamed since, or deleted. The module did not follow"
OTHER_PROVIDER = "of another provider than its template is now: a group with the same id has overwritten that"


def adopt_learners(context: TemplateContext) -> None:
    """Adopt what learners have of one template, or find out what would be adopted.

    Call it in the template's transaction, once its requirements are there. It sends no signal, enqueues no task, and
    changes no row that is there: only what is missing is added. What is here already, and complete, is not even locked.

    Raises:
        Stopped: somebody asked to end.
        django.db.Error: another transaction was in the way; nothing is lost by doing the template again.
    """
    owners = Belongings(), Belongings()
    _find_progress(context, owners[0])
    _find_credentials(context, owners[1])
    work = _Work(context, Deciding(context), Missing(context))
    for learners in people.in_turn(*owners, AT_ONCE):
        _go_on(context)
        work.take(learners)
        context.advance(sum(len(one.progress) + len(one.credentials) for one in learners))
    work.end()


def _find_progress(context: TemplateContext, owners: Belongings) -> None:
    rows = tables.BadgeProgress.objects.filter(template_id=context.builtin_id)
    _find(context, rows, "username", PROGRESS, owners)


def _find_credentials(context: TemplateContext, owners: Belongings) -> None:
    """Those with a row of the built-in module; records that this app keeps in the same table have none."""
    for kind, rows in tables.badges_of(context.builtin_id).items():
        if kind == context.kind:
            _find(context, rows, "usercredential_ptr__username", BADGES, owners)
            continue
        for page in people.in_pages(rows, "pk"):
            for (row_id,) in page:
                context.report.add(BADGES, Outcome.CANNOT, OTHER_PROVIDER, str(row_id))
            context.advance(len(page))


def _find(context: TemplateContext, rows: QuerySet[Any], username: str, kind: str, owners: Belongings) -> None:
    for page in people.in_pages(rows, "pk", username):
        _go_on(context)
        strangers = owners.take([(row_id, name) for row_id, name in page])
        for row_id in strangers:
            context.report.add(kind, Outcome.CANNOT, NO_USER, str(row_id))
        if strangers and kind == PROGRESS:
            lost = tables.Fulfillment.objects.filter(OneOf("progress_id", strangers))
            context.report.add(FULFILMENTS, Outcome.CANNOT, NO_USER, number=lost.count())
        context.advance(len(strangers))


def _go_on(context: TemplateContext) -> None:
    if context.is_stopping():
        raise Stopped


@define
class _Decided:
    """What becomes of what some learners have."""

    progress: progress.Changes
    badges: awards.Changes
    report: Report

    def __bool__(self) -> bool:
        """Whether anything is to be written."""
        return bool(self.progress.rows or self.badges.new)


@define
class _Work:
    """The learners of one template, some at a time."""

    context: TemplateContext
    deciding: Deciding
    missing: Missing
    is_locked: bool = False
    premature: int = 0
    to_be_issued: int = 0
    """Of the premature ones."""

    def take(self, learners: Sequence[Learner]) -> None:
        """Decide on these learners, and write it if that is wanted."""
        decided = self._decide(learners)
        if self.context.apply and decided and self.context.template is not None:
            template_id = self.context.template.pk
            if not self.is_locked:
                # Consumers may have changed something since it was read.
                progress.lock(template_id)
                self.is_locked = True
                decided = self._decide(learners)
            decided.progress.write(template_id)
            decided.badges.write(template_id)
        self.context.report.absorb(decided.report)
        self.premature += len(decided.badges.premature)
        self.to_be_issued += decided.badges.premature_to_be_issued
        for row in self.missing.rows(decided.badges.premature, decided.progress.fulfilled):
            self.context.premature(row)

    def end(self) -> None:
        """Say what somebody should look at."""
        if self.premature:
            text = (
                f"{self.premature} of its badges were awarded before every group was fulfilled. They are adopted as "
                "they are, and nothing is revoked; --report lists them."
            )
            if self.to_be_issued:
                text += (
                    f" {self.to_be_issued} of them were never issued at the provider; the next sweep does it. "
                    "Before a consumer or a sweep runs, revoke those that should not be, or cancel their deliveries."
                )
            subject = f'badge template {self.context.builtin_id} "{self.context.name}"'
            self.context.report.needs_person.append(Note(subject, text))

    def _decide(self, learners: Sequence[Learner]) -> _Decided:
        report = Report()
        credentials = self._credentials(learners)
        earned = {
            learner.user_id: min(times)
            for learner in learners
            if (times := [one.created for one in of(learner, credentials) if one.was_had])
        }
        changes = progress.decide(self.context, learners, earned, report)
        return _Decided(changes, self.deciding.decide(learners, credentials, changes.fulfilled, report), report)

    def _credentials(self, learners: Sequence[Learner]) -> dict[int, Credential]:
        return awards.read(self.context.kind, [one for learner in learners for one in learner.credentials])
