"""Plays the proof in a process of its own: ``python -m tests.acceptance.webhooks.run EVENTS BADGES FOLDER``.

The last line that it prints is the result, as JSON. The database is the one that ``settings_test`` is told, migrated.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import django
import psutil
from attrs import asdict, define, field

from demo.processes import LOOPBACK, Child, free_port, running, wait_until
from demo.sandbox.process import RunningSandbox, running_sandbox
from tests.acceptance.faults.processes import Shell, Workers
from tests.acceptance.webhooks.history import Learner, TrueHistory, play
from tests.acceptance.webhooks.posting import Addresses, Answers, Posting, posts
from tests.databases import ROOT

SEED = 5
WORKERS, WEB_WORKERS = 2, 2
NAP = 0.1
KILLED_EVERY = (1.0, 3.0)
"""Seconds between two deaths of workers; of the web server's processes it is the same."""
ADOPTED, STRANGERS = 0.1, 0.1
"""Shares of the badges that were not awarded here: of learners of ours, and of people whom nobody knows."""
OTHERS = 20
"""Badges of another organization, whose events are none of ours."""
PATIENCE = 850.0


@define
class Result:
    """What came of it."""

    posted: int
    forged: int
    true_events: list[str]
    """Their identifiers."""
    expected: dict[str, list[Any]]
    """Of the badges of known learners, by e-mail address: our identifier, Credly's, status, state, visibility."""
    strangers: dict[str, str]
    """Credly's identifier of a badge of somebody who is not known -> its state."""
    genuine_answers: dict[str, int] = field(factory=dict)
    forged_answers: dict[str, int] = field(factory=dict)
    unanswered: int = 0
    deaths: int = 0
    web_deaths: int = 0
    posting: float = 0.0
    """Seconds until all was posted."""
    seconds: float = 0.0
    """Seconds until all was processed."""
    before_the_end: dict[str, str] = field(factory=dict)
    """Events that never were, and their status, while they are still looked for."""
    facts: dict[str, Any] = field(factory=dict)
    changing_calls: int = 0
    """Calls that asked Credly to do something."""


def main(events: int, badges: int, folder: Path) -> int:
    """Play it, and print the result."""
    with running_sandbox() as sandbox:
        _set_up(sandbox)
        with Shell() as shell:
            result = _play(events, badges, sandbox, shell, folder)
    sys.stdout.write(f"{json.dumps(asdict(result))}\n")
    return 0


def _set_up(sandbox: RunningSandbox) -> None:
    # What a killed worker had waits for the end of its lease; who is merely slow must not lose it.
    config = {
        **sandbox.badges_config(),
        "rate": {"calls": 100_000, "seconds": 1},
        "http": {"connect_timeout": 5, "read_timeout": 10},
        "deliveries": {"lease": 3, "first_retry": 0.1, "longest_retry": 1, "pause": 0.1, "longest_pause": 0.4},
        # All posts come from one address here.
        "webhooks": {"calls": 1_000_000, "refused_calls": 1_000_000},
    }
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.acceptance.webhooks.settings"
    os.environ["BADGES_TEST_CONFIG"] = json.dumps(config)
    os.environ["BADGES_TEST_TASKS"] = "none"
    django.setup()
    from tests.acceptance.webhooks import site

    site.warm_up()


def _play(events: int, number: int, sandbox: RunningSandbox, shell: Shell, folder: Path) -> Result:
    from tests.acceptance.webhooks import site

    dice = random.Random(SEED)
    history = _history(events, number, sandbox, shell, dice)
    with _web_server(folder) as (web, base_url), Workers(WORKERS, nap=NAP) as workers:
        proven, on_trial = shell.ask(site.addresses)
        every = posts(history.events, Addresses(f"{base_url}{proven}", f"{base_url}{on_trial}"), dice)
        result = _expected(history, len(every), sum(one.is_forged for one in every))
        started = time.monotonic()
        with Posting(every) as posting:
            strike = _killing(workers, web, result)
            _wait(posting.is_over, strike, "everything is posted")
            result.posting = round(time.monotonic() - started, 1)
            _note(result, posting.answers())
        _wait(lambda: not shell.ask(site.waiting), strike, "everything is processed")
        result.seconds = round(time.monotonic() - started, 1)
    result.deaths = workers.deaths
    facts = shell.ask(site.facts)
    result.before_the_end = {one: facts["events"][one] for one in facts["events"].keys() - set(result.true_events)}
    shell.ask(site.forget_unknown)
    result.facts = shell.ask(site.facts)
    result.changing_calls = sum(one["method"] != "GET" for one in sandbox.state()["requests"])
    return result


def _history(events: int, number: int, sandbox: RunningSandbox, shell: Shell, dice: random.Random) -> TrueHistory:
    from tests.acceptance.webhooks import site

    adopted, strangers = round(number * ADOPTED), round(number * STRANGERS)
    awarded = number - adopted - strangers
    known = shell.ask(site.configure, awarded, adopted)
    learners = [Learner(email, own_id) for email, own_id in known]
    learners += [Learner(f"learner{n}@example.com") for n in range(awarded, awarded + adopted)]
    learners += [Learner(f"stranger{n}@example.com") for n in range(strangers)]
    history = play(sandbox, learners, dice, events)
    # Of some, the answer that told Credly's identifier was lost.
    told = {one.learner.own_id: one.id for one in history.badges if one.learner.own_id and dice.random() < 0.9}
    shell.ask(site.know_external_ids, told)
    return history


def _expected(history: TrueHistory, posted: int, forged: int) -> Result:
    expected: dict[str, list[Any]] = {}
    strangers = {}
    for one in history.badges:
        state = "deleted" if one.is_deleted else one.state
        if one.learner.email.startswith("stranger"):
            strangers[one.id] = state
            continue
        is_taken = state in ("revoked", "deleted")
        expected[one.learner.email] = [
            one.learner.own_id,
            one.id,
            "revoked" if is_taken else "awarded",
            state,
            None if is_taken else one.is_public,
        ]
    return Result(posted, forged, [event["id"] for event in history.events], expected, strangers)


@contextmanager
def _web_server(folder: Path) -> Iterator[tuple[Child, str]]:
    """The project at a web server with several processes, which replaces those that die."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "tests.acceptance.webhooks.wsgi", "--preload"]
    command += ["--workers", str(WEB_WORKERS), "--bind", f"{LOOPBACK}:{port}", "--log-level", "warning"]
    with running("The web server", command, log=folder / "gunicorn.log", env=dict(os.environ), cwd=ROOT) as web:
        wait_until(lambda: len(_children(web)) == WEB_WORKERS, "the web server has its processes", alive=[web])
        yield web, f"http://{LOOPBACK}:{port}"


def _children(web: Child) -> list[psutil.Process]:
    return psutil.Process(web.process.pid).children()


def _killing(workers: Workers, web: Child, result: Result) -> Callable[[], None]:
    """What kills, whenever it is called and the time has come, and replaces the dead."""
    dice = random.Random(SEED)
    due = {"worker": time.monotonic() + 1, "web": time.monotonic() + 1}

    def strike() -> None:
        web.check()
        now = time.monotonic()
        for who in [who for who, at in due.items() if at <= now]:
            due[who] = now + dice.uniform(*KILLED_EVERY)
            if who == "worker":
                workers.kill(dice.choice(workers.pids()))
            elif children := _children(web):
                with suppress(ProcessLookupError):
                    os.kill(dice.choice(children).pid, signal.SIGKILL)
                    result.web_deaths += 1
        workers.tend()

    return strike


def _wait(condition: Callable[[], bool], strike: Callable[[], None], what: str) -> None:
    asked = 0.0

    def is_so() -> bool:
        nonlocal asked
        strike()
        # Asking costs the machine something as well.
        if time.monotonic() - asked < 0.3:
            return False
        asked = time.monotonic()
        return condition()

    wait_until(is_so, what, timeout=PATIENCE)


def _note(result: Result, answers: Answers) -> None:
    result.genuine_answers, result.forged_answers = dict(answers.genuine), dict(answers.forged)
    result.unanswered = answers.unanswered


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
