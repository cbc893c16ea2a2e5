"""A database server of the kind that the environment asks for, to be killed, and a fresh database for each play."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from attrs import frozen

from demo.processes import LOOPBACK, Server
from demo.sandbox.process import ROOT
from tests.servers import DATABASE, restartable_mariadb, restartable_postgresql

VARIABLES = ("BADGES_TEST_DATABASE_URL", "BADGES_TEST_SQLITE")


@frozen
class Databases:
    """Makes databases, all on one server."""

    name: str
    server: Server | None
    """None for SQLite, which has nothing to restart."""
    fresh: Callable[[], Mapping[str, str]]
    """Makes a migrated database, and gives the environment that leads to it."""


@contextlib.contextmanager
def databases(folder: Path) -> Iterator[Databases]:
    """By ``BADGES_TEST_DATABASE_URL``: PostgreSQL or MariaDB, on a server of their own; SQLite files without it."""
    match urlsplit(os.environ.get("BADGES_TEST_DATABASE_URL", "")).scheme:
        case "postgres":
            with restartable_postgresql() as server:
                yield Databases("PostgreSQL", server, _postgresql(server))
        case "mysql":
            with restartable_mariadb() as server:
                yield Databases("MariaDB", server, _mariadb(server))
        case _:
            yield Databases("SQLite", None, _sqlite(folder))


def _migrate(environment: Mapping[str, str]) -> None:
    inherited = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0", "--skip-checks"]
    done = subprocess.run(
        command, cwd=ROOT, env={**inherited, **environment}, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def _sqlite(folder: Path) -> Callable[[], Mapping[str, str]]:
    template, numbers = folder / "template.sqlite3", itertools.count(1)
    _migrate({"BADGES_TEST_SQLITE": str(template)})

    def fresh() -> Mapping[str, str]:
        copy = folder / f"play{next(numbers)}.sqlite3"
        shutil.copyfile(template, copy)
        return {"BADGES_TEST_SQLITE": str(copy)}

    return fresh


def _postgresql(server: Server) -> Callable[[], Mapping[str, str]]:
    import psycopg

    _migrate({"BADGES_TEST_DATABASE_URL": server.url})
    base, numbers = server.url.removesuffix(DATABASE), itertools.count(1)

    def fresh() -> Mapping[str, str]:
        name = f"play{next(numbers)}"
        with contextlib.closing(psycopg.connect(f"{base}postgres", autocommit=True)) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {DATABASE}")
        return {"BADGES_TEST_DATABASE_URL": f"{base}{name}"}

    return fresh


def _mariadb(server: Server) -> Callable[[], Mapping[str, str]]:
    import MySQLdb

    _migrate({"BADGES_TEST_DATABASE_URL": server.url})
    base, numbers = server.url.removesuffix(DATABASE), itertools.count(1)
    port = urlsplit(server.url).port or 0

    def fresh() -> Mapping[str, str]:
        name = f"play{next(numbers)}"
        with (
            contextlib.closing(MySQLdb.connect(host=LOOPBACK, port=port, user="root", autocommit=True)) as connection,
            contextlib.closing(connection.cursor()) as cursor,
        ):
            cursor.execute(f"CREATE DATABASE {name}")
            cursor.execute(f"USE {name}")
            cursor.execute("SET FOREIGN_KEY_CHECKS = 0")
            cursor.execute(f"SHOW TABLES FROM {DATABASE}")
            for (table,) in cursor.fetchall():
                cursor.execute(f"SHOW CREATE TABLE {DATABASE}.`{table}`")
                cursor.execute(cursor.fetchone()[1])
                cursor.execute(f"INSERT INTO `{table}` SELECT * FROM {DATABASE}.`{table}`")
        return {"BADGES_TEST_DATABASE_URL": f"{base}{name}"}

    return fresh
