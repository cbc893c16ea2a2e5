"""Processes that are forked from one in which Django is set up, so that a killed one is replaced at once."""

from __future__ import annotations

import io
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, Self

NEEDS_A_PERSON = 3
GRACE = 30.0
NAP = 0.02
"""Seconds between two sweeps of one of so many workers: all together must leave the machine some time for the work."""
_fork = multiprocessing.get_context("fork")


class Shell:
    """A process that answers questions about the project. The one that asks never has a database connection open."""

    def __enter__(self) -> Self:
        self._here, there = _fork.Pipe()
        self._process = _fork.Process(target=_answer, args=(self._here, there), name="shell", daemon=True)
        self._process.start()
        there.close()
        return self

    def __exit__(self, *error: object) -> None:
        self._here.close()
        self._process.join(GRACE)

    def ask(self, function: Callable[..., Any], *arguments: object) -> Any:
        """What a function of a module returns there."""
        self._here.send((function, arguments))
        succeeded, value = self._here.recv()
        if not succeeded:
            raise RuntimeError(f"{function.__name__} failed: {value}")
        return value


def _answer(other_end: Connection, pipe: Connection) -> None:
    # Held open here as well, its end would never be seen.
    other_end.close()
    while True:
        try:
            function, arguments = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send((True, function(*arguments)))
        except Exception as error:  # noqa: BLE001 - told to who asks
            pipe.send((False, f"{type(error).__name__}: {error}"))


class Workers:
    """Processes that sweep again and again, until they are stopped; the dead are replaced."""

    def __init__(self, number: int, *, nap: float = NAP) -> None:
        self._number, self._nap = number, nap
        self._running: list[Any] = []
        # Without a lock, which a killed worker could take along.
        self._stopping = _fork.RawValue("b", 0)
        self.deaths = 0
        """How many were ended by SIGKILL."""

    def __enter__(self) -> Self:
        self.tend()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopping.value = 1
        for process in self._running:
            process.join(GRACE)
            if process.is_alive():
                process.kill()
                raise RuntimeError(f"A worker did not end within {GRACE:g} seconds; see the log.")
            self._bury(process)

    def tend(self) -> None:
        """Replace who has ended.

        Raises:
            RuntimeError: one ended in another way than by SIGKILL.
        """
        alive = []
        for process in self._running:
            if process.is_alive():
                alive.append(process)
            else:
                self._bury(process)
        self._running = alive
        while len(self._running) < self._number:
            process = _fork.Process(
                target=_sweep_until_stopped, args=(self._stopping, self._nap * self._number), daemon=True
            )
            process.start()
            self._running.append(process)

    def pids(self) -> list[int]:
        """Who runs."""
        return [process.pid for process in self._running]

    def kill(self, pid: int) -> None:
        """Kill one of them, from outside."""
        if any(process.pid == pid and process.is_alive() for process in self._running):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _bury(self, process: Any) -> None:
        process.join()
        if process.exitcode == -signal.SIGKILL:
            self.deaths += 1
        elif process.exitcode:
            raise RuntimeError(f"A worker ended with {process.exitcode}; see the log.")


def _sweep_until_stopped(stopping: Any, nap: float) -> None:
    from django.core.management import CommandError, call_command

    while not stopping.value:
        try:
            call_command("deliver_badges", stdout=io.StringIO())
        except CommandError as error:
            if error.returncode != NEEDS_A_PERSON:
                raise
        time.sleep(nap)
