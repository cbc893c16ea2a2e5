"""From events to their effect: match, progress, award and revocation, of a whole batch in one transaction.

The order of locks is: user records by name where they are made, progress records by id, their fulfilments by id,
badges by id. See docs/locking.rst.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from attrs import define, field, frozen
from django.db import transaction
from django.utils import timezone

from badges.conf import get_config
from badges.data import IncomingEvent, Learner
from badges.exceptions import BadgesError, UnreadablePayload
from badges.processing import learners, retirements
from badges.processing.configuration import current_ruleset
from badges.processing.effects import Begun, Effects
from badges.processing.register import Entry
from badges.processing.retries import retried
from badges.processing.standing import Standing, Who, look
from badges.processing.steps import Reading, Step, decide_step, earns, steps_of
from badges.rules.ruleset import Ruleset

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


@frozen
class Refusal:
    """An event that can never be applied as it is, and why."""

    event: IncomingEvent
    error: BadgesError


@frozen
class BatchOutcome(Outcome):
    """What a batch of events did, all of them together."""

    refused: tuple[Refusal, ...] = ()
    """Events that were left out."""
    begun: tuple[Begun, ...] = ()
    """First words on requirements that a penalty can undo: a newer penalty that came before them found nothing."""


NO_EFFECT = Outcome()


def process_event(event: IncomingEvent) -> Outcome:
    """Process one event, completely or not at all. Processing it again changes nothing.

    Arguments:
        event: an event of a type that openedx-events knows.

    Raises:
        UnreadablePayload: its learner cannot be a user record, or it is dated in the future.
        django.db.Error: the database failed; nothing was changed.
    """
    done = process_batch([event])
    for refusal in done.refused:
        raise refusal.error
    return Outcome(done.fulfilled, done.reset, done.awarded, done.revoked)


def process_batch(events: Sequence[IncomingEvent]) -> BatchOutcome:
    """Process events in one transaction, with the same result as one after another in the order of their times.

    Those that tell of a learner's retirement come after that transaction, each in transactions of its own.

    Processing them again, in any order and in any other batches, changes nothing.

    Arguments:
        events: events of types that openedx-events knows.

    Raises:
        django.db.Error: the database failed; nothing was changed.
    """
    wanted = frozenset(get_config().events)
    retiring, others = retirements.apart(events)
    concerned = [
        (event, learner)
        for event in others
        if event.event_type in wanted and (learner := _learner_of(event)) is not None
    ]
    outcome = retried(lambda: _process(concerned)) if concerned else BatchOutcome()
    for event in retiring:
        # Last, so that nothing of this batch comes after it.
        retirements.carry_out(event)
    return outcome


def _learner_of(event: IncomingEvent) -> Learner | None:
    learner = learners.identify(event)
    if learner is None:
        logger.info(
            "Event %s of type %s names no learner and was dropped.",
            event.event_id,
            event.event_type,
            extra={"action": "event_dropped", "event_id": str(event.event_id)},
        )
    return learner


def _process(events: Iterable[tuple[IncomingEvent, Learner]]) -> BatchOutcome:
    ruleset = current_ruleset()
    batch = _read(ruleset, events)
    refused = tuple(batch.refused)
    if not batch.readings:
        return BatchOutcome(refused=refused)
    # Most events repeat what is known: a look without locks tells, and then nothing is written.
    standing = look(batch.readings)
    work = _worth_doing(ruleset, batch.readings, standing)
    if not work:
        return BatchOutcome(refused=refused)
    with transaction.atomic():
        effects = Effects(ruleset, work, standing.users).apply()
    return BatchOutcome(effects.fulfilled, effects.reset, effects.awarded, effects.revoked, refused, effects.begun)


@define
class _Batch:
    readings: list[Reading] = field(factory=list)
    refused: list[Refusal] = field(factory=list)


def _read(ruleset: Ruleset, events: Iterable[tuple[IncomingEvent, Learner]]) -> _Batch:
    """What the events mean; those that mean nothing are left out."""
    batch = _Batch()
    latest = timezone.now() + FUTURE_TOLERANCE
    for event, learner in events:
        match = ruleset.match(event.event_type, event.arguments)
        if not match:
            continue
        # Not before: what an event that matters to nobody holds is of no concern, and is not kept.
        try:
            learners.require_storable(learner)
            _require_past(event, latest)
        except UnreadablePayload as error:
            batch.refused.append(Refusal(event, error))
            continue
        # A penalty may have nothing that it could reset.
        if steps := steps_of(ruleset, match):
            batch.readings.append(Reading(event, learner, steps))
    # A penalty that comes before what it undoes would find nothing; of the same moment, it wins.
    batch.readings.sort(key=lambda reading: (reading.event.time, reading.rank))
    return batch


def _require_past(event: IncomingEvent, latest: datetime) -> None:
    """The newest event decides, so one from the future would decide until its day comes."""
    if event.time <= latest:
        return
    ahead = event.time - latest + FUTURE_TOLERANCE
    raise UnreadablePayload(
        f"The event is dated {event.time.isoformat(timespec='seconds')}, {ahead.days} days and "
        f"{ahead.seconds} seconds ahead of this machine. Set the clocks right; an event that is right may be "
        "replayed when its time has come."
    )


def _worth_doing(ruleset: Ruleset, readings: Iterable[Reading], standing: Standing) -> list[Reading]:
    """Of every learner and template that some event changes, all that the batch says of them."""
    concerned: set[tuple[Who, int]] = set()
    for reading in readings:
        who = standing.users.get(reading.learner.username, reading.learner.username)
        for step in reading.steps:
            pair = (who, step.template_id)
            # From the first change on, what is known is not what is stored: the rest is decided under locks.
            if pair not in concerned and _concerns(ruleset, reading.event, step, standing, pair):
                concerned.add(pair)
    if not concerned:
        return []
    work = []
    for reading in readings:
        who = standing.users.get(reading.learner.username, reading.learner.username)
        steps = tuple([step for step in reading.steps if (who, step.template_id) in concerned])
        if len(steps) == len(reading.steps):
            work.append(reading)
        elif steps:
            work.append(Reading(reading.event, reading.learner, steps))
    return work


def _concerns(ruleset: Ruleset, event: IncomingEvent, step: Step, standing: Standing, pair: tuple[Who, int]) -> bool:
    if pair[0] in standing.unclear:
        return True
    decision = decide_step(ruleset, event, step, standing.entries.get(pair, _NOTHING))
    return bool(decision.changes) or (pair not in standing.with_badge and earns(ruleset, step, decision))


_NOTHING: dict[int, Entry] = {}
