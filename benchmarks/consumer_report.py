"""How the figures of the consumer are chosen and printed."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Sequence

from attrs import frozen

ROUNDS = 5


@frozen
class Options:
    """What is measured, and how long."""

    largest: int | None = None
    """How many templates and events are the most."""
    rounds: int = ROUNDS
    only: tuple[str, ...] = ()
    """Parts of names of rows; all without any. Rows of other tables than the first begin with the table's name."""
    profile: bool = False

    def wants(self, name: str, table: str = "") -> bool:
        """Whether a row is to be measured."""
        return not self.only or any(part in f"{table}{name}" and part.startswith(table) for part in self.only)


def with_redis() -> int | None:
    """Run this program again beside a Redis server, and give its status; None where there is one already."""
    if "BADGES_TEST_REDIS_URL" in os.environ:
        return None
    command = [sys.executable, "-m", "tests.servers", "redis", "--", sys.executable, "-m", "benchmarks"]
    return subprocess.run([*command, *sys.argv[1:]], check=False).returncode


def spread(rates: Sequence[float]) -> str:
    """The median, and between what."""
    return f"{statistics.median(rates):,.0f} ({min(rates):,.0f}-{max(rates):,.0f})"


def verdict(ratio: float, promised: float | None) -> str:
    """What was promised, and whether it holds."""
    if promised is None:
        return ""
    return f"   {'holds' if ratio >= promised else 'BELOW'} {promised:g}"


def machine() -> str:
    """What it runs on, in a line."""
    import django

    return (
        f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} before; Python {platform.python_version()}, "
        f"Django {django.__version__}"
    )
