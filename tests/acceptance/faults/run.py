"""Plays one fault in a process of its own: ``python -m tests.acceptance.faults.run CASE PROVIDER FOLDER``.

The last line that it prints is the result, as JSON. The database is the one that ``settings_test`` is told, migrated.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django
from attrs import asdict, define, field

from demo.processes import wait_until
from demo.sandbox.process import RunningSandbox, running_sandbox
from tests.acceptance.faults.cases import AWARDS, BY_NAME, SEED, THIRD, Case
from tests.acceptance.faults.processes import Shell, Workers
from tests.crashing.dice import Dice

PATIENCE = 120.0


@define
class Result:
    """What came of one fault at one provider."""

    case: str
    provider: str
    calls: int = 0
    """That reached the provider."""
    strikes: int = 0
    attempts: int = 0
    """At the deliveries, counted when they are taken."""
    rows: int = 0
    """Of the history of attempts."""
    deaths: int = 0
    meetings: int = 0
    """How often two workers were at one delivery at the same moment."""
    badges: int = 0
    """Valid ones at the provider."""
    duplicates: int = 0
    """Learners who hold more than one."""
    seconds: float = 0.0
    between: dict[str, int] = field(factory=dict)
    """The deliveries at the moment when the fault goes away."""
    wrong_ids: int = 0
    """Badges whose identifier is not the provider's."""
    statuses: dict[str, int] = field(factory=dict)
    issues: dict[str, int] = field(factory=dict)
    failed_with: list[list[Any]] = field(factory=list)
    """HTTP status of failed attempts -> how many, as pairs."""
    outcomes: dict[str, int] = field(factory=dict)
    untold: list[list[Any]] = field(factory=list)
    """Answers (by status) of which the provider's log and the history do not hold the same number."""
    stop_lines: int = 0
    """Log lines that tell of a stopped account."""


def main(name: str, provider: str, folder: Path) -> int:
    """Play it, and print the result."""
    case = BY_NAME[name]
    with running_sandbox() as sandbox:
        _set_up(case, sandbox, folder)
        with Shell() as shell:
            result = _play(case, provider, sandbox, shell, folder)
    sys.stdout.write(f"{json.dumps(asdict(result))}\n")
    return 0


def _set_up(case: Case, sandbox: RunningSandbox, folder: Path) -> None:
    # What a killed worker had waits for the end of its lease; who is merely slow must not lose it.
    lease = 3 if case.deadly else 20
    deliveries = {"lease": lease, "first_retry": 0.05, "longest_retry": 0.4, "pause": 0.1, "longest_pause": 0.4}
    config = {
        **sandbox.badges_config(),
        "rate": {"calls": 100_000, "seconds": 1},
        "http": {"connect_timeout": 2, "read_timeout": 2, **case.http},
        "deliveries": {**deliveries, **case.deliveries},
    }
    os.environ["DJANGO_SETTINGS_MODULE"] = "settings_test"
    os.environ["BADGES_TEST_CONFIG"] = json.dumps(config)
    os.environ["BADGES_TEST_TASKS"] = "none"
    if case.point:
        crashing = {"point": case.point, "folder": str(folder), "seed": SEED, "probability": THIRD}
        os.environ["BADGES_TEST_CRASHING"] = json.dumps(crashing)
    django.setup()


def _play(case: Case, provider: str, sandbox: RunningSandbox, shell: Shell, folder: Path) -> Result:
    from tests.acceptance.faults import site
    from tests.acceptance.faults.providers import issue_by_hand

    result, dice = Result(case.name, provider), Dice(folder, SEED, THIRD)
    shell.ask(site.configure, provider)
    shell.ask(site.award, 0, AWARDS)
    if case.is_held_before:
        for number in range(0, AWARDS, 3):
            issue_by_hand(sandbox, provider, f"learner{number}@example.com")
    before = sandbox.state()["request_count"]
    for fault in case.faults:
        sandbox.fault(**{"probability": THIRD, "seed": SEED, **fault})
    started = time.monotonic()
    with Workers(case.processes) as workers:
        tend = _tending(case, workers, folder)
        end = started + case.phase

        def goes_away() -> bool:
            tend()
            now = shell.ask(site.progress)
            return (
                not now["untried"]
                or (case.operator == "check_accounts" and now["stopped"])
                or (time.monotonic() > end and _struck(case, sandbox, dice, before) >= case.least_strikes)
            )

        wait_until(goes_away, "every delivery was tried", timeout=PATIENCE)
        sandbox.clear_faults()
        dice.switch_off()
        result.between = shell.ask(site.progress)
        if case.operator:
            shell.ask(getattr(site, case.operator))

        def is_over() -> bool:
            tend()
            now = shell.ask(site.progress)
            if now["dead"] and case.operator == "retry_dead":
                # It was struck in the last moment of the fault, and is dead since.
                shell.ask(site.retry_dead)
                return False
            return not now["open"]

        wait_until(is_over, "no delivery is open", timeout=PATIENCE)
        result.seconds = round(time.monotonic() - started, 1)
    result.deaths = workers.deaths
    facts = shell.ask(site.facts)
    if case.runs_late:
        # Of who lost its lease nothing is written down, but each delivery was taken for a call at least.
        _wait_for_late_work(sandbox, before, max(len(facts["answers"]), facts["claims"]))
    return _told(case, result, sandbox, facts, before, folder)


def _struck(case: Case, sandbox: RunningSandbox, dice: Dice, before: int) -> int:
    """How many calls were struck so far."""
    if case.point:
        return dice.struck()
    return sum(1 for entry in sandbox.state()["requests"][before:] if entry["faults"])


def _tending(case: Case, workers: Workers, folder: Path) -> Callable[[], None]:
    from tests.crashing.points import calls_under_way

    def tend() -> None:
        if case.killed_from_outside:
            for pid in calls_under_way(folder, longer_than=0.4):
                workers.kill(pid)
                (folder / f"calling-{pid}").unlink(missing_ok=True)
        workers.tend()

    return tend


def _wait_for_late_work(sandbox: RunningSandbox, before: int, sent: int) -> None:
    def is_done() -> bool:
        return len(sandbox.state()["requests"][before:]) >= sent

    wait_until(is_done, "the provider has worked on what it was late with", timeout=PATIENCE)


def _told(
    case: Case, result: Result, sandbox: RunningSandbox, facts: dict[str, Any], before: int, folder: Path
) -> Result:
    from tests.acceptance.faults.providers import held, is_check
    from tests.crashing.points import meetings

    state = sandbox.state()
    log = [entry for entry in state["requests"][before:] if not is_check(entry["path"])]
    badges = held(state, result.provider)
    ids = {badge.email: badge.external_id for badge in badges}
    learners = Counter(badge.email for badge in badges)
    struck = [entry for entry in log if entry["faults"] or (case.is_held_before and entry["status"] == case.seen)]
    result.strikes = len(struck) if not case.point else result.deaths or Dice(folder, SEED, THIRD).struck()
    result.meetings = meetings(folder)
    result.calls, result.attempts, result.rows = len(log), facts["claims"], facts["rows"]
    result.badges = len(badges)
    result.duplicates = sum(1 for number in learners.values() if number > 1)
    result.wrong_ids = sum(1 for email, found in facts["external_ids"].items() if ids.get(email) != found)
    result.statuses, result.issues, result.outcomes = facts["statuses"], facts["issues"], facts["outcomes"]
    result.failed_with = [list(pair) for pair in Counter(facts["failed"]).items()]
    expected = Counter(
        case.seen if entry["faults"] else entry["status"] for entry in log if not is_check(entry["path"])
    )
    expected[None] += result.strikes if case.point == "no_such_host" else 0
    told = Counter(facts["answers"])
    result.untold = [[status, number, told[status]] for status, number in expected.items() if number != told[status]]
    text = (folder / "log").read_text() if (folder / "log").exists() else ""
    result.stop_lines = sum(1 for line in text.splitlines() if "is stopped, and its deliveries wait" in line)
    return result


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
