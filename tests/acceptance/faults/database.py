"""A fresh, migrated database for each fault: PostgreSQL where it is installed, else a SQLite file."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from demo.sandbox.process import ROOT
from tests.servers import DATABASE, Missing, postgresql_server, services_are_required

Fresh = Callable[[], dict[str, str]]
"""Makes a database, and gives the environment that leads to it."""


@contextlib.contextmanager
def databases(folder: Path) -> Iterator[tuple[str, Fresh]]:
    """The name of the database, and what makes a fresh one."""
    with contextlib.ExitStack() as stack:
        try:
            url = stack.enter_context(postgresql_server())
        except Missing:
            if services_are_required():
                raise
            yield "SQLite", _sqlite(folder)
        else:
            yield "PostgreSQL", _postgresql(url)


def _postgresql(url: str) -> Fresh:
    import psycopg

    _migrate({"BADGES_TEST_DATABASE_URL": url})
    server, numbers = url.removesuffix(DATABASE), itertools.count(1)

    def fresh() -> dict[str, str]:
        name = f"fault{next(numbers)}"
        with contextlib.closing(psycopg.connect(f"{server}postgres", autocommit=True)) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {DATABASE}")
        return {"BADGES_TEST_DATABASE_URL": f"{server}{name}"}

    return fresh


def _sqlite(folder: Path) -> Fresh:
    template, numbers = folder / "template.sqlite3", itertools.count(1)
    _migrate({"BADGES_TEST_SQLITE": str(template)})

    def fresh() -> dict[str, str]:
        copy = folder / f"fault{next(numbers)}.sqlite3"
        shutil.copyfile(template, copy)
        return {"BADGES_TEST_SQLITE": str(copy)}

    return fresh


def _migrate(environment: dict[str, str]) -> None:
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0", "--skip-checks"]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=True, capture_output=True)
