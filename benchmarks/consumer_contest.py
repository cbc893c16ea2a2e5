"""Letting the floor, ours and others take the same sort of messages in turns."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import redis
from attrs import define, field
from django.db import connection
from django.test.utils import override_settings

from benchmarks import consumer_runs
from benchmarks.consumer_events import Targets, drop
from benchmarks.consumer_report import Options
from benchmarks.consumer_runs import NotTaken, Run
from benchmarks.consumer_scenarios import Scenario

STOCK_EVENTS, WARM_UP = 3_000, 200


@define
class Contest:
    """The rates of one scenario, round by round."""

    rates: dict[str, list[float]] = field(factory=dict)

    def add(self, name: str, rate: float) -> None:
        """A rate of another round, in events a second."""
        self.rates.setdefault(name, []).append(rate)

    def ratios(self, name: str, to: str) -> list[float]:
        """Round by round, what one did of the other."""
        return [one / other for one, other in zip(self.rates[name], self.rates[to], strict=True)]


def contend(client: redis.Redis, scenario: Scenario, targets: Targets, options: Options) -> Contest:
    """Let the floor and ours take turns, and the stock consumer where something is promised against it."""
    number = min(scenario.events, options.largest or scenario.events)
    contenders = [("floor", scenario.floor_run(targets), number), ("ours", consumer_runs.ours, number)]
    # The first of all pays for what is compiled once.
    for _, contender, _ in contenders:
        once(client, scenario, targets, contender, WARM_UP)
    if scenario.beside_stock:
        contenders.append(("stock", consumer_runs.stock, min(number, STOCK_EVENTS)))
    contest = Contest()
    for turn in range(options.rounds):
        for name, contender, size in contenders if turn % 2 else reversed(contenders):
            contest.add(name, once(client, scenario, targets, contender, size))
    return contest


def once(
    client: redis.Redis,
    scenario: Scenario,
    targets: Targets,
    contender: Run,
    number: int,
    around: Callable[[Callable[[], float]], float] | None = None,
) -> float:
    """The rate of one contender with messages of its own, after a look whether it did what it was to do."""
    topic = scenario.fill(client, targets, number)
    before = counts(scenario)
    with engine(scenario):
        seconds = around(lambda: contender(client, topic, number)) if around else contender(client, topic, number)
    for table, rows in counts(scenario).items():
        if rows - before[table] != scenario.leaves[table] * number:
            raise NotTaken(f"{scenario.name}: {number} messages left {rows - before[table]} rows in {table}.")
    drop(client, topic)
    return number / seconds


def engine(scenario: Scenario) -> AbstractContextManager[object]:
    """The task engine: that of the database where the scenario wants it, else none that carries anything out."""
    if scenario.with_tasks:
        return nullcontext()
    path = f"{consumer_runs.tasks_package()}.backends.dummy.DummyBackend"
    return override_settings(TASKS={"default": {"BACKEND": path, "QUEUES": ["default"]}})


def counts(scenario: Scenario) -> dict[str, int]:
    """How many rows there are in the tables that a scenario writes to."""
    found = {}
    for table in scenario.leaves:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT COUNT(*) FROM {table}")
            found[table] = int(cursor.fetchone()[0])
    return found
