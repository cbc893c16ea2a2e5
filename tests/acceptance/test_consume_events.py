"""``consume_events`` as a process: drained, watched, asked to end, and crashed."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from demo.processes import Server, wait_until
from demo.redis import restartable_redis
from tests.acceptance.project import STREAM, Project
from tests.databases import ROOT
from tests.integration import bus_messages

COMMAND = ("consume_events", "-t", "learning-badges-lifecycle", "-g", "credentials_dev")
EXTRA = """--extra={"consumer_name": "credentials_dev.consumer1"}"""


@pytest.fixture
def server() -> Iterator[Server]:
    """A Redis that a test can kill."""
    with restartable_redis() as server:
        yield server


@pytest.fixture
def project(tmp_path: Path, server: Server) -> Project:
    """A project with a badge for those who pass."""
    project = Project(tmp_path, server.url)
    project.python("RequirementFactory(rules=[('is_passing', 'eq', 'true')])")
    return project


def produce(project: Project, *usernames: str) -> None:
    """Put passing-status events on the bus."""
    with contextlib.closing(redis.Redis.from_url(project.redis_url)) as client:
        for username in usernames:
            client.xadd(STREAM, bus_messages.fields(username))  # type: ignore[arg-type]


def start(project: Project, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """The command, with what it prints to be read."""
    return subprocess.Popen(
        [sys.executable, "manage.py", *COMMAND, EXTRA, *arguments],
        cwd=ROOT,
        env={**project.environment, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(project: Project, *arguments: str, **environment: str) -> tuple[int, str]:
    """Run the command to its end: its exit code, and what it printed."""
    process = start(project, *arguments, **environment)
    output, _ = process.communicate(timeout=60)
    return process.returncode, output


@contextlib.contextmanager
def running(project: Project, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The command for as long as the block lasts, with a heartbeat."""
    process = start(project, "--heartbeat-file", str(project.folder / "alive"), *arguments)
    try:
        wait_until((project.folder / "alive").exists, "the consumer lives")
        yield process
    finally:
        process.kill()
        process.communicate()


def seen(project: Project) -> Any:
    """How many events the consumer's row tells of, and whether it has stopped."""
    return project.python(
        "print(json.dumps([[c.events, c.awards, c.stopped_at is not None] for c in BusConsumer.objects.all()]))"
    )


def test_until_empty_drains_reports_and_exits(project: Project) -> None:
    produce(project, *[f"learner{number}" for number in range(30)], "x" * 200)

    status, output = run(project, "--until-empty")

    assert status == 0
    # 31, and the 30 announcements that came back.
    assert "Drained: 61 events in " in output
    assert ": 30 awards, 0 revocations, 1 dead event.\n" in output
    assert "./manage.py replay_events --dry-run" in output
    assert seen(project) == [[61, 30, True]]
    assert "Drained: 0 events in " in run(project, "--until-empty")[1]


def test_on_a_terminal_a_line_tells_events_rate_lag_and_awards(project: Project) -> None:
    produce(project, *[f"learner{number}" for number in range(30)])
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "manage.py", *COMMAND, EXTRA, "--until-empty"],
        cwd=ROOT,
        env={**project.environment, "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        sent = b""
        # A terminal whose other end is closed is an error on Linux.
        with contextlib.suppress(OSError):
            while chunk := os.read(ours, 4096):
                sent += chunk
        os.close(ours)

    lines = sent.decode().replace("\r\n", "\n").split("\n")
    assert process.returncode == 0
    assert "0 events  0/s  lag 30  0 awards" in lines[0] or " events  " in lines[0]
    assert lines[0].split("\r")[-1].startswith("Drained: 60 events in ")


def test_stopped_before_all_is_read_is_told_by_the_exit_code(project: Project, server: Server) -> None:
    server.kill()
    with running(project, "--until-empty") as process:
        process.terminate()
        output, _ = process.communicate(timeout=20)

    assert process.returncode == 3
    assert "Stopped before all was read: 0 events" in output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_one_ends_with_0(project: Project, number: int) -> None:
    with running(project) as process:
        produce(project, "anna")
        wait_until(lambda: seen(project) and project.python("print(Badge.objects.count())") == 1, "it has worked")
        process.send_signal(number)
        process.communicate(timeout=20)

    assert process.returncode == 0
    [[events, awards, has_stopped]] = seen(project)
    assert (events >= 1, awards, has_stopped) == (True, 1, True)


def test_one_that_waits_for_redis_beats_and_ends_with_0(project: Project, server: Server) -> None:
    server.kill()
    with running(project) as process:
        heartbeat = project.folder / "alive"
        for _ in range(2):
            heartbeat.unlink()
            wait_until(heartbeat.exists, "it beats")
        process.terminate()
        output, _ = process.communicate(timeout=20)

    assert process.returncode == 0
    assert "Redis failed; waiting for it" in output


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        (["--extra", "nonsense"], {}, "CommandError: --extra is not JSON"),
        (["--extra", "[]"], {}, "CommandError: --extra must be a JSON object"),
        (["--extra", '{"consumer_name": "one", "batch_size": "20"}'], {}, 'CommandError: "batch_size" in --extra must'),
        (
            ["--extra", '{"consumer_name": "one", "heartbeat": "x"}'],
            {},
            'CommandError: --extra has the unknown key "he',
        ),
        (["--heartbeat-file", "/nowhere/alive"], {}, "CommandError: The heartbeat file /nowhere/alive cannot be writ"),
        ([], {"BADGES_TEST_REDIS_URL": "nonsense"}, "EVENT_BUS_REDIS_CONNECTION_URL cannot be read."),
    ],
)
def test_what_it_cannot_start_with_is_told_in_a_sentence_and_ends_with_1(
    project: Project, arguments: list[str], environment: dict[str, str], words: str
) -> None:
    status, output = run(project, *arguments, **environment)

    assert status == 1
    assert words in output
    assert "Traceback" not in output


STOCK = {"BADGES_TEST_CONSUMER": "edx_event_bus_redis.RedisEventConsumer"}


def test_with_another_consumer_a_crash_ends_with_1(project: Project, server: Server) -> None:
    """The command of openedx-events logs it and ends with 0, so that nobody starts it again."""
    server.kill()

    status, output = run(project, **STOCK)

    assert status == 1
    assert "Error consuming events" in output


def test_with_another_consumer_our_own_options_are_refused(project: Project) -> None:
    status, output = run(project, "--until-empty", **STOCK)

    assert status == 1
    assert "CommandError: --until-empty and --heartbeat-file need the consumer of badges" in output


STOPPING = """
import hashlib, logging, sys, time
import django
django.setup()
logging.basicConfig()
from badges.eventbus.redis.stopping import Stop, stop_on_signals
stop = Stop()
with stop_on_signals(stop, grace=float(sys.argv[1])):
    print("ready", flush=True)
    {work}
print("finished")
"""
DEAF = "hashlib.pbkdf2_hmac('sha512', b'', b'', 200_000_000)"
"""A call into C that lasts minutes, within which Python hears of no signal."""
BUSY = "time.sleep(100)"
POLITE = "\n    while not stop.requested: time.sleep(0.01)"


@contextlib.contextmanager
def at_work(work: str, grace: float) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", STOPPING.format(work=work), str(grace)],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "settings_test"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_the_first_signal_lets_it_finish() -> None:
    with at_work(POLITE, grace=60) as process:
        process.terminate()
        output, _ = process.communicate(timeout=20)

    assert (process.returncode, output) == (0, "finished\n")


@pytest.mark.parametrize("work", [BUSY, DEAF])
def test_the_second_signal_ends_it_at_once_whatever_it_is_at(work: str) -> None:
    with at_work(work, grace=60) as process:
        process.terminate()
        # Of another kind: two of the same kind that come close are one.
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=20)

    assert process.returncode in (128 + signal.SIGTERM, 128 + signal.SIGINT)
    assert output == ""


@pytest.mark.parametrize("work", [BUSY, DEAF])
def test_when_the_grace_time_is_over_it_ends_with_0_and_says_what_it_leaves(work: str) -> None:
    with at_work(work, grace=0.3) as process:
        process.terminate()
        output, _ = process.communicate(timeout=20)

    assert process.returncode == 0
    assert "What is unfinished is not acknowledged" in output
    assert "finished\n" not in output
