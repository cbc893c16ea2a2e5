"""Child processes that are always ended, free ports, and waiting for a condition."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import TypeVar

from attrs import define, frozen

T = TypeVar("T")
LOOPBACK = "127.0.0.1"
GRACE = 10.0
"""Seconds that a process has to end by itself before it is killed."""


class ProcessFailed(Exception):
    """A process ended, or did not do in time what it was started for. The text says where its log is."""


class TimedOut(Exception):
    """A condition did not come true in time."""


@frozen
class Child:
    """A running child process."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        """Make sure that it still runs.

        Raises:
            ProcessFailed: it has ended.
        """
        if (status := self.process.poll()) is not None:
            raise ProcessFailed(f"{self.name} ended with status {status}. Its last words:\n{self.last_words()}")

    def last_words(self) -> str:
        """The end of its log, and where the whole is."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join([*(f"    {line}" for line in lines[-15:]), f"The whole log: {self.log}"])

    def stop(self) -> None:
        """End it: first a polite signal, after some time a kill."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(GRACE)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def running(
    name: str, command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Iterator[Child]:
    """A child process for as long as the block lasts; what it prints goes to ``log``.

    It has a session of its own: Ctrl-C reaches only the parent, which ends its children in the right order.
    """
    child = launched(name, command, log=log, env=env, cwd=cwd)
    try:
        yield child
    finally:
        child.stop()


def launched(
    name: str, command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Child:
    """A child process that the caller ends; see :func:`running`."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=env,
            cwd=cwd,
            start_new_session=True,
        )
    return Child(name, process, log)


@define
class Server:
    """A server that can be killed and started again on the data that it left."""

    name: str
    url: str
    folder: Path
    """What it keeps is below it."""
    _command: Sequence[str]
    _log: Path
    is_ready: Callable[[], bool]
    """Whether it answers."""
    _offspring: Callable[[int], list[int]]
    """The other processes that it has started, from its own: they are killed with it."""
    _child: Child | None = None

    def start(self) -> None:
        """Start it, and wait until it answers.

        Raises:
            ProcessFailed: it ended.
        """
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Start it, and do not wait."""
        self._child = launched(self.name, self._command, log=self._log)

    def wait(self) -> None:
        """Wait until it answers.

        Raises:
            ProcessFailed: it ended.
        """
        alive = [self._child] if self._child else []
        wait_until(self.is_ready, f"{self.name} answers", timeout=60, alive=alive)

    def kill(self) -> None:
        """End it as a power cut of the process would: SIGKILL, and wait until nothing of it runs."""
        if self._child is None:
            return
        process, self._child = self._child.process, None
        others = self._offspring(process.pid)
        process.kill()
        process.wait()
        for pid in others:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(is_running(pid) for pid in others), f"nothing of {self.name} runs")

    def restart(self) -> None:
        """Kill it, start it, and wait until it answers."""
        self.kill()
        self.start()

    def stop(self) -> None:
        """End it politely, if it runs."""
        if self._child is not None:
            self._child.stop()
            self._child = None


@contextlib.contextmanager
def serving(
    name: str,
    url: str,
    command: Sequence[str],
    *,
    folder: Path,
    log: Path,
    is_ready: Callable[[], bool],
    offspring: Callable[[int], list[int]] = lambda pid: [],
) -> Iterator[Server]:
    """A server that answers, for as long as the block lasts.

    Arguments:
        url: how it is reached.
        folder: what it keeps is below it.
        is_ready: whether it answers.
        offspring: process id -> the processes that it has started, where it works with several.
    """
    server = Server(name, url, folder, command, log, is_ready, offspring)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def is_running(pid: int) -> bool:
    """Whether there is a process with this id that is not a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return state not in "ZX"


def free_port(preferred: int = 0) -> int:
    """A loopback port that nothing listens on: the preferred one if it is free."""
    for port in (preferred, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((LOOPBACK, port))
            return int(probe.getsockname()[1])
    raise ProcessFailed("This machine has no free port on its loopback address.")


def wait_until(condition: Callable[[], T], what: str, *, timeout: float = 30.0, alive: Sequence[Child] = ()) -> T:
    """The first true value of ``condition``, asked again and again.

    Arguments:
        what: the condition in words, for the error.
        timeout: seconds.
        alive: children that must not end meanwhile.

    Raises:
        TimedOut: it did not come true.
        ProcessFailed: one of the children ended.
    """
    pause = threading.Event()
    end = time.monotonic() + timeout
    while True:
        if value := condition():
            return value
        for child in alive:
            child.check()
        if time.monotonic() > end:
            raise TimedOut(f"Not within {timeout:.0f} seconds: {what}.")
        pause.wait(0.05)


@contextlib.contextmanager
def ended_like_ctrl_c() -> Iterator[None]:
    """Within the block, SIGTERM and SIGHUP end the program as Ctrl-C does, so that children are ended too.

    SIGINT is set as well: a shell starts background commands with it ignored.
    """

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(number: int, frame: FrameType | None) -> None:
        # An impatient second one must not keep children from being ended.
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    former = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
