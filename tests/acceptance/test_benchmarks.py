"""The benchmarks run, and print what they promise to print."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.acceptance.project import ROOT


def test_the_benchmarks_print_queries_that_do_not_grow_with_the_templates() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "events", "--largest", "300"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.stderr == ""
    [row] = [line for line in done.stdout.splitlines() if line.startswith("matches nothing")]
    assert re.findall(r"(\d+) q", row) == ["1", "1", "1"]
    assert "the number of queries depends" not in done.stdout
    assert "match() alone, 300 templates" in done.stdout
    assert "the one replaced   1007 queries" in done.stdout
