"""What the consumer is measured with: each scenario fills a topic, names its floor, and what is promised against it."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import redis
from attrs import frozen

from badges.data import Origin
from badges.models import Badge, BadgeProgress, Delivery, Fulfillment
from badges.processing.messages import decode
from benchmarks.consumer_events import NOWHERE, Fact, Target, Targets, analyze, fill, make_learners, message
from benchmarks.consumer_floor import BATCH, Writer
from benchmarks.consumer_runs import NotTaken, Run, floor

T = TypeVar("T")
BUS, WRITE = "bus floor", "write floor"


@frozen
class Scenario:
    """One sort of events."""

    name: str
    floor: str
    promised: Mapping[str, float]
    """Database -> the least part of the floor; the key "" is for every other one."""
    make: Callable[[Targets, int, str], Iterable[Fact]]
    """Gives so many messages, of learners that nobody had before; a last argument makes their names unique."""
    events: int = 6_000
    writes: Callable[[Targets], Writer] | None = None
    leaves: Mapping[str, int] = {}
    """Table -> the rows that each message leaves."""
    with_tasks: bool = False
    """Whether a task is enqueued for the deliveries, in the database; else there is nobody to give it to."""
    beside_stock: bool = False
    """Whether the stock consumer is measured too."""

    def floor_run(self, targets: Targets) -> Run:
        """The floor of this scenario."""
        return floor(self.writes(targets) if self.writes is not None else None)

    def promise(self, database: str) -> float | None:
        """The least part of the floor that is promised on this database; None where nothing is."""
        return self.promised.get(database, self.promised.get(""))

    def fill(self, client: redis.Redis, targets: Targets, number: int) -> str:
        """A new topic with so many messages; gives its name."""
        topic = tag = uuid.uuid4().hex[:12]
        filled = fill(client, topic, self.make(targets, number, tag))
        if filled != number:
            raise NotTaken(f"{filled} messages were made instead of {number}.")
        analyze()
        return topic


def nothing(targets: Targets, number: int, tag: str) -> Iterable[Fact]:
    """Courses that no template wants."""
    return [Fact(f"{tag}-{n}", NOWHERE) for n in range(number)]


def repeats(targets: Targets, number: int, tag: str) -> Iterable[Fact]:
    """Newer events that say what is known: each learner passes a course that they passed already."""
    return _known(targets.first, number, tag)


def refreshing(targets: Targets, number: int, tag: str) -> Iterable[Fact]:
    """The same where a penalty could undo it: the stored time moves forward."""
    return _known(targets.undoable, number, tag)


def penalties(targets: Targets, number: int, tag: str) -> Iterable[Fact]:
    """Learners without progress fail."""
    names = _names(number, tag)
    make_learners(names)
    return [Fact(name, target.course_key, is_passing=False) for name, target in _spread(names, targets.undoable)]


def first(targets: Targets, number: int, tag: str) -> Iterable[Fact]:
    """Known learners fulfil one of two groups."""
    names = _names(number, tag)
    make_learners(names)
    return [Fact(name, target.course_key) for name, target in _spread(names, targets.first)]


def first_of_new(targets: Targets, number: int, tag: str) -> Iterable[Fact]:
    """The same for learners that have no user record."""
    return [Fact(name, target.course_key) for name, target in _spread(_names(number, tag), targets.first)]


def award(targets: Targets, number: int, tag: str) -> Iterable[Fact]:
    """Known learners fulfil all that a template wants."""
    names = _names(number, tag)
    make_learners(names)
    return [Fact(name, target.course_key) for name, target in _spread(names, targets.whole)]


FULFILMENT = {BadgeProgress._meta.db_table: 1, Fulfillment._meta.db_table: 1}
AWARD = {**FULFILMENT, Badge._meta.db_table: 1, Delivery._meta.db_table: 2}
SERVERS = ("PostgreSQL", "MariaDB")
SCENARIOS = (
    Scenario("matches nothing", BUS, {"": 0.7}, nothing, events=20_000, beside_stock=True),
    Scenario("repeats what is known", BUS, {"PostgreSQL": 0.5}, repeats, events=10_000),
    Scenario("penalty finds nothing", BUS, {"PostgreSQL": 0.5}, penalties, events=10_000),
    Scenario("repeat that a penalty could undo", BUS, {}, refreshing),
    Scenario(
        "first fulfilment",
        WRITE,
        dict.fromkeys(SERVERS, 0.6),
        first,
        writes=lambda targets: Writer(targets.first),
        leaves=FULFILMENT,
    ),
    Scenario(
        "first fulfilment, new learners",
        WRITE,
        {},
        first_of_new,
        writes=lambda targets: Writer(targets.first, new_learners=True),
        leaves=FULFILMENT,
    ),
    Scenario(
        "award",
        WRITE,
        dict.fromkeys(SERVERS, 0.6),
        award,
        writes=lambda targets: Writer(targets.whole, awards=True),
        leaves=AWARD,
    ),
    Scenario(
        "award, tasks of django-tasks-db",
        WRITE,
        dict.fromkeys(SERVERS, 0.6),
        award,
        writes=lambda targets: Writer(targets.whole, awards=True),
        leaves=AWARD,
        with_tasks=True,
    ),
)


def _known(targets: tuple[Target, ...], number: int, tag: str) -> Iterable[Fact]:
    names = _names(number, tag)
    make_learners(names)
    facts = [Fact(name, target.course_key) for name, target in _spread(names, targets)]
    write = Writer(targets)
    for chunk in _batched(facts):
        write([decode(message(fact), Origin("", "0-0")) for fact in chunk])
    return facts


def _names(number: int, tag: str) -> list[str]:
    return [f"{tag}-{n}" for n in range(number)]


def _spread(names: Iterable[str], targets: tuple[Target, ...]) -> Iterable[tuple[str, Target]]:
    """Learners over all targets, each batch over as many as there are: no two of them share a template."""
    return zip(names, itertools.cycle(targets), strict=False)


def _batched(items: list[T]) -> Iterable[list[T]]:
    return (items[start : start + BATCH] for start in range(0, len(items), BATCH))
