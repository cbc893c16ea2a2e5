"""An operator's bad night, played with real processes: the provider is down, then the key expires, then all comes back.

An hour of the night takes some seconds here: the pauses of accounts and deliveries are configured that much shorter.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.processes import Child, wait_until
from demo.sandbox.process import RunningSandbox, running_sandbox
from demo.sandbox.seed import ORGANIZATION_ID
from tests.acceptance.faults.providers import held
from tests.acceptance.project import ROOT, Project
from tests.databases import fresh_database, vendor

AWARDS = 300 if vendor() == "SQLite" else 1000
WORKERS = 2
NEW_KEY = "the-new-credly-token"
FAILURES, PAUSE, CHECK = 5, 0.5, 1.0
CONFIG = {
    "rate": {"calls": 100_000, "seconds": 1},
    "http": {"connect_timeout": 2, "read_timeout": 5},
    "deliveries": {
        "lease": 15,
        "failures": FAILURES,
        "first_retry": 0.5,
        "longest_retry": 2,
        "pause": PAUSE,
        "longest_pause": 2,
        "check_stopped": CHECK,
    },
}
pytestmark = [pytest.mark.timeout(280), pytest.mark.xdist_group("busy")]


class WithoutBus(Project):
    """A project whose awards are written, and left to the sweep; its database is migrated already."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BADGES_TEST_")}
        fixed = {"DJANGO_SETTINGS_MODULE": "settings_test", "BADGES_TEST_TASKS": "none", "PYTHONUNBUFFERED": "1"}
        self.environment = {**kept, **fixed, **environment}


class Night:
    """The installation, its provider, and what the operator can see of both."""

    def __init__(self, project: Project, sandbox: RunningSandbox) -> None:
        self.project, self.sandbox = project, sandbox
        self.awarded = 0

    def award(self, number: int) -> None:
        """So many learners earn the badge; nothing but the sweep delivers."""
        self.project.python(
            f"from tests.acceptance.faults import site; site.award({self.awarded}, {number}); print('null')"
        )
        self.awarded += number

    def health(self) -> dict[str, Any]:
        """What ``badges_health`` says; its exit status as ``status``."""
        done = subprocess.run(
            [sys.executable, "manage.py", "badges_health", "--format", "json"],
            cwd=ROOT,
            env=self.project.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stdout, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return {**found, "status": done.returncode, "account": found["accounts"][0]}

    def wait_for_announcements(self) -> None:
        """The platform is told of awards, whatever the provider does."""
        wait_until(lambda: not self.health()["announcements"]["waiting"], "all awards are announced", timeout=90)

    def page_of_account(self) -> str:
        """The account's page in the admin, as text without tags."""
        found: str = self.project.python(
            "from django.test import Client; from django.utils.html import strip_tags;"
            "c = Client(); c.force_login(UserFactory._meta.model.objects.get(username='night-operator'));"
            "pk = ProviderAccount.objects.get().pk;"
            "page = c.get(f'/admin/badges/credlyorganization/{pk}/change/').content.decode();"
            "print(json.dumps(' '.join(strip_tags(page).replace('\\xa0', ' ').split())))"
        )
        return found

    def enter_key(self, key: str) -> None:
        """What the operator does in the morning, and all that is done by hand: enter the new key, and save."""
        done = self.project.python(
            "from django.test import Client; from django.test.utils import setup_test_environment;"
            "from tests.integration.admin.pages import submit; setup_test_environment();"
            "c = Client(); c.force_login(UserFactory._meta.model.objects.get(username='night-operator'));"
            "pk = ProviderAccount.objects.get().pk;"
            f"r = submit(c, f'/admin/badges/credlyorganization/{{pk}}/change/', new_key='{key}');"
            "print(json.dumps(r.redirect_chain))"
        )
        assert done, "the form was not accepted"

    def calls(self) -> int:
        """How many calls the provider has had."""
        return int(self.sandbox.state()["request_count"])


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    with running_sandbox() as sandbox:
        config = json.dumps({**sandbox.badges_config(), **CONFIG})
        project = WithoutBus(tmp_path, {**fresh_database(tmp_path), "BADGES_TEST_CONFIG": config})
        project.python(
            "from tests.acceptance.faults import site; site.configure('credly');"
            "UserFactory(username='night-operator', is_staff=True, is_superuser=True); print('null')"
        )
        yield Night(project, sandbox)


@contextlib.contextmanager
def sweeping(project: Project) -> Iterator[list[Child]]:
    """Workers that sweep, for as long as the block lasts."""
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(project.start(f"worker{number}", "deliver_badges", "--watch", "1"))
            for number in range(WORKERS)
        ]


def test_nothing_is_lost_or_doubled_and_the_operator_was_told_the_truth_all_along(night: Night, tmp_path: Path) -> None:
    sandbox = night.sandbox
    with sweeping(night.project) as workers:
        # The provider goes down, and badges are earned all the same.
        sandbox.fault("status", status=503)
        began = time.monotonic()
        night.award(AWARDS // 2)
        night.wait_for_announcements()
        health = night.health()
        assert health["account"]["state"] in ("resting", "trying")
        assert (health["account"]["waiting"], health["account"]["dead"]) == (AWARDS // 2, 0)
        assert "HTTP 503" in health["account"]["last_error"]
        page = night.page_of_account()
        assert f"{AWARDS // 2} deliveries, the oldest is" in page
        assert "HTTP 503" in page
        down_for = time.monotonic() - began
        assert night.calls() <= FAILURES + 2 * WORKERS + down_for / PAUSE, "one probe after each rest, no more"

        # In the middle of it the key expires, which shows when the provider is back.
        sandbox.control("POST", f"organizations/{ORGANIZATION_ID}", {"expired": True})
        sandbox.clear_faults()
        wait_until(lambda: night.health()["account"]["state"] == "stopped", "the account is stopped", alive=workers)
        before, began = night.calls(), time.monotonic()
        night.award(AWARDS - AWARDS // 2)
        night.wait_for_announcements()
        health = night.health()
        assert (health["account"]["state"], health["status"], health["healthy"]) == ("stopped", 1, False)
        assert "refused the account's API key" in health["account"]["reason"]
        assert (health["account"]["waiting"], health["account"]["dead"]) == (AWARDS, 0)
        page = night.page_of_account()
        assert "Its deliveries wait, and none is lost." in page
        assert "refused the account&#x27;s API key" in page
        assert f"{AWARDS} deliveries, the oldest is" in page
        stopped_for = time.monotonic() - began
        assert night.calls() - before <= WORKERS + stopped_for / CHECK, "only the account itself is asked for"
        assert not held(sandbox.state(), "credly")

        # In the morning somebody enters the new key.
        sandbox.control("POST", f"organizations/{ORGANIZATION_ID}", {"token": NEW_KEY, "expired": False})
        night.enter_key(NEW_KEY)
        wait_until(lambda: not night.health()["waiting"], "nothing waits", timeout=120, alive=workers)

    health = night.health()
    assert (health["account"]["state"], health["status"], health["waiting"], health["dead"]) == ("works", 0, 0, 0)
    badges = held(sandbox.state(), "credly")
    assert len(badges) == len({badge.email for badge in badges}) == AWARDS
    facts = night.project.python("from tests.acceptance.faults import site; print(json.dumps(site.facts()))")
    assert facts["statuses"] == {"done": 2 * AWARDS}
    assert facts["external_ids"] == {badge.email: badge.external_id for badge in badges}
    log = "".join((tmp_path / f"worker{number}.log").read_text() for number in range(WORKERS))
    assert log.count("is stopped, and its deliveries wait") == 1
    assert NEW_KEY not in log
