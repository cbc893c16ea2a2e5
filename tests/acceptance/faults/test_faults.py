"""Whatever a provider, the network or the machine does to the workers: no award is lost, and no badge issued twice.

Each fault strikes a random third of the calls of real worker processes that carry out 200 awards (on SQLite 60); then
it goes away.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import asdict

from demo.sandbox.process import ROOT
from tests.acceptance.faults.cases import AWARDS, PLAYS, Case
from tests.acceptance.faults.conftest import PROPERTY
from tests.acceptance.faults.run import Result
from tests.databases import fresh_database

pytestmark = pytest.mark.xdist_group("busy")


def play(case: Case, provider: str, folder: Path, environment: dict[str, str]) -> Result:
    """Play a fault in a process of its own."""
    command = [sys.executable, "-m", "tests.acceptance.faults.run", case.name, provider, str(folder)]
    # Asked of the environment by settings_test: there is no bus here.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BADGES_TEST_")}
    with (folder / "log").open("w") as log:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**inherited, **environment},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            timeout=280,
            check=False,
        )
    assert done.returncode == 0, f"It broke off:\n{(folder / 'log').read_text()[-4000:]}"
    return Result(**json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(("case", "provider"), PLAYS, ids=[f"{case.name}-{provider}" for case, provider in PLAYS])
def test_no_award_is_lost_and_no_badge_issued_twice(
    case: Case, provider: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    result = play(case, provider, tmp_path, fresh_database(tmp_path))

    assert (result.badges, result.duplicates) == (AWARDS, 0)
    assert result.issues == {"done": AWARDS}
    assert result.statuses == {"done": 2 * AWARDS}, "the announcement and the issue of each award"
    assert result.wrong_ids == 0
    assert_the_fault_was_there(case, result)
    assert_the_history_is_truthful(case, result)
    if case.operator == "check_accounts":
        assert (result.between["stopped"], result.between["dead"], result.stop_lines) == (1, 0, 1)
    elif case.operator == "retry_dead":
        assert result.between["dead"] >= case.least_strikes
    else:
        assert result.between["dead"] == 0
    record_property(PROPERTY, asdict(result))


def assert_the_fault_was_there(case: Case, result: Result) -> None:
    assert result.strikes >= case.least_strikes
    assert result.deaths == (result.strikes if case.deadly else 0)
    if case.point == "two_at_once":
        assert result.meetings >= case.least_strikes


def assert_the_history_is_truthful(case: Case, result: Result) -> None:
    """Each attempt is there, says how it ended, and holds the calls that the provider's own log holds."""
    if case.outlives_lease:
        # Whose lease has run out writes nothing: the word of the one that took over counts.
        assert result.rows < result.attempts
        return
    assert result.rows == result.attempts - result.deaths, "who was killed could not write a row"
    assert {status for status, _ in result.failed_with} <= {case.seen}
    if not case.deadly:
        assert result.untold == []
