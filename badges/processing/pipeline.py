"""From an event to its effect: match, progress, award and revocation, in one transaction.

The order of locks is: progress records by id, their fulfilments by id, badges by id.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from attrs import frozen
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import OuterRef, Subquery
from django.utils import timezone

from badges.conf import get_config
from badges.data import IncomingEvent, Learner
from badges.exceptions import UnreadablePayload
from badges.issuing import awards
from badges.models import Badge, BadgeProgress, Fulfillment
from badges.processing import learners
from badges.processing.configuration import current_ruleset
from badges.processing.register import Change, Decision, Entry, decide
from badges.processing.retries import retried
from badges.rules.ruleset import Match, Ruleset

logger = logging.getLogger(__name__)

FUTURE_TOLERANCE = timedelta(minutes=10)
"""How far a sender's clock may be ahead of ours."""


@frozen
class Outcome:
    """What an event did. Ids of requirements and badges; all empty where it changed nothing."""

    fulfilled: tuple[int, ...] = ()
    reset: tuple[int, ...] = ()
    awarded: tuple[int, ...] = ()
    revoked: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.fulfilled or self.reset or self.awarded or self.revoked)


NO_EFFECT = Outcome()


@frozen
class _Step:
    """The part of an event that concerns one template."""

    template_id: int
    fulfils: tuple[int, ...]
    resets: tuple[int, ...]
    penalties: tuple[int, ...] = ()
    """The penalties that reset them."""


def process_event(event: IncomingEvent) -> Outcome:
    """Process one event, completely or not at all. Processing it again changes nothing.

    Arguments:
        event: an event of a type that openedx-events knows.

    Raises:
        UnreadablePayload: its learner cannot be a user record, or it is dated in the future.
        django.db.Error: the database failed; nothing was changed.
    """
    if event.event_type not in get_config().events:
        return NO_EFFECT
    learner = learners.identify(event)
    if learner is None:
        logger.info(
            "Event %s of type %s names no learner and was dropped.",
            event.event_id,
            event.event_type,
            extra={"action": "event_dropped", "event_id": str(event.event_id)},
        )
        return NO_EFFECT
    return retried(lambda: _process(event, learner))


def _process(event: IncomingEvent, learner: Learner) -> Outcome:
    ruleset = current_ruleset()
    match = ruleset.match(event.event_type, event.arguments)
    if not match:
        return NO_EFFECT
    # Not before: what an event that matters to nobody holds is of no concern, and is not kept.
    learners.require_storable(learner)
    _require_past(event)
    steps = _steps(ruleset, match)
    # Most events repeat what is known: a look without locks tells, and then nothing is written.
    if not any(_concerns(ruleset, event, step, *found) for step, found in _look(learner, steps)):
        return NO_EFFECT
    with transaction.atomic():
        return _apply(ruleset, event, learners.resolve(learner), steps)


def _require_past(event: IncomingEvent) -> None:
    """The newest event decides, so one from the future would decide until its day comes."""
    ahead = event.time - timezone.now()
    if ahead > FUTURE_TOLERANCE:
        raise UnreadablePayload(
            f"The event is dated {event.time.isoformat(timespec='seconds')}, {ahead.days} days and "
            f"{ahead.seconds} seconds ahead of this machine. Set the clocks right; an event that is right may be "
            "replayed when its time has come."
        )


def _steps(ruleset: Ruleset, match: Match) -> list[_Step]:
    fulfils: dict[int, list[int]] = defaultdict(list)
    for requirement_id in match.requirement_ids:
        fulfils[ruleset.requirements[requirement_id].template_id].append(requirement_id)
    resets: dict[int, set[int]] = defaultdict(set)
    penalties: dict[int, list[int]] = defaultdict(list)
    for penalty_id in match.penalty_ids:
        penalty = ruleset.penalties[penalty_id]
        penalties[penalty.template_id].append(penalty_id)
        for requirement_id in penalty.requirement_ids:
            requirement = ruleset.requirements.get(requirement_id)
            if requirement is not None and requirement.template_id == penalty.template_id:
                resets[penalty.template_id].add(requirement_id)
    return [
        _Step(
            template_id,
            tuple(fulfils[template_id]),
            tuple(sorted(resets[template_id])),
            tuple(penalties[template_id]),
        )
        for template_id in sorted({*fulfils, *resets})
    ]


def _look(learner: Learner, steps: list[_Step]) -> Iterable[tuple[_Step, tuple[dict[int, Entry], bool]]]:
    """What is known of the learner for each step: the entries, and whether there is a badge. One query."""
    entries: dict[int, dict[int, Entry]] = defaultdict(dict)
    with_badge = set()
    rows = Fulfillment.objects.filter(
        progress__user__username=learner.username, progress__template_id__in=[step.template_id for step in steps]
    ).annotate(
        badge=Subquery(
            Badge.objects.filter(user=OuterRef("progress__user"), template=OuterRef("progress__template")).values("pk")
        )
    )
    for template_id, requirement_id, is_fulfilled, time, badge in rows.order_by().values_list(
        "progress__template_id", "requirement_id", "is_fulfilled", "event_time", "badge"
    ):
        entries[template_id][requirement_id] = Entry(is_fulfilled, time)
        if badge is not None:
            with_badge.add(template_id)
    return [(step, (entries[step.template_id], step.template_id in with_badge)) for step in steps]


def _decide(ruleset: Ruleset, event: IncomingEvent, step: _Step, entries: Mapping[int, Entry]) -> Decision:
    return decide(entries, fulfils=step.fulfils, resets=step.resets, time=event.time, resettable=ruleset.resettable)


def _concerns(
    ruleset: Ruleset, event: IncomingEvent, step: _Step, entries: Mapping[int, Entry], has_badge: bool
) -> bool:
    decision = _decide(ruleset, event, step, entries)
    return bool(decision.changes) or (not has_badge and _earns(ruleset, step, decision))


def _earns(ruleset: Ruleset, step: _Step, decision: Decision) -> bool:
    return not decision.fulfilled.isdisjoint(step.fulfils) and ruleset.is_complete(step.template_id, decision.fulfilled)


def _apply(ruleset: Ruleset, event: IncomingEvent, user: AbstractBaseUser, steps: list[_Step]) -> Outcome:
    progress = _lock_progress(user, steps)
    rows: dict[int, dict[int, Fulfillment]] = {progress_id: {} for progress_id in progress.values()}
    # A locking read sees what was committed while this transaction waited, at every isolation level.
    for row in Fulfillment.objects.select_for_update().filter(progress__in=rows).order_by("pk"):
        rows[row.progress_id][row.requirement_id] = row

    decisions: dict[int, Decision] = {}
    new: list[Fulfillment] = []
    changed: list[Fulfillment] = []
    for step in steps:
        if step.template_id not in progress:
            continue
        known = rows[progress[step.template_id]]
        entries = {key: Entry(row.is_fulfilled, row.event_time) for key, row in known.items()}
        decision = decisions[step.template_id] = _decide(ruleset, event, step, entries)
        for requirement_id, change in decision.changes.items():
            existing = known.get(requirement_id)
            row = existing or Fulfillment(progress_id=progress[step.template_id], requirement_id=requirement_id)
            _write(row, ruleset, event, step, change)
            (changed if existing else new).append(row)
    Fulfillment.objects.bulk_create(new)
    if changed:
        Fulfillment.objects.bulk_update(
            changed, ["is_fulfilled", "event_type", "event_id", "event_time", "evidence", "modified"]
        )
    for row in new:
        rows[row.progress_id][row.requirement_id] = row
    earned = {
        step.template_id: _earned_at(ruleset, step.template_id, rows[progress[step.template_id]])
        for step in steps
        if step.template_id in decisions and _earns(ruleset, step, decisions[step.template_id])
    }
    awarded, revoked = _award_and_revoke(ruleset, event.time, user, earned, decisions)
    return Outcome(
        fulfilled=tuple(key for decision in decisions.values() for key in decision.having(Change.FULFIL)),
        reset=tuple(key for decision in decisions.values() for key in decision.having(Change.RESET)),
        awarded=awarded,
        revoked=revoked,
    )


def _lock_progress(user: AbstractBaseUser, steps: list[_Step]) -> dict[int, int]:
    """Template -> id of its locked progress record. Missing records are made where something is fulfilled."""
    wanted = [step.template_id for step in steps]
    of_user = BadgeProgress.objects.filter(user_id=user.pk, template_id__in=wanted)
    present = set(of_user.order_by().values_list("template_id", flat=True))
    taken_back = {step.template_id for step in steps if set(step.fulfils) <= set(step.resets)}
    missing = [template_id for template_id in wanted if template_id not in present and template_id not in taken_back]
    if missing:
        # Two consumers may do this at once: the constraint keeps one record, and the update takes its lock.
        BadgeProgress.objects.bulk_create(
            [BadgeProgress(user_id=user.pk, template_id=template_id) for template_id in sorted(missing)],
            ignore_conflicts=True,
        )
    return {
        template_id: progress_id
        for progress_id, template_id in of_user.select_for_update().order_by("pk").values_list("pk", "template_id")
    }


def _write(row: Fulfillment, ruleset: Ruleset, event: IncomingEvent, step: _Step, change: Change) -> None:
    if change is not Change.REFRESH:
        row.is_fulfilled = change is Change.FULFIL
    row.event_type, row.event_id, row.event_time = event.event_type, event.event_id, event.time
    if row.is_fulfilled:
        rules = ruleset.requirements[row.requirement_id].rules
    else:
        resetting = [ruleset.penalties[penalty_id] for penalty_id in step.penalties]
        rules = tuple(
            rule for penalty in resetting if row.requirement_id in penalty.requirement_ids for rule in penalty.rules
        )
    row.evidence = ruleset.evidence(event.event_type, rules, event.arguments)
    row.modified = timezone.now()


def _award_and_revoke(
    ruleset: Ruleset,
    time: datetime,
    user: AbstractBaseUser,
    earned: Mapping[int, datetime],
    decisions: Mapping[int, Decision],
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    lost = [
        template_id
        for template_id, decision in decisions.items()
        if ruleset.is_broken(template_id, decision.having(Change.RESET), decision.fulfilled)
    ]
    if not earned and not lost:
        return (), ()
    badges = {
        badge.template_id: badge
        for badge in Badge.objects.select_for_update()
        .filter(user_id=user.pk, template_id__in=[*earned, *lost])
        .order_by("pk")
    }
    awarded = awards.award(user, {key: earned_at for key, earned_at in earned.items() if key not in badges})
    revoked = awards.revoke(
        [badges[template_id] for template_id in lost if template_id in badges and badges[template_id].is_awarded], time
    )
    return tuple(badge.pk for badge in awarded), tuple(badge.pk for badge in revoked)


def _earned_at(ruleset: Ruleset, template_id: int, rows: Mapping[int, Fulfillment]) -> datetime:
    """When the last group was fulfilled; events come in any order, so it need not be the present one."""
    times = {key: row.event_time for key, row in rows.items() if row.is_fulfilled}
    return max(min(times[key] for key in group if key in times) for group in ruleset.groups[template_id])
