"""Events per second of the consumer beside the floor, both in the same run, with the ratio.

The bus floor is the bare loop: read 200, decode, send the signal to a receiver that does nothing, acknowledge. The
write floor is that loop with the fewest plain bulk statements that store the same rows. They take turns, round after
round, because machines are noisy; the ratio is the median of the rounds' ratios. After that: two consumers against one,
and the rates beside a million records.
"""

from __future__ import annotations

import statistics
from contextlib import ExitStack
from typing import TYPE_CHECKING

from benchmarks.consumer_report import Options, machine, spread, verdict, with_redis
from benchmarks.project import project

if TYPE_CHECKING:
    import redis

    from benchmarks.consumer_contest import Contest
    from benchmarks.consumer_events import Targets
    from benchmarks.consumer_scenarios import Scenario

TEMPLATES = 10_000
STOCK_PROMISE = 2.5


def run(options: Options) -> int:
    """Measure and print. The exit code is 0 whatever the figures are: they depend on the machine."""
    if (code := with_redis()) is not None:
        return code
    with ExitStack() as stack:
        config = {"providers": {"instant": "benchmarks.provider.InstantProvider"}}
        database = stack.enter_context(project(config=config, tasks="db"))
        from benchmarks import consumer_events, consumer_many, consumer_size
        from benchmarks.consumer_scenarios import SCENARIOS

        client = stack.enter_context(consumer_events.redis_client())
        templates = min(options.largest or TEMPLATES, TEMPLATES)
        consumer_events.make_configuration(templates)
        targets = consumer_events.targets()
        chosen = [one for one in SCENARIOS if options.wants(one.name)]
        if options.profile:
            print_profiles(client, chosen, targets, options, database)
            return 0
        print(
            f"Events per second, {database}, {templates:,} active templates, deliveries left to workers; median of "
            f"{options.rounds} rounds (least to most)\n{machine()}\n"
        )
        print_rates(client, chosen, targets, options, database)
        consumer_many.measure(client, targets, options, database)
        consumer_size.measure(client, options, templates)
    return 0


def print_rates(client: redis.Redis, chosen: list[Scenario], targets: Targets, options: Options, database: str) -> None:
    """A table of the scenarios."""
    from benchmarks import consumer_contest

    print(f"{'':34}{'floor':>24}{'ours':>24}{'ours / floor':>20}")
    for kind in dict.fromkeys(scenario.floor for scenario in chosen):
        print(f"{kind}:")
        for scenario in (one for one in chosen if one.floor == kind):
            contest = consumer_contest.contend(client, scenario, targets, options)
            print_row(scenario.name, contest, scenario.promise(database))
            if scenario.beside_stock:
                print_stock(contest)
    print()


def print_row(name: str, contest: Contest, promised: float | None) -> None:
    """The rates of the floor and of ours, and what is promised."""
    ratio = statistics.median(contest.ratios("ours", "floor"))
    cells = "".join(f"{spread(contest.rates[one]):>24}" for one in ("floor", "ours"))
    print(f"  {name:32}{cells}{ratio:>10.2f} x{verdict(ratio, promised)}", flush=True)


def print_stock(contest: Contest) -> None:
    """The rates of the stock consumer, and what is promised against it."""
    ratio = statistics.median(contest.ratios("ours", "stock"))
    cells = f"{spread(contest.rates['stock']):>24}{'':24}"
    print(f"{'  the stock consumer beside it':34}{cells}{ratio:>10.2f} x{verdict(ratio, STOCK_PROMISE)}", flush=True)


def print_profiles(
    client: redis.Redis, chosen: list[Scenario], targets: Targets, options: Options, database: str
) -> None:
    """Microseconds of an event in each phase, for the floor and for ours."""
    from benchmarks import consumer_contest, consumer_runs
    from benchmarks.consumer_profile import PHASES, Sampler

    phases = [*PHASES, "the rest"]
    print(f"Microseconds of an event, {database}; {machine()}\n\n{'':34}{'':8}{'':>8}", end="")
    print("".join(f"{phase:>10}" for phase in phases))
    for scenario in chosen:
        number = min(scenario.events, options.largest or scenario.events)
        for name, contender in (("floor", scenario.floor_run(targets)), ("ours", consumer_runs.ours)):
            consumer_contest.once(client, scenario, targets, contender, consumer_contest.WARM_UP)
            sampler = Sampler()
            rate = consumer_contest.once(client, scenario, targets, contender, number, sampler.during)
            shares = sampler.shares()
            cells = "".join(f"{shares[phase] / rate * 1e6:>10.1f}" for phase in phases)
            print(f"{scenario.name:34}{name:8}{1e6 / rate:>8.0f}{cells}", flush=True)
    print()
