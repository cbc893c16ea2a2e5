"""How far a learner is with a badge template: what is fulfilled and what is missing, in words. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime

from attrs import frozen

from badges.models import BadgeProgress, BadgeRequirement, BadgeTemplate
from badges.rules.ruleset import Rule
from badges.rules.words import alternatives_words, requirement_words


@frozen
class RequirementStanding:
    """A requirement, and whether it is fulfilled."""

    text: str
    is_fulfilled: bool
    fulfilled_at: datetime | None


@frozen
class GroupStanding:
    """Requirements of which one is enough."""

    text: str
    is_fulfilled: bool
    fulfilled_at: datetime | None
    requirements: tuple[RequirementStanding, ...]


@frozen
class HeldBadge:
    """The badge that the learner has, or had, of the template."""

    uuid: uuid.UUID
    status: str


@frozen
class Standing:
    """A template, as it stands for one learner."""

    template: BadgeTemplate
    groups: tuple[GroupStanding, ...]
    badge: HeldBadge | None = None
    progress: BadgeProgress | None = None
    """Where it is told with its learner."""

    @property
    def ratio(self) -> float:
        """As :attr:`badges.models.BadgeProgress.ratio`."""
        return sum(group.is_fulfilled for group in self.groups) / len(self.groups) if self.groups else 0.0

    @property
    def is_complete(self) -> bool:
        """Whether every group is fulfilled."""
        return bool(self.groups) and all(group.is_fulfilled for group in self.groups)

    @property
    def missing(self) -> list[str]:
        """What is still to be done."""
        return [group.text for group in self.groups if not group.is_fulfilled]


def standing(
    template: BadgeTemplate,
    fulfilled: Mapping[int, datetime],
    badge: HeldBadge | None = None,
    progress: BadgeProgress | None = None,
) -> Standing:
    """How a template stands for a learner.

    Arguments:
        template: with its requirements and their rules loaded.
        fulfilled: id of each fulfilled requirement -> time of the event that says so; aware.
        badge: the learner's, if there is one.
        progress: see :attr:`Standing.progress`.
    """
    groups: dict[str | int, list[BadgeRequirement]] = {}
    for requirement in sorted(template.requirements.all(), key=lambda one: one.pk):
        groups.setdefault(requirement.group or requirement.pk, []).append(requirement)
    return Standing(template, tuple(_group(members, fulfilled) for members in groups.values()), badge, progress)


def requirement_text(requirement: BadgeRequirement) -> str:
    """A requirement in words: those of staff, where they wrote some."""
    if described := requirement.description.strip():
        return described
    rules = sorted(requirement.rules.all(), key=lambda rule: rule.pk)
    return requirement_words(
        requirement.event_type, [Rule(rule.data_path, rule.operator, rule.value) for rule in rules]
    )


def _group(members: list[BadgeRequirement], fulfilled: Mapping[int, datetime]) -> GroupStanding:
    told = tuple(
        RequirementStanding(requirement_text(one), one.pk in fulfilled, fulfilled.get(one.pk)) for one in members
    )
    times = [one.fulfilled_at for one in told if one.fulfilled_at is not None]
    return GroupStanding(
        text=alternatives_words(one.text for one in told),
        is_fulfilled=any(one.is_fulfilled for one in told),
        fulfilled_at=min(times, default=None),
        requirements=told,
    )
