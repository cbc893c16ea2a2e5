"""Fixtures of the proofs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.processes import Server
from demo.redis import restartable_redis
from tests.acceptance.consumer.checker import Verdict
from tests.acceptance.consumer.database import Databases, databases
from tests.acceptance.consumer.world import World, world

RESULTS = pytest.StashKey[list[tuple[str, str, Verdict, float]]]()
"""What was struck, the database, the verdict, seconds."""

INSTANTS = pytest.StashKey[list[tuple[str, int, int, list[float]]]]()
"""The database, awards, calls of the provider, and milliseconds between two processes."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for name, kind, verdict, seconds in config.stash.get(RESULTS, []):
        terminalreporter.write_line(f"{name} ({kind}, {seconds:.0f} s):\n{verdict}\n")
    for kind, awards, calls, gaps in config.stash.get(INSTANTS, []):
        terminalreporter.write_line(
            f"At the same instant ({kind}): {awards} awards, {calls} calls; {sorted(gaps)[len(gaps) // 2]} ms between "
            f"two processes (median), {max(gaps)} at most."
        )


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """Where the proofs' databases are made: the kind is the one that the environment names."""
    with databases(tmp_path_factory.mktemp("databases")) as made:
        yield made


@pytest.fixture
def bus() -> Iterator[Server]:
    """A Redis of the test's own, of which a kill loses nothing that was acknowledged."""
    with restartable_redis(sync="always") as server:
        yield server


@pytest.fixture
def play(tmp_path: Path, bus: Server, database: Databases) -> Iterator[Callable[..., World]]:
    """Makes an installation; see :func:`tests.acceptance.consumer.world.world`."""
    with contextlib.ExitStack() as stack:

        def make(*arguments: Any, **options: Any) -> World:
            return stack.enter_context(world(tmp_path, bus, database.fresh(), *arguments, **options))

        yield make
