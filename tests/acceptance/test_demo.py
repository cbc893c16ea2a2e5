"""The demo as a user runs it: a process, with real servers behind it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests
from attrs import frozen

from demo.paths import TOP
from demo.processes import Child, running, wait_until

pytestmark = pytest.mark.any_database


def environment_in(folder: Path) -> dict[str, str]:
    """With a folder of its own, so that a demo that somebody has running is left alone."""
    kept = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    return {**kept, "BADGES_DEMO_VAR": str(folder), "NO_COLOR": "1"}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return environment_in(tmp_path / "var")


@frozen
class Finished:
    """A demo that came to its end."""

    said: str
    folder: Path


@pytest.fixture(scope="module")
def finished_demo(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A demo as ``make demo`` runs it."""
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "demo"]
    done = subprocess.run(
        command, cwd=TOP, env=environment_in(folder), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Finished(done.stdout, folder)


@pytest.fixture
def kept_demo(tmp_path: Path, environment: dict[str, str]) -> Iterator[Child]:
    """A demo that was told to stay, up to where it has given its addresses."""
    command = [sys.executable, "-m", "demo", "--keep"]
    with running("The demo", command, log=tmp_path / "demo.log", env=environment, cwd=TOP) as demo:
        wait_until(lambda: "deliver_badges" in said(demo), "the demo gives its addresses", timeout=90, alive=[demo])
        yield demo


def said(demo: Child) -> str:
    return demo.log.read_text() if demo.log.exists() else ""


def test_the_demo_ends_well_and_tells_what_came_of_each_learner(finished_demo):
    first, last = (
        part.partition("Issued at the providers:") for part in finished_demo.said.split("What came of it")[1:]
    )
    progress_then, progress_now = (re.sub(" +", " ", part[0]) for part in (first, last))
    assert "anna Data Science Path 2 of 2 awarded" in progress_then
    assert "ben Data Science Path 2 of 2 awarded" in progress_then
    assert "carla Data Science Path 1 of 2 not yet" in progress_then
    assert "david Data Science Path 2 of 2 awarded" in progress_then
    assert "emma Web Foundations 1 of 1 awarded" in progress_then
    assert "david Data Science Path 1 of 2 revoked" in progress_now
    assert "emma Web Foundations 0 of 1 revoked" in progress_now
    assert re.search(r"anna +pending +[0-9a-f-]{36} +http://127\.0\.0\.1:\d+/credly/badges/", first[2])
    assert re.search(r"anna +accepted +[0-9a-f-]{36} +http://127\.0\.0\.1:\d+/credly/badges/", last[2])
    assert re.search(r"david +revoked ", last[2])
    assert re.search(r"emma +expired +\d+ ", last[2])


def test_the_demo_shows_a_learner_accepting_a_badge_and_its_state_following(finished_demo):
    told = finished_demo.said.partition("A learner accepts her badge at Credly")[2]
    shown = told.partition("Later, grades change")[0]
    assert re.search(r"anna opens http://127\.0\.0\.1:\d+/credly/badges/[0-9a-f-]{36}/accept and accepts", shown)
    assert re.search(r"badge\.state\.changed +processed ", shown)
    assert re.search(
        r"The badge here: pending -> accepted +http://127\.0\.0\.1:\d+/credly/badges/[0-9a-f-]{36}\n", shown
    )


def test_neither_what_the_demo_says_nor_its_logs_hold_the_secret_of_the_address(finished_demo):
    address = re.compile(r"/credly/webhook/\d+/[\w-]{20,}")
    logs = {file.name: file.read_text() for file in finished_demo.folder.glob("*.log")}
    assert {"django.log", "runserver.log", "sandbox.log"} <= logs.keys()
    assert [name for name, log in logs.items() if address.search(log)] == []
    assert not address.search(finished_demo.said)


def test_a_kept_demo_serves_the_admin_and_ctrl_c_ends_it_with_all_its_processes(kept_demo):
    address = re.search(r"Admin +(http://127\.0\.0\.1:\d+/admin/)", said(kept_demo))
    assert address is not None
    assert "Badges" in _log_in(address[1]).text
    children = psutil.Process(kept_demo.process.pid).children(recursive=True)
    assert {"Redis", "sandbox", "consumer", "admin"} <= {_role(child) for child in children}

    kept_demo.process.send_signal(signal.SIGINT)

    assert kept_demo.process.wait(30) == 0
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]


def test_a_second_demo_in_the_same_folder_is_refused(kept_demo, environment):
    second = subprocess.run(
        [sys.executable, "-m", "demo"],
        cwd=TOP,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 1
    assert "Another demo is running here. Stop it first." in second.stderr


def _log_in(address: str) -> requests.Response:
    with requests.Session() as session:
        page = session.get(f"{address}login/", timeout=10)
        token = session.cookies["csrftoken"]
        assert page.status_code == 200
        form = {"username": "admin", "password": "admin", "csrfmiddlewaretoken": token, "next": "/admin/badges/"}
        answer = session.post(f"{address}login/", data=form, headers={"Referer": page.url}, timeout=10)
        assert answer.status_code == 200
        return answer


def _role(process: psutil.Process) -> str:
    line = " ".join(process.cmdline())
    roles = {"redis-server": "Redis", "demo.sandbox": "sandbox", "consume_events": "consumer", "runserver": "admin"}
    return next((role for word, role in roles.items() if word in line), "")
