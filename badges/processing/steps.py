"""What an event means for each template: which requirements it fulfils, and which its penalties reset. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from attrs import frozen

from badges.data import IncomingEvent, Learner
from badges.processing.register import Decision, Entry, decide
from badges.rules.ruleset import Match, Ruleset


@frozen
class Step:
    """The part of an event that concerns one template."""

    template_id: int
    fulfils: tuple[int, ...]
    resets: tuple[int, ...] = ()
    penalties: tuple[int, ...] = ()
    """The penalties that reset them."""

    @property
    def may_begin(self) -> bool:
        """Whether it can fulfil something for a learner of whom nothing is known."""
        return not set(self.fulfils) <= set(self.resets)


@frozen
class Reading:
    """An event that matters, with what it means."""

    event: IncomingEvent
    learner: Learner
    steps: tuple[Step, ...]

    @property
    def rank(self) -> int:
        """Its place among events of the same moment: what resets nothing, what does both, what does nothing else."""
        if not any(step.resets for step in self.steps):
            return 0
        return 1 if any(step.fulfils for step in self.steps) else 2


def steps_of(ruleset: Ruleset, match: Match) -> tuple[Step, ...]:
    """The steps of a match, by template in rising order."""
    fulfils: dict[int, list[int]] = defaultdict(list)
    for requirement_id in match.requirement_ids:
        fulfils[ruleset.requirements[requirement_id].template_id].append(requirement_id)
    if not match.penalty_ids:
        return tuple([Step(template_id, tuple(fulfils[template_id])) for template_id in sorted(fulfils)])
    resets: dict[int, set[int]] = defaultdict(set)
    penalties: dict[int, list[int]] = defaultdict(list)
    for penalty_id in match.penalty_ids:
        penalty = ruleset.penalties[penalty_id]
        penalties[penalty.template_id].append(penalty_id)
        for requirement_id in penalty.requirement_ids:
            requirement = ruleset.requirements.get(requirement_id)
            if requirement is not None and requirement.template_id == penalty.template_id:
                resets[penalty.template_id].add(requirement_id)
    return tuple(
        [
            Step(
                template_id,
                tuple(fulfils[template_id]),
                tuple(sorted(resets[template_id])),
                tuple(penalties[template_id]),
            )
            for template_id in sorted({*fulfils, *resets})
        ]
    )


def decide_step(ruleset: Ruleset, event: IncomingEvent, step: Step, entries: Mapping[int, Entry]) -> Decision:
    """What a step changes, given what is known of its template for the learner."""
    return decide(entries, fulfils=step.fulfils, resets=step.resets, time=event.time, resettable=ruleset.resettable)


def earns(ruleset: Ruleset, step: Step, decision: Decision) -> bool:
    """Whether a step leaves its template complete, and is one that fulfils."""
    return not decision.fulfilled.isdisjoint(step.fulfils) and ruleset.is_complete(step.template_id, decision.fulfilled)
