"""Queries and time per event, with 10, 100 and 10,000 active templates, in one run on SQLite.

Each template has two groups of one requirement (passed course X, passed course Y) and a penalty. Deliveries are
counted apart: they run after the event is committed.
"""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Sequence

from benchmarks.project import project
from benchmarks.report import verdict

SMALL, MIDDLE, LARGEST = 10, 100, 10_000
LIMITS = {"matches nothing": 1, "first fulfilment": 14, "award": 20}
BUILT_IN_QUERIES, BUILT_IN_MS = 1007, 303


def run(largest: int | None) -> int:
    """Measure, print, and tell by the exit code whether the promised figures hold."""
    sizes = (SMALL, MIDDLE, largest or LARGEST)
    os.environ.pop("BADGES_TEST_DATABASE_URL", None)
    with project():
        from benchmarks import events

        events.make_templates(max(sizes))
        # The smallest size is measured before and after the largest, so that a machine that slows down shows.
        results = [events.measure(size) for size in (*sizes, SMALL)]
        match_us = events.measure_match(max(sizes))
        deliveries = events.count_delivery_queries()
    return report(sizes, results, match_us, deliveries)


def report(
    sizes: Sequence[int], results: Sequence[dict[str, tuple[int, float]]], match_us: float, deliveries: int
) -> int:
    """Print the table, and say which promised figures do not hold. Times in milliseconds."""
    names = list(results[0])
    columns = [f"{size:,} templates" for size in sizes]
    print("Queries and median time of one event, SQLite, deliveries left to workers\n")
    print(f"{'':24}" + "".join(f"{column:>24}" for column in columns) + f"{'time ratio':>14}")
    failures = []
    for name in names:
        cells = "".join(f"{queries:>11} q {ms:>8.2f} ms" for queries, ms in (result[name] for result in results[:-1]))
        small = statistics.mean((results[0][name][1], results[-1][name][1]))
        ratio = results[-2][name][1] / small
        print(f"{name:24}{cells}{ratio:>12.2f} x")
        if len({result[name][0] for result in results}) > 1:
            failures.append(f"{name}: the number of queries depends on the number of templates")
        if results[0][name][0] > LIMITS.get(name, sys.maxsize):
            failures.append(f"{name}: more than {LIMITS[name]} queries")
        if ratio > 1.5:
            failures.append(f"{name}: {ratio:.2f} times slower with {max(sizes):,} templates than with {SMALL}")
    hundred = results[sizes.index(MIDDLE)]["matches nothing"]
    print(f"\nmatch() alone, {max(sizes):,} templates: {match_us:.1f} us per event")
    print(f"Deliveries of one award (announce and issue, each claimed, attempted and settled): {deliveries} queries")
    print(
        f"\nOne event that matches nothing, 100 templates of two requirements:\n"
        f"  this module      {hundred[0]:>6} queries {hundred[1]:>8.2f} ms\n"
        f"  the one replaced {BUILT_IN_QUERIES:>6} queries {BUILT_IN_MS:>8.2f} ms   (measured elsewhere: a magnitude)"
    )
    if match_us > 50:
        failures.append(f"match() takes {match_us:.1f} us, more than 50")
    print()
    return verdict(failures)
