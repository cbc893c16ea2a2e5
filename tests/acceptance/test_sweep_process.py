"""``deliver_badges`` as a process: on a terminal, as a service, and where its database goes away."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from demo.processes import wait_until
from demo.sandbox.process import RunningSandbox
from demo.sandbox.seed import ORGANIZATION_ID, ORGANIZATION_TOKEN, template_id
from tests.acceptance.project import ROOT, Project

NO_REDIS = "redis://127.0.0.1:1/0"


@pytest.fixture
def project(tmp_path: Path, sandbox: RunningSandbox) -> Project:
    """A project with a template at the provider; nobody is told of awards, so that no Redis is needed."""
    project = Project(tmp_path, NO_REDIS, {**sandbox.badges_config(), "rate": {"calls": 1_000_000}})
    project.environment.pop("BADGES_TEST_REDIS_URL")
    project.python(
        f"a = CredlyOrganizationFactory(external_id='{ORGANIZATION_ID}', api_key='{ORGANIZATION_TOKEN}');"
        f"CredlyBadgeTemplateFactory(account=a, external_id='{template_id('python-basics')}')"
    )
    return project


def owe(project: Project, badges: int) -> None:
    """Have so many badges waiting to be issued."""
    project.python(
        "[template] = BadgeTemplate.objects.all()\n"
        f"for number in range({badges}):\n"
        "    user = UserFactory(username=f'owed{Badge.objects.count()}')\n"
        "    badge = Badge.objects.create(user=user, template=template, awarded_at=moment(5))\n"
        "    Delivery.objects.create(badge=badge, action='issue')\n"
    )


def is_issued(project: Project, badges: int) -> bool:
    """Whether so many badges are issued."""
    return bool(project.python("print(Delivery.objects.filter(status='done').count())") == badges)


def on_a_terminal(project: Project, *arguments: str) -> tuple[int, str]:
    """Run the command on a pseudo-terminal; its exit code, and what the terminal was sent."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "manage.py", "deliver_badges", *arguments]
    environment = {**project.environment, "TERM": "xterm"}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        sent = b""
        # A terminal whose other end is closed is an error on Linux.
        with contextlib.suppress(OSError):
            while chunk := os.read(ours, 4096):
                sent += chunk
        os.close(ours)
    return process.returncode, sent.decode()


def as_seen(sent: str) -> list[str]:
    """The lines as they stand on the terminal in the end: after a carriage return, what follows is written over."""
    lines = []
    for line in sent.replace("\r\n", "\n").split("\n"):
        seen = ""
        for part in line.split("\r"):
            seen = part + seen[len(part) :]
        lines.append(seen.rstrip())
    return lines


def test_on_a_terminal_a_bar_tells_how_far_it_is_and_leaves_no_trace(project: Project) -> None:
    owe(project, 20)

    status, sent = on_a_terminal(project)

    assert status == 0
    assert "[=====                   ] 5/20 " in sent or "[========================] 20/20 " in sent
    assert " left" in sent
    assert [line for line in as_seen(sent) if "attempts" in line or "[=" in line] == ["20 attempts: 20 done."]


def test_a_log_line_writes_over_the_bar(project: Project, sandbox: RunningSandbox) -> None:
    owe(project, 3)
    sandbox.fault("status", status=503, method="POST", path="/badges")

    status, sent = on_a_terminal(project)

    lines = as_seen(sent)
    assert status == 0
    failures = [line for line in lines if line.startswith("Delivery ") and "is tried again at" in line]
    assert len(failures) == 3
    assert not [line for line in lines if "/s " in line]


def test_a_service_finishes_the_badge_in_hand_and_exits_with_0(project: Project, sandbox: RunningSandbox) -> None:
    owe(project, 3)
    sandbox.fault("delay", delay=3, method="POST", path="/badges", count=1)

    with project.start("sweep", "deliver_badges", "--watch", "1") as sweep:
        wait_until(lambda: sandbox.state()["in_progress"], "a badge is in hand", alive=[sweep])
        sweep.process.send_signal(signal.SIGTERM)
        assert sweep.process.wait(30) == 0

    log = (project.folder / "sweep.log").read_text()
    assert "Ended by a signal after 1 sweep. 1 attempt: 1 done. 2 deliveries wait" in log
    assert is_issued(project, 1)


def test_a_service_takes_up_what_comes_due_while_it_runs(project: Project) -> None:
    with project.start("sweep", "deliver_badges", "--watch", "1") as sweep:
        for number in (1, 2):
            owe(project, 1)
            wait_until(partial(is_issued, project, number), "the badge is issued", alive=[sweep])
