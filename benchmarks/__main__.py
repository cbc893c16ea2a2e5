"""``python -m benchmarks [events] [sweep] [workers]``: what an event, a sweep and a delivery cost. All without a name.

``events`` runs on SQLite. The others run on the database of ``BADGES_TEST_DATABASE_URL``, which has to be empty, or
on SQLite in a temporary folder; ``make bench`` starts PostgreSQL and MariaDB for them. Exits with 1 where a promised
figure does not hold.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence

from benchmarks import event_costs, sweep_costs, worker_costs

PARTS = {"events": event_costs.run, "sweep": sweep_costs.run, "workers": worker_costs.run}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts that are named, each in a process of its own, because each has its own settings."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"one of {', '.join(PARTS)}")
    parser.add_argument(
        "--largest", type=int, metavar="N", help="how many templates, rows or awards are the most (for a quick look)"
    )
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    if len(options.parts) == 1:
        return PARTS[options.parts[0]](options.largest)
    largest = ["--largest", str(options.largest)] if options.largest else []
    commands = [[sys.executable, "-m", "benchmarks", part, *largest] for part in options.parts or PARTS]
    return max(subprocess.run(command, check=False).returncode for command in commands)


if __name__ == "__main__":
    sys.exit(main())
