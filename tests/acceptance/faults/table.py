"""The table of results, as it is printed and as it is kept in the documentation."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from demo.sandbox.process import ROOT
from tests.acceptance.faults.cases import BY_NAME
from tests.acceptance.faults.run import Result

PAGE = ROOT / "docs" / "faults.rst"
BEGIN, END = ".. results begin\n", ".. results end\n"
HEADS = (
    "Fault",
    "Provider",
    "Calls",
    "Struck",
    "Attempts",
    "Deaths",
    "Badges",
    "Duplicates",
    "Seconds",
)


def rows(results: Iterable[Result]) -> list[tuple[str, ...]]:
    """One row a fault and provider."""
    return [
        (
            BY_NAME[one.case].title,
            one.provider.capitalize(),
            str(one.calls),
            str(one.strikes),
            str(one.attempts),
            str(one.deaths),
            str(one.badges),
            str(one.duplicates),
            f"{one.seconds:.1f}",
        )
        for one in results
    ]


def as_text(results: Sequence[Result]) -> str:
    """The table in reStructuredText, which reads well on a terminal too."""
    lines = [HEADS, *rows(results)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADS))]
    rule = "  ".join("=" * width for width in widths)

    def shown(line: Sequence[str]) -> str:
        return "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()

    return "\n".join([rule, shown(HEADS), rule, *(shown(line) for line in rows(results)), rule])


def write(results: Sequence[Result], database: str, page: Path = PAGE) -> None:
    """Put the table in the place of the former one."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    machine = f"{os.cpu_count()} cores ({platform.machine()}), shared with others"
    when = (
        f"{datetime.now(UTC).date().isoformat()}, {database}, Python {platform.python_version()}, {machine}; "
        f"{sum(one.seconds for one in results):.0f} seconds in all."
    )
    page.write_text(f"{before}{BEGIN}\n{when}\n\n{as_text(results)}\n\n{END}{after}", encoding="utf-8")
