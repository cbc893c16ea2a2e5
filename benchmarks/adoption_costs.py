"""How long it takes to adopt what a Credentials service's built-in badges module left, and how much memory.

Two sizes: the most memory that the command has must hardly depend on how many rows there are.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.adoption_process import Run, measured
from benchmarks.project import project
from benchmarks.report import verdict

ROWS = 100_000
SMALL = 0.01
"""The part of the rows that is adopted first, for comparison."""
LIMIT_S = 120.0
GROWTH_MB = 48.0
"""How much more memory the larger number may take; the ids of its rows are among that."""
TO_DO = 3
"""The exit code of a plan with something in it."""


def run(largest: int | None) -> int:
    """Measure, print, and tell by the exit code whether the promised figures hold."""
    rows = largest or ROWS
    sizes = sorted({max(10, int(rows * SMALL)), rows})
    peaks: list[float] = []
    broken: list[str] = []
    with project() as database, tempfile.TemporaryDirectory() as folder:
        from django.core.management import call_command

        from tests.host.builtin import builtin_tables
        from tests.host.fill import fill

        print(f"adopt_builtin_badges, {database}: progress rows of ten templates, with fulfilments and badges\n")
        print(f"{'':30}{'seconds':>10}{'rows/s':>10}{'statements':>12}{'peak MB':>10}{'grown MB':>10}")
        for size in sizes:
            with builtin_tables():
                fill(rows=size)
                runs = {
                    "plan": measured("--report", str(Path(folder) / "premature.csv")),
                    "applied": measured("--apply"),
                    "a second time": measured("--apply"),
                }
                broken += wrong(size, runs)
            # What was adopted is to be adopted once more, with more.
            call_command("flush", interactive=False, verbosity=0)
            for name, one in runs.items():
                grown = one.peak_mb - one.before_mb
                print(
                    f"{f'{size:,} rows, {name}':30}{one.seconds:>10.1f}{size / one.seconds:>10,.0f}"
                    f"{one.statements:>12,}{one.peak_mb:>10.1f}{grown:>10.1f}"
                )
            peaks.append(max(one.peak_mb for one in runs.values()))
            if runs["applied"].seconds > LIMIT_S:
                broken.append(f"{size:,} rows took {runs['applied'].seconds:.0f} s, more than {LIMIT_S:.0f}")
        print()
    if peaks[-1] - peaks[0] > GROWTH_MB:
        broken.append(f"{sizes[-1]:,} rows took {peaks[-1] - peaks[0]:.0f} MB more than {sizes[0]:,}")
    return verdict(broken)


def wrong(size: int, runs: dict[str, Run]) -> list[str]:
    """What did not come to pass."""
    from badges.models import Badge, BadgeProgress

    found = []
    if runs["plan"].exit_code != TO_DO:
        found.append(f"the plan ended with {runs['plan'].exit_code}: {runs['plan'].said}")
    failed = [name for name in ("applied", "a second time") if runs[name].exit_code]
    found += [f"{name}, it ended with {runs[name].exit_code}: {runs[name].said}" for name in failed]
    if "nothing was changed" not in runs["a second time"].said:
        found.append(f"the second time said: {runs['a second time'].said}")
    if BadgeProgress.objects.count() < size:
        found.append(f"{BadgeProgress.objects.count():,} of {size:,} progress records were adopted")
    if Badge.objects.count() < size * 3 // 4:
        found.append(f"{Badge.objects.count():,} badges were adopted, instead of three quarters of {size:,}")
    return found
