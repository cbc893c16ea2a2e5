"""Fails when a module is longer than 400 lines: it has two subjects then."""

from __future__ import annotations

import sys
from pathlib import Path

LIMIT = 400
FOLDERS = ("badges", "benchmarks", "demo", "docs", "scripts", "tests")


def main() -> int:
    """Name every module that is too long; the status is 1 if there is one."""
    top = Path(__file__).parent.parent
    modules = [path for folder in FOLDERS for path in (top / folder).rglob("*.py") if path.parent.name != "migrations"]
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in (*modules, *top.glob("*.py"))}
    too_long = {path: length for path, length in lengths.items() if length > LIMIT}
    for path, length in sorted(too_long.items()):
        print(f"{path.relative_to(top)}: {length} lines, at most {LIMIT}. Split it by subject.")
    return 1 if too_long else 0


if __name__ == "__main__":
    sys.exit(main())
