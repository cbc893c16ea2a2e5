"""What a play configures, which events it makes, and what must come of them. Pure, and knows nothing of the app."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from attrs import frozen

PASSING = "org.openedx.learning.course.passing.status.updated.v1"
CCX_PASSING = "org.openedx.learning.ccx.course.passing.status.updated.v1"
OPENING = False
"""Whether what a penalty can undo is fulfilled, and worked off, before all else.

A penalty that finds nothing leaves no row, so for processing alone one that comes before what it undoes is as if it had
never come (ADR 0003). The consumer looks at the stream again, and needs no opening.
"""
OPENING_ENDS = 100
LAST = 160
LATENESS = 20
"""Seconds that an event may be in the stream before, or after, its time. Many are dated at the same second."""
CCX = "ccx-v1:edX+Classroom+2026+ccx@1"


def course(number: int) -> str:
    """The key of a course."""
    return f"course-v1:edX+C{number}+2026"


@frozen
class Requirement:
    """That a learner passes a course."""

    name: str
    """It stands in the description of the row."""
    template: str
    group: str
    course: str


@frozen
class Penalty:
    """That a learner who fails a course loses what these requirements gave."""

    template: str
    course: str
    resets: tuple[str, ...]


REQUIREMENTS = (
    Requirement("both 1", "Two courses", "A", course(1)),
    Requirement("both 2", "Two courses", "B", course(2)),
    Requirement("either 3", "One of two", "A", course(3)),
    Requirement("either 4", "One of two", "A", course(4)),
    Requirement("kept 5", "Two that can be lost", "A", course(5)),
    Requirement("kept 6", "Two that can be lost", "B", course(6)),
    Requirement("also 1", "Two or three", "A", course(1)),
    Requirement("also 5", "Two or three", "B", course(5)),
    Requirement("also 6", "Two or three", "B", course(6)),
    Requirement("classroom", "In the classroom", "", CCX),
)
PENALTIES = (
    Penalty("One of two", course(3), ("either 3",)),
    Penalty("One of two", course(4), ("either 4",)),
    Penalty("Two that can be lost", course(5), ("kept 5", "kept 6")),
    Penalty("Two or three", course(6), ("also 6",)),
)
TEMPLATES = tuple(dict.fromkeys(requirement.template for requirement in REQUIREMENTS))
UNKNOWN_COURSE = course(9)
"""That nothing listens to."""
PENALIZED = {
    course(3): (course(3),),
    course(4): (course(4),),
    course(5): (course(5), course(6)),
    course(6): (course(6),),
}
"""Course -> the courses whose fulfilments are lost by failing it."""


@frozen
class Event:
    """A learner passes or fails a course."""

    id: str
    learner: str
    course: str
    passes: bool
    time: int
    """Seconds after the start of the play's time, which ends when the play begins."""

    @property
    def type(self) -> str:
        """The type of its signal."""
        return CCX_PASSING if self.course == CCX else PASSING

    @property
    def data(self) -> dict[str, Any]:
        """The signal's arguments as JSON values."""
        pii = {"username": self.learner, "email": f"{self.learner}@example.com", "name": "Anna Lee"}
        key = (
            {"ccx_course_key": CCX, "master_course_key": course(8)}
            if self.course == CCX
            else {"course_key": self.course}
        )
        user = {"id": 7, "is_active": True, "pii": pii}
        return {"course_passing_status": {"is_passing": self.passes, "user": user, "course": key}}


State = tuple[bool, int | None]
"""Whether it is fulfilled; and the time of the event that says so, where a penalty makes that matter."""


@frozen
class Plan:
    """The messages in the order in which they are put on the bus; some are repeated."""

    opening: tuple[Event, ...]
    """To be worked off before the others."""
    messages: tuple[Event, ...]

    @property
    def events(self) -> dict[str, Event]:
        """All of them, by id."""
        return {event.id: event for event in (*self.opening, *self.messages)}


def make_plan(seed: int, *, learners: int = 200, each: int = 10, repeats: float = 0.1) -> Plan:
    """``each`` events for each learner, and some of them repeated; the same for the same seed."""
    dice = random.Random(seed)
    opening, later = [], []
    for number in range(learners):
        learner = f"learner{number}"
        first = _opening(dice, learner) if OPENING else []
        opening += first
        later += [_later(dice, learner, {event.course for event in first}) for _ in range(each - len(first))]
    dice.shuffle(opening)
    later.sort(key=lambda event: event.time + dice.uniform(-LATENESS, LATENESS))
    for event in dice.sample(later, int(len(later) * repeats)):
        later.insert(dice.randrange(len(later)), event)
    return Plan(tuple(opening), tuple(later))


def _opening(dice: random.Random, learner: str) -> list[Event]:
    courses = {key for failed in PENALIZED if dice.random() < 0.5 for key in PENALIZED[failed]}
    return [_event(dice, learner, key, True, dice.randrange(OPENING_ENDS)) for key in sorted(courses)]


def _later(dice: random.Random, learner: str, opened: set[str]) -> Event:
    key = dice.choice([course(1), course(2), CCX, UNKNOWN_COURSE, *PENALIZED, *sorted(opened) * 2])
    undoes = set(PENALIZED.get(key, ()))
    passes = dice.random() < 0.6 or (OPENING and not undoes <= opened)
    return _event(dice, learner, key, passes, dice.randrange(OPENING_ENDS, LAST))


def _event(dice: random.Random, learner: str, key: str, passes: bool, time: int) -> Event:
    return Event(str(uuid.UUID(int=dice.getrandbits(128), version=4)), learner, key, passes, time)


def sequential(events: Iterable[Event]) -> dict[tuple[str, str], State]:
    """(learner, requirement) -> its state after all events in the order of their times.

    At the same time a penalty wins. Where nothing was ever fulfilled there is no entry.
    """
    fulfilled: dict[tuple[str, str], int] = {}
    reset: dict[tuple[str, str], int] = {}
    for event in events:
        for requirement in REQUIREMENTS:
            if event.passes and requirement.course == event.course:
                key = (event.learner, requirement.name)
                fulfilled[key] = max(event.time, fulfilled.get(key, event.time))
        for penalty in PENALTIES:
            if not event.passes and penalty.course == event.course:
                for name in penalty.resets:
                    key = (event.learner, name)
                    reset[key] = max(event.time, reset.get(key, event.time))
    states: dict[tuple[str, str], State] = {}
    for key, time in fulfilled.items():
        if (undone := reset.get(key)) is not None and undone >= time:
            states[key] = (False, undone)
        else:
            states[key] = (True, time if _can_be_lost(key[1]) else None)
    return states


def completed(states: dict[tuple[str, str], State]) -> set[tuple[str, str]]:
    """(learner, template) of those of whom every group has a fulfilled requirement."""
    learners = {learner for learner, _ in states}
    return {
        (learner, template) for learner in learners for template in TEMPLATES if _is_complete(states, learner, template)
    }


def _is_complete(states: dict[tuple[str, str], State], learner: str, template: str) -> bool:
    groups: dict[str, bool] = {}
    for requirement in REQUIREMENTS:
        if requirement.template == template:
            holds = states.get((learner, requirement.name), (False, None))[0]
            key = requirement.group or requirement.name
            groups[key] = groups.get(key, False) or holds
    return all(groups.values())


def _can_be_lost(name: str) -> bool:
    return any(name in penalty.resets for penalty in PENALTIES)


def as_json(events: Sequence[Event], start: float) -> list[dict[str, Any]]:
    """What a producer is told, where the play's time starts at this one (seconds since 1970)."""
    return [{"id": one.id, "type": one.type, "time": start + one.time, "data": one.data} for one in events]
