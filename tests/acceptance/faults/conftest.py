"""Prints the table of the faults at the end of the run, and writes it where it is asked to."""

from __future__ import annotations

import os

import pytest

from tests.acceptance.faults import table
from tests.acceptance.faults.cases import CASES
from tests.acceptance.faults.run import Result
from tests.databases import vendor

if os.environ.get("BADGES_TEST_DATABASE_URL", "").startswith("mysql"):
    # Faults of providers and workers, not of the database: one server is enough, beside SQLite.
    collect_ignore_glob = ["test_*.py"]

PROPERTY = "fault"
"""Of a test's report, which a process of xdist hands over to the one that prints."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-faults", action="store_true", help="keep the table of the faults in docs/faults.rst")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config) -> None:
    order = [case.name for case in CASES]
    passed = terminalreporter.stats.get("passed", ())
    results = [Result(**value) for report in passed for name, value in report.user_properties if name == PROPERTY]
    if not results:
        return
    results.sort(key=lambda one: (order.index(one.case), one.provider != "credly"))
    terminalreporter.write_sep("=", f"faults survived ({vendor()})")
    terminalreporter.write_line(table.as_text(results))
    # An option of a folder's own is known only when the folder is named on the command line.
    if config.getoption("--write-faults", default=False) and exitstatus == pytest.ExitCode.OK:
        table.write(results, vendor())
