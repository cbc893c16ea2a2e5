"""Learners' progress and fulfilments, adopted."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import Factory, define
from django.utils import timezone

from badges.host.adoption import tables
from badges.host.adoption.context import Adopted, TemplateContext
from badges.host.adoption.outcome import Outcome, Report
from badges.host.adoption.people import Learner
from badges.models import BadgeProgress, Fulfillment
from badges.models.insertion import insert
from badges.models.lookups import OneOf

PROGRESS, FULFILMENTS = "progress records", "fulfilments"

DUPLICATE = "a duplicate of the same learner and template; there is one record here, with what all of them fulfil"
COMPLETED = "the learner has one here already, to which what is missing is added"
HERE = "here already"
RESET_HERE = "it was reset here, which stands"
NOTHING_FULFILLED = "nothing is fulfilled: here, a record begins with the first fulfilment"
NOTHING_USABLE = "nothing of what it fulfils can be adopted; see the fulfilments"
SAME_FULFILMENT = "the same learner and requirement as another one"
REQUIREMENT_GONE = "its requirement was deleted there"
REQUIREMENT_NOT_HERE = "its requirement is not here: it was not adopted, or was deleted here"

COLUMNS = ("progress_id", "requirement_id", "event_type", "event_id", "event_time", "evidence")
NAMESPACE = uuid.UUID("5bb43fa5-0c8d-5b8e-9d2c-3d6a0a6f7a51")
"""Of the event ids of adopted fulfilments: no event is known, and a fulfilment has one."""
AT_ONCE = 5_000
"""So many rows are asked for, or locked, by one statement."""


def groups_of(requirements: Mapping[int, Adopted]) -> dict[str | int, set[int]]:
    """Group -> its requirements, by their ids there; one that stands alone is a group of its own, by its id."""
    groups: dict[str | int, set[int]] = defaultdict(set)
    for requirement_id, requirement in sorted(requirements.items()):
        groups[requirement.group or requirement_id].add(requirement_id)
    return groups


@define
class Known:
    """What is here of the progress of some learners."""

    records: dict[int, int] = Factory(dict)
    """User -> the id of the progress record."""
    words: dict[int, dict[int, bool]] = Factory(lambda: defaultdict(dict))
    """User -> requirement here -> whether it is fulfilled."""


@define
class Changes:
    """What is to be written of the progress of some learners."""

    known: Known
    fulfilled: dict[int, set[int]] = Factory(dict)
    """User -> the requirements, by their ids there, that are fulfilled once this is written."""
    rows: dict[int, list[tuple[Any, ...]]] = Factory(dict)
    """User -> fulfilments to be added, without the id of their progress record."""

    def write(self, template_id: int) -> None:
        """Write it. The progress records that are there are locked."""
        if not self.rows:
            return
        records = dict(self.known.records)
        if missing := sorted(user_id for user_id in self.rows if user_id not in records):
            pairs = [(user_id, template_id) for user_id in missing]
            made = insert(BadgeProgress, ("user_id", "template_id"), pairs, returning=("user_id", "id"))
            records.update(_records(template_id, missing) if made is None else dict(made))
        rows = [(records[user_id], *row) for user_id, found in self.rows.items() for row in found]
        insert(Fulfillment, COLUMNS, rows)


def decide(
    context: TemplateContext, learners: Sequence[Learner], earned: Mapping[int, datetime], report: Report
) -> Changes:
    """What is to be written, and what becomes of each row. Reads only.

    Arguments:
        earned: user -> when the badge was awarded, of those who have one.
    """
    found = _fulfilments([row_id for learner in learners for row_id in learner.progress])
    changes, now = Changes(_known(context, learners)), timezone.now()
    for learner in learners:
        # Were it dated in the future, no event could undo it until then.
        time = min(earned.get(learner.user_id, context.created), now)
        _Decision(context, changes, report, learner).take(found, time)
    return changes


def lock(template_id: int) -> None:
    """Lock all progress records of a template, in the order of their ids, before any of them is added to.

    Learners are dealt with in the order of users. Consumers lock records in the order of ids, so neither may begin
    before the other one is through.
    """
    last = 0
    of_template = BadgeProgress.objects.filter(template_id=template_id).order_by("pk").values_list("pk", flat=True)
    while ids := list(of_template.filter(pk__gt=last)[:AT_ONCE]):
        rows = BadgeProgress.objects.filter(OneOf("pk", ids)).order_by("pk").select_for_update()
        list(rows.values_list("pk", flat=True))
        last = ids[-1]


class _Decision:
    """What becomes of one learner's rows."""

    def __init__(self, context: TemplateContext, changes: Changes, report: Report, learner: Learner) -> None:
        self._requirements = context.requirements
        self._changes = changes
        self._report = report
        self._learner = learner
        self._words = changes.known.words.get(learner.user_id, {})
        self._new: dict[int, tuple[int, int]] = {}
        """What is fulfilled -> the requirement and the fulfilment there."""

    def take(self, found: Mapping[int, Sequence[tuple[int, int | None]]], time: datetime) -> None:
        """Decide.

        Arguments:
            found: progress record -> its fulfilments, each with its requirement.
            time: when what is fulfilled counts as having been.
        """
        useful = []
        for progress_id in self._learner.progress:
            rows = found.get(progress_id, ())
            if [row_id for row_id, requirement_id in rows if self._fulfilment(row_id, requirement_id)]:
                useful.append(progress_id)
            else:
                self._add(PROGRESS, Outcome.SKIP, NOTHING_USABLE if rows else NOTHING_FULFILLED, progress_id)
        self._records(useful)
        self._changes.fulfilled[self._learner.user_id] = self._fulfilled()
        if self._new:
            self._changes.rows[self._learner.user_id] = [
                self._row(row_id, requirement_id, time) for row_id, requirement_id in self._new.values()
            ]

    def _fulfilment(self, row_id: int, requirement_id: int | None) -> bool:
        """Whether it can be adopted, or is."""
        if requirement_id is None:
            self._add(FULFILMENTS, Outcome.CANNOT, REQUIREMENT_GONE, row_id)
            return False
        if requirement_id not in self._requirements:
            self._add(FULFILMENTS, Outcome.CANNOT, REQUIREMENT_NOT_HERE, row_id)
            return False
        what = self._key(requirement_id)
        if (is_fulfilled := self._words.get(what)) is not None:
            self._add(FULFILMENTS, Outcome.SKIP, HERE if is_fulfilled else RESET_HERE, row_id)
        elif what in self._new:
            self._add(FULFILMENTS, Outcome.MERGE, SAME_FULFILMENT, row_id)
        else:
            self._new[what] = (row_id, requirement_id)
            self._add(FULFILMENTS, Outcome.CREATE)
        return True

    def _records(self, useful: Sequence[int]) -> None:
        is_here = self._learner.user_id in self._changes.known.records
        for place, progress_id in enumerate(useful):
            if not self._new:
                self._add(PROGRESS, Outcome.SKIP, HERE, progress_id)
            elif is_here:
                self._add(PROGRESS, Outcome.MERGE, COMPLETED, progress_id)
            elif place:
                self._add(PROGRESS, Outcome.MERGE, DUPLICATE, progress_id)
            else:
                self._add(PROGRESS, Outcome.CREATE)

    def _fulfilled(self) -> set[int]:
        return {one for one in self._requirements if self._words.get(self._key(one)) or self._key(one) in self._new}

    def _key(self, requirement_id: int) -> int:
        """The id of a requirement here; in a plan, where it has none yet, one that no other has."""
        return self._requirements[requirement_id].id or -requirement_id

    def _row(self, row_id: int, requirement_id: int, time: datetime) -> tuple[Any, ...]:
        requirement = self._requirements[requirement_id]
        source = f"{tables.Fulfillment._meta.db_table} {row_id}"
        return requirement.id, requirement.event_type, uuid.uuid5(NAMESPACE, source), time, {"adopted_from": source}

    def _add(self, kind: str, outcome: Outcome, reason: str = "", row_id: int | str = "") -> None:
        self._report.add(kind, outcome, reason, str(row_id))


def _fulfilments(progress_ids: Sequence[int]) -> dict[int, list[tuple[int, int | None]]]:
    found: dict[int, list[tuple[int, int | None]]] = defaultdict(list)
    # One learner may have any number of records.
    for start in range(0, len(progress_ids), AT_ONCE):
        some = progress_ids[start : start + AT_ONCE]
        rows = tables.Fulfillment.objects.filter(OneOf("progress_id", some)).order_by("pk")
        for row_id, progress_id, requirement_id in rows.values_list("pk", "progress_id", "requirement_id"):
            found[progress_id].append((row_id, requirement_id))
    return found


def _known(context: TemplateContext, learners: Sequence[Learner]) -> Known:
    known = Known()
    if context.template is None:
        return known
    known.records = _records(context.template.pk, [learner.user_id for learner in learners])
    users = {progress_id: user_id for user_id, progress_id in known.records.items()}
    if users:
        rows = Fulfillment.objects.filter(OneOf("progress_id", list(users))).order_by()
        for progress_id, requirement_id, is_fulfilled in rows.values_list(
            "progress_id", "requirement_id", "is_fulfilled"
        ):
            known.words[users[progress_id]][requirement_id] = is_fulfilled
    return known


def _records(template_id: int, user_ids: Sequence[int]) -> dict[int, int]:
    rows = BadgeProgress.objects.filter(OneOf("user_id", user_ids), template_id=template_id).order_by()
    return dict(rows.values_list("user_id", "pk"))
