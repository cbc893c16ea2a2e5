"""Prints the table of the faults at the end of the run, and writes it where it is asked to."""

from __future__ import annotations

import pytest

from tests.acceptance.faults import table
from tests.acceptance.faults.cases import CASES
from tests.acceptance.faults.run import Result

RESULTS = pytest.StashKey[list[Result]]()
DATABASE = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-faults", action="store_true", help="keep the table of the faults in docs/faults.rst")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config) -> None:
    order = [case.name for case in CASES]
    if RESULTS not in config.stash:
        return
    results: list[Result] = config.stash[RESULTS]
    results.sort(key=lambda one: (order.index(one.case), one.provider != "credly"))
    terminalreporter.write_sep("=", f"faults survived ({config.stash[DATABASE]})")
    terminalreporter.write_line(table.as_text(results))
    # An option of a folder's own is known only when the folder is named on the command line.
    if config.getoption("--write-faults", default=False) and exitstatus == pytest.ExitCode.OK:
        table.write(results, config.stash[DATABASE])
