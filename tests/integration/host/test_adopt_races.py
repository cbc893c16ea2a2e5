"""An adoption beside another one, and one that is ended: real threads and a real process."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import connection, transaction

from badges.models import (
    AdoptedRow,
    BadgePenalty,
    BadgeRequirement,
    BadgeTemplate,
    ConfigurationVersion,
    ProviderAccount,
)
from tests.databases import FILE, ROOT, drop_databases, fresh_database
from tests.factories import UserFactory
from tests.integration import commands
from tests.integration.host.built_in import BuiltIn
from tests.integration.host.running import adopt

MANY = 200
FILL = f"""
import django
django.setup()
from django.db import connection, transaction
from badges.host.adoption import tables
from tests.integration.host.built_in import BuiltIn
with connection.schema_editor() as editor:
    for model in (tables.UserCredential, *tables.BUILT_IN):
        editor.create_model(model)
with transaction.atomic():
    built_in = BuiltIn()
    organization = built_in.organization()
    for _ in range({MANY}):
        built_in.requirement(built_in.credly_template(organization))
"""
races = pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets one writer in at a time: nothing races")


def adopt_in_a_thread() -> commands.Ended:
    try:
        return adopt()
    finally:
        connection.close()


@races
@pytest.mark.django_db(transaction=True)
def test_two_adoptions_at_once_make_every_row_once(transactional_db: None, built_in: BuiltIn) -> None:
    for _ in range(10):
        there = built_in.credly_template(built_in.organization())
        requirement = built_in.requirement(there)
        built_in.penalty(there, [requirement])
        built_in.progress(there, UserFactory().username, [requirement])

    with ThreadPoolExecutor(2) as pool:
        first, second = [future.result(60) for future in [pool.submit(adopt_in_a_thread) for _ in range(2)]]

    assert (first.status, second.status) == (0, 0), (first, second)
    for model in (ProviderAccount, BadgeTemplate, BadgeRequirement, BadgePenalty):
        assert model._default_manager.count() == 10
    assert AdoptedRow.objects.count() == 40


@races
@pytest.mark.django_db(transaction=True)
def test_it_waits_for_somebody_who_changes_the_configuration(transactional_db: None, built_in: BuiltIn) -> None:
    """Else a template could be activated on what is just being changed."""
    built_in.requirement(built_in.credly_template())
    ConfigurationVersion.bump()
    is_through = threading.Event()

    def adopting() -> commands.Ended:
        try:
            return adopt_in_a_thread()
        finally:
            is_through.set()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            ConfigurationVersion.bump()
            future = pool.submit(adopting)
            assert not is_through.wait(1)
        ended = future.result(60)

    assert ended.status == 0
    assert BadgeTemplate.objects.get().is_active


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A database with many templates of the built-in module; the environment that leads there."""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "settings_test", **fresh_database(tmp_path)}
    subprocess.run([sys.executable, "-c", FILL], cwd=ROOT, env=environment, check=True)
    yield environment
    drop_databases()


@pytest.mark.skipif(connection.vendor != "sqlite", reason="It looks into a file from outside")
def test_what_is_done_stays_when_it_is_ended_and_the_next_run_does_the_rest(filled: dict[str, str]) -> None:
    command = [sys.executable, "manage.py", "adopt_builtin_badges", "--apply"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, env=filled, **pipes) as process:  # type: ignore[call-overload]
        wait_until_some_are_here(filled[FILE], process)
        process.send_signal(signal.SIGTERM)
        out, errors = process.communicate(timeout=60)

    assert process.returncode == 1, (out, errors)
    assert "Ended by a signal; the rest is left for the next time." in errors
    done = templates_in(filled[FILE])
    assert 0 < done < MANY

    again = subprocess.run(command, cwd=ROOT, env=filled, capture_output=True, text=True, timeout=120, check=False)

    assert again.returncode == 0, again.stderr
    assert templates_in(filled[FILE]) == MANY


def wait_until_some_are_here(path: str, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not templates_in(path):
        assert process.poll() is None, "It ended before anything was adopted."
        assert time.monotonic() < deadline
        time.sleep(0.01)


def templates_in(path: str) -> int:
    with contextlib.closing(sqlite3.connect(path, timeout=30)) as database:
        return int(database.execute("SELECT COUNT(*) FROM badging_badgetemplate WHERE is_active").fetchone()[0])
