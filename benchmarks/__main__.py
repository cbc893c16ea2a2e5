"""``python -m benchmarks [PART ...]``: what an event, a sweep, a delivery, a webhook, the consumer, an adoption cost.

All of them without a name.

``events`` runs on SQLite. The others run on the database of ``BADGES_TEST_DATABASE_URL``, which has to be empty, or
on SQLite in a temporary folder; ``make bench`` starts PostgreSQL and MariaDB for them. ``consumer`` and ``memory`` take
the Redis of ``BADGES_TEST_REDIS_URL``, or start one. Exits with 1 where a promised figure does not hold; ``consumer``,
``memory`` and ``webhooks`` say so instead, because theirs depend on the machine.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence

from benchmarks import (
    adoption_costs,
    consumer_costs,
    consumer_memory,
    event_costs,
    sweep_costs,
    webhook_costs,
    worker_costs,
)
from benchmarks.consumer_report import ROUNDS, Options

PARTS: Mapping[str, Callable[[Options], int]] = {
    "events": lambda options: event_costs.run(options.largest),
    "sweep": lambda options: sweep_costs.run(options.largest),
    "workers": lambda options: worker_costs.run(options.largest),
    "consumer": consumer_costs.run,
    "memory": consumer_memory.run,
    "webhooks": lambda options: webhook_costs.run(options.largest),
    "adoption": lambda options: adoption_costs.run(options.largest),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts that are named, each in a process of its own, because each has its own settings."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"one of {', '.join(PARTS)}")
    parser.add_argument(
        "--largest",
        type=int,
        metavar="N",
        help="how many templates, rows, awards or posts are the most (for a quick look)",
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help="consumer: turns of the contenders")
    parser.add_argument(
        "--only", action="append", default=[], metavar="TEXT", help="consumer: the rows with this text in their names"
    )
    parser.add_argument("--profile", action="store_true", help="consumer: where the time goes, instead")
    given = parser.parse_args(arguments)
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    if len(given.parts) == 1:
        options = Options(given.largest, given.rounds, tuple(given.only), given.profile)
        return PARTS[given.parts[0]](options)
    largest = ["--largest", str(given.largest)] if given.largest else []
    rounds = ["--rounds", str(given.rounds)]
    commands = [[sys.executable, "-m", "benchmarks", part, *largest, *rounds] for part in given.parts or PARTS]
    return max(subprocess.run(command, check=False).returncode for command in commands)


if __name__ == "__main__":
    sys.exit(main())
