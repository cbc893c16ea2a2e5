"""Two consumers of one group against one: processes, each on a topic that is full before the clock starts."""

from __future__ import annotations

import statistics
import uuid
from contextlib import ExitStack
from typing import TYPE_CHECKING

from benchmarks import consumer_process
from benchmarks.consumer_report import Options, spread, verdict

if TYPE_CHECKING:
    import redis

    from benchmarks.consumer_events import Targets
    from benchmarks.consumer_scenarios import Scenario

PROMISE = 1.6
EVENTS = {"matches nothing": 40_000, "first fulfilment": 12_000, "award": 12_000}


def measure(client: redis.Redis, targets: Targets, options: Options, database: str) -> None:
    """Print the rates of one and of two consumers."""
    from benchmarks.consumer_scenarios import SCENARIOS

    chosen = [one for one in SCENARIOS if one.name in EVENTS and options.wants(one.name, "two consumers: ")]
    if not chosen:
        return
    print(f"{'two consumers':34}{'one':>24}{'two':>24}{'two / one':>20}")
    group = uuid.uuid4().hex
    with ExitStack() as stack:
        warm_up = SCENARIOS[0].fill(client, targets, 200)
        processes = [stack.enter_context(consumer_process.consumer(group, name, warm_up)) for name in ("a", "b")]
        for scenario in chosen:
            number = min(EVENTS[scenario.name], options.largest or EVENTS[scenario.name])
            rates: dict[int, list[float]] = {1: [], 2: []}
            for turn in range(options.rounds):
                for many in (1, 2) if turn % 2 else (2, 1):
                    rates[many].append(rate_of(client, targets, scenario, processes[:many], number))
            ratio = statistics.median([two / one for one, two in zip(rates[1], rates[2], strict=True)])
            cells = "".join(f"{spread(rates[many]):>24}" for many in (1, 2))
            promised = PROMISE if database != "SQLite" else None
            print(f"  {scenario.name:32}{cells}{ratio:>10.2f} x{verdict(ratio, promised)}", flush=True)
    print()


def rate_of(
    client: redis.Redis, targets: Targets, scenario: Scenario, processes: list[consumer_process.Process], number: int
) -> float:
    """Events a second of these processes together, from when the first begins to when the last ends."""
    from benchmarks.consumer_events import drop

    topic = scenario.fill(client, targets, number)
    for process in processes:
        consumer_process.tell(process, topic)
    results = [consumer_process.result(process) for process in processes]
    drop(client, topic)
    if sum(events for _, _, events in results) != number:
        raise SystemExit(f"{results} is not {number} messages together.")
    return number / (max(end for _, end, _ in results) - min(start for start, _, _ in results))
