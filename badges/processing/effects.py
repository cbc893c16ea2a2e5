"""Writing what a batch of events changes: progress, fulfilments, badges. Within one transaction, under locks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from attrs import frozen

from badges.data import IncomingEvent
from badges.issuing import awards
from badges.models import Badge, Fulfillment
from badges.models.insertion import insert
from badges.processing import learners
from badges.processing.register import Change, Entry
from badges.processing.standing import Pair, lock_badges, lock_entries, lock_progress
from badges.processing.steps import Reading, Step, decide_step, earns
from badges.rules.ruleset import Ruleset

WORD = ("is_fulfilled", "event_type", "event_id", "event_time", "evidence")
COLUMNS = ("progress_id", "requirement_id", *WORD)


@frozen
class Begun:
    """That something is known of a learner for the first time, and since when."""

    username: str
    time: datetime


class Effects:
    """The effects of some events, decided one after another on the locked rows, and then written together."""

    def __init__(self, ruleset: Ruleset, work: Sequence[Reading], known_users: Mapping[str, int]) -> None:
        self._ruleset = ruleset
        self._work = work
        self._known_users = known_users
        self._fulfilled: list[int] = []
        self._reset: list[int] = []
        self._earned: dict[Pair, datetime] = {}
        """The first time that a template was complete, whether or not there is a badge already."""
        self._lost: dict[Pair, list[tuple[datetime, bool]]] = defaultdict(list)
        """The times of the penalties that broke a template, and whether it had been earned in this batch by then."""
        self._begun: set[Begun] = set()
        self.awarded: tuple[int, ...] = ()
        self.revoked: tuple[int, ...] = ()

    @property
    def fulfilled(self) -> tuple[int, ...]:
        """The requirements that were fulfilled."""
        return tuple(self._fulfilled)

    @property
    def reset(self) -> tuple[int, ...]:
        """The requirements that were reset."""
        return tuple(self._reset)

    @property
    def begun(self) -> tuple[Begun, ...]:
        """For whom requirements that a penalty can undo were fulfilled for the first time, and when."""
        return tuple(self._begun)

    def apply(self) -> Effects:
        """Decide and write. Call it once, in a transaction."""
        beginning = {r.learner.username for r in self._work if any(step.may_begin for step in r.steps)}
        users = learners.resolve_all([reading.learner for reading in self._work], self._known_users, beginning)
        steps = [
            (reading, (users[reading.learner.username], step.template_id), step)
            for reading in self._work
            if reading.learner.username in users
            for step in reading.steps
        ]
        pairs = {pair for _, pair, _ in steps}
        progress, new = lock_progress(pairs, {pair for _, pair, step in steps if step.may_begin})
        entries = lock_entries([progress_id for pair, progress_id in progress.items() if pair not in new])
        known = {pair: _Known(progress_id, entries.get(progress_id, {})) for pair, progress_id in progress.items()}
        for reading, pair, step in steps:
            if pair in known:
                self._take(reading, pair, step, known[pair])
        self._write(known.values())
        self._award_and_revoke()
        return self

    def _take(self, reading: Reading, pair: Pair, step: Step, known: _Known) -> None:
        event = reading.event
        decision = decide_step(self._ruleset, event, step, known.entries)
        for requirement_id, change in decision.changes.items():
            if requirement_id in self._ruleset.resettable and requirement_id not in known.entries:
                self._begun.add(Begun(reading.learner.username, event.time))
            known.change(self._ruleset, event, step, requirement_id, change)
        self._fulfilled += decision.having(Change.FULFIL)
        self._reset += decision.having(Change.RESET)
        if pair not in self._earned and earns(self._ruleset, step, decision):
            self._earned[pair] = known.earned_at(self._ruleset, step.template_id)
        if self._ruleset.is_broken(step.template_id, decision.having(Change.RESET), decision.fulfilled):
            self._lost[pair].append((event.time, pair in self._earned))

    def _write(self, known: Iterable[_Known]) -> None:
        rows = [row for one in known for row in one.rows()]
        if rows:
            # Their progress records are locked, so whatever is there is what was seen.
            insert(Fulfillment, COLUMNS, rows, unique=("progress_id", "requirement_id"), update=(*WORD, "modified"))

    def _award_and_revoke(self) -> None:
        concerned = {*self._earned, *self._lost}
        if not concerned:
            return
        badges = lock_badges(concerned, self._lost)
        awarded = awards.award_all({pair: time for pair, time in self._earned.items() if pair not in badges})
        lost: dict[Pair, datetime] = {}
        for pair, times in self._lost.items():
            # A penalty from before the award of this batch took nothing away.
            at = next((time for time, was_earned in times if was_earned or pair not in awarded), None)
            if at is not None:
                lost[pair] = at
        if at_once := awarded.keys() & lost.keys():
            found = Badge.objects.in_bulk([awarded[pair] for pair in at_once])
            badges |= {pair: found[awarded[pair]] for pair in at_once}
        revoked = [(badges[pair], at) for pair, at in lost.items() if pair in badges and badges[pair].is_awarded]
        self.awarded = tuple(awarded.values())
        self.revoked = tuple([badge.pk for badge in awards.revoke_all(sorted(revoked, key=lambda one: one[0].pk))])


class _Known:
    """One progress record: what is known of its requirements, and the words of the batch on them."""

    __slots__ = ("_progress_id", "_words", "entries")

    def __init__(self, progress_id: int, entries: dict[int, Entry]) -> None:
        self._progress_id = progress_id
        self._words: dict[int, tuple[object, ...]] = {}
        self.entries = entries

    def rows(self) -> Iterator[tuple[object, ...]]:
        """What is to be written, in the order of ``COLUMNS``."""
        for requirement_id, word in self._words.items():
            yield self._progress_id, requirement_id, *word

    def change(self, ruleset: Ruleset, event: IncomingEvent, step: Step, requirement_id: int, change: Change) -> None:
        """Let an event have the newest word on a requirement."""
        if change is Change.REFRESH:
            is_fulfilled = self.entries[requirement_id].is_fulfilled
        else:
            is_fulfilled = change is Change.FULFIL
        evidence = _evidence(ruleset, event, step, requirement_id, is_fulfilled=is_fulfilled)
        self._words[requirement_id] = (is_fulfilled, event.event_type, event.event_id, event.time, evidence)
        self.entries[requirement_id] = Entry(is_fulfilled, event.time)

    def earned_at(self, ruleset: Ruleset, template_id: int) -> datetime:
        """When the last group was fulfilled; events come in any order, so it need not be the present one."""
        times = {key: entry.time for key, entry in self.entries.items() if entry.is_fulfilled}
        return max(min(times[key] for key in group if key in times) for group in ruleset.groups[template_id])


def _evidence(
    ruleset: Ruleset, event: IncomingEvent, step: Step, requirement_id: int, *, is_fulfilled: bool
) -> dict[str, object]:
    if is_fulfilled:
        rules = ruleset.requirements[requirement_id].rules
    else:
        resetting = [ruleset.penalties[penalty_id] for penalty_id in step.penalties]
        rules = tuple(
            rule for penalty in resetting if requirement_id in penalty.requirement_ids for rule in penalty.rules
        )
    return ruleset.evidence(event.event_type, rules, event.arguments)
