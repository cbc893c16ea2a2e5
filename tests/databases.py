"""Databases for tests that start processes: migrated, empty, and each test's own.

They are made on the server that ``BADGES_TEST_DATABASE_URL`` leads to, as copies of one that was migrated once; without
it they are copies of a SQLite file.
"""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import SplitResult, unquote, urlsplit

ROOT = Path(__file__).resolve().parents[1]
URL, FILE = "BADGES_TEST_DATABASE_URL", "BADGES_TEST_SQLITE"
DECIDES = ("BADGES_TEST_ENABLED", "BADGES_TEST_TASKS")
"""What decides which tables there are."""
_made: list[Callable[[], None]] = []


def vendor() -> str:
    """The name of the database that tests run on."""
    return {"": "SQLite", "postgres": "PostgreSQL", "mysql": "MariaDB"}[urlsplit(os.environ.get(URL, "")).scheme]


def fresh_database(folder: Path) -> dict[str, str]:
    """Make a migrated, empty database; gives the environment that leads ``settings_test`` there.

    Arguments:
        folder: where a file may be put.
    """
    template = _template(os.environ.get(URL, ""), tuple(os.environ.get(name, "") for name in DECIDES))
    copy = template.copy(folder)
    _made.append(functools.partial(template.drop, copy))
    return {URL: "", FILE: "", **copy}


@contextlib.contextmanager
def bare_database(folder: Path, template: str = "") -> Iterator[str]:
    """A database in which nothing is, for as long as the block lasts; gives its URL.

    Arguments:
        folder: where a file may be put.
        template: the URL of another one that was made here: it is a copy of that. No process may use that.
    """
    name = secrets.token_hex(6)
    if not (server := os.environ.get(URL, "")):
        path = folder / f"bare-{name}.sqlite3"
        if template:
            shutil.copyfile(urlsplit(template).path, path)
        yield f"sqlite://{path}"
        return
    url = urlsplit(server)
    create, drop = _SERVERS[url.scheme]
    name = f"{url.path.lstrip('/')}_{name}"
    create(url, name, urlsplit(template).path.lstrip("/"))
    try:
        yield url._replace(path=f"/{name}").geturl()
    finally:
        drop(url, name)


def drop_databases() -> None:
    """Drop what was made since it was called last; no process may use it any more."""
    while _made:
        _made.pop()()


class _Template(Protocol):
    def copy(self, folder: Path) -> dict[str, str]: ...

    def drop(self, copy: dict[str, str]) -> None: ...


@functools.cache
def _template(url: str, decides: tuple[str, ...]) -> _Template:
    if not url:
        return _File()
    return _Server(urlsplit(url), *_SERVERS[urlsplit(url).scheme])


def _migrate(environment: dict[str, str]) -> None:
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0", "--skip-checks"]
    # The name of another settings module may be meant for the tests' caller.
    fixed = {"DJANGO_SETTINGS_MODULE": "settings_test", URL: "", **environment}
    subprocess.run(command, cwd=ROOT, env={**os.environ, **fixed}, check=True)


class _File:
    """A SQLite file."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="badges-template-")
        self._template = Path(self._folder.name, "template.sqlite3")
        _migrate({FILE: str(self._template)})

    def copy(self, folder: Path) -> dict[str, str]:
        path = folder / f"project-{secrets.token_hex(4)}.sqlite3"
        shutil.copyfile(self._template, path)
        return {FILE: str(path)}

    def drop(self, copy: dict[str, str]) -> None:
        """It goes with its folder, and is of use when a test has failed."""


class _Server:
    """Databases on a server, under names that nobody else takes."""

    def __init__(
        self,
        url: SplitResult,
        create: Callable[[SplitResult, str, str], None],
        drop: Callable[[SplitResult, str], None],
    ) -> None:
        self._url, self._create, self._drop = url, create, drop
        self._template = self._name()
        create(url, self._template, "")
        _migrate(self._environment(self._template))

    def copy(self, folder: Path) -> dict[str, str]:
        name = self._name()
        self._create(self._url, name, self._template)
        return self._environment(name)

    def drop(self, copy: dict[str, str]) -> None:
        self._drop(self._url, urlsplit(copy[URL]).path.lstrip("/"))

    def _name(self) -> str:
        return f"{self._url.path.lstrip('/')}_{secrets.token_hex(6)}"

    def _environment(self, name: str) -> dict[str, str]:
        return {URL: self._url._replace(path=f"/{name}").geturl()}


def _create_postgresql(url: SplitResult, name: str, template: str) -> None:
    with _postgresql(url) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template or 'template1'}")


def _drop_postgresql(url: SplitResult, name: str) -> None:
    with _postgresql(url) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _postgresql(url: SplitResult) -> contextlib.closing[Any]:
    import psycopg

    return contextlib.closing(psycopg.connect(url._replace(path="/postgres").geturl(), autocommit=True))


def _create_mariadb(url: SplitResult, name: str, template: str) -> None:
    """It has no templates: the tables are made as they were made there, and filled from there."""
    with _mariadb(url) as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
        if not template:
            return
        cursor.execute(f"USE {name}")
        cursor.execute("SET foreign_key_checks = 0")
        cursor.execute(f"SHOW TABLES FROM {template}")
        for (table,) in cursor.fetchall():
            cursor.execute(f"SHOW CREATE TABLE {template}.`{table}`")
            cursor.execute(cursor.fetchone()[1])
            cursor.execute(f"INSERT INTO `{table}` SELECT * FROM {template}.`{table}`")


def _drop_mariadb(url: SplitResult, name: str) -> None:
    with _mariadb(url) as cursor:
        cursor.execute(f"DROP DATABASE {name}")


@contextlib.contextmanager
def _mariadb(url: SplitResult) -> Iterator[Any]:
    import MySQLdb

    connection = MySQLdb.connect(
        host=url.hostname or "",
        port=url.port or 3306,
        user=unquote(url.username or ""),
        password=unquote(url.password or ""),
        autocommit=True,
    )
    with contextlib.closing(connection), contextlib.closing(connection.cursor()) as cursor:
        yield cursor


_SERVERS: dict[str, tuple[Callable[[SplitResult, str, str], None], Callable[[SplitResult, str], None]]] = {
    "postgres": (_create_postgresql, _drop_postgresql),
    "mysql": (_create_mariadb, _drop_mariadb),
}
"""How a database is made on a server, and how it is dropped."""
