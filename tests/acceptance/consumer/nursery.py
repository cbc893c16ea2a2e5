"""A process in which Django is set up, and which forks others: what is killed there is replaced at once.

Run as ``python -m tests.acceptance.consumer.nursery``. Each line that it reads starts a process, each line that it
writes tells of one that began or ended.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from attrs import define, field

from demo.processes import wait_until
from demo.sandbox.process import ROOT

READY = "ready"


@define
class Forked:
    """A process of the nursery."""

    name: str
    pid: int
    status: int | None = None
    """As :func:`os.waitstatus_to_exitcode` gives it; None while it runs."""


@define
class Nursery:
    """The nursery, seen from outside."""

    log: Path
    _process: subprocess.Popen[str]
    _told: queue.Queue[dict[str, Any]] = field(factory=queue.Queue)
    _forked: dict[int, Forked] = field(factory=dict)

    def start(self, name: str, function: str, *arguments: str) -> Forked:
        """Call ``module:function`` with these arguments, in a process of its own."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([function, *arguments]) + "\n")
        self._process.stdin.flush()
        while True:
            told = self._told.get(timeout=30)
            if "started" in told:
                return self._forked.setdefault(told["started"], Forked(name, told["started"]))
            self._note(told)

    def run(self, function: str, *arguments: str, timeout: float = 60.0) -> None:
        """The same, to its end.

        Raises:
            AssertionError: it failed.
        """
        forked = self.start(function, function, *arguments)
        wait_until(lambda: self.status(forked) is not None, f"{function} has ended", timeout=timeout)
        assert forked.status == 0, f"{function} ended with {forked.status}:\n{self.last_words()}"

    def status(self, forked: Forked) -> int | None:
        """How it ended; None while it runs."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._note(self._told.get_nowait())
        return forked.status

    def signal(self, forked: Forked, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self.status(forked) is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(forked.pid, number)

    def wait(self, forked: Forked, timeout: float = 30.0) -> int:
        """Wait for its end, and say how it ended."""
        wait_until(lambda: self.status(forked) is not None, f"{forked.name} has ended", timeout=timeout)
        assert forked.status is not None
        return forked.status

    def last_words(self) -> str:
        """The end of what all of them printed."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-40:])

    def _note(self, told: dict[str, Any]) -> None:
        if "ended" in told:
            self._forked.setdefault(told["ended"], Forked("?", told["ended"])).status = told["status"]


@contextlib.contextmanager
def nursery(environment: Mapping[str, str], log: Path) -> Iterator[Nursery]:
    """A nursery, which at the end is killed with all that it has started."""
    with (
        log.open("ab") as errors,
        subprocess.Popen(
            [sys.executable, "-m", __name__],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        mother = Nursery(log, process)
        reader = threading.Thread(target=_read, args=(process, mother._told), daemon=True)
        try:
            assert process.stdout is not None
            assert process.stdout.readline().strip() == READY, f"The nursery did not start:\n{mother.last_words()}"
            reader.start()
            yield mother
        finally:
            # It is the leader of the group of all of them.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if reader.is_alive():
                reader.join()


def _read(process: subprocess.Popen[str], told: queue.Queue[dict[str, Any]]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        told.put(json.loads(line))


def main() -> None:
    """The nursery itself."""
    import django

    django.setup()
    _warm_up()
    signal.signal(signal.SIGCHLD, _bury)
    _tell(READY)
    for line in sys.stdin:
        # Told in this order: nobody ends before it has begun.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        if (pid := os.fork()) == 0:
            _live(*json.loads(line))
        _tell(json.dumps({"started": pid}))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})


def _warm_up() -> None:
    """What every process would have to load for itself. No connection is opened."""
    from django.conf import settings
    from django.core.checks import run_checks
    from django.core.management import get_commands
    from django.db import connection
    from django.utils.module_loading import import_string
    from openedx_events.tooling import load_all_signals

    from tests.acceptance.consumer import producing, site  # noqa: F401

    load_all_signals()
    get_commands()
    import_string(settings.EVENT_BUS_CONSUMER)
    import_string(settings.EVENT_BUS_PRODUCER)
    run_checks()
    assert connection.connection is None


def _live(function: str, *arguments: str) -> None:
    status = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        os.dup2(2, 1)
        os.close(0)
        module, _, name = function.partition(":")
        getattr(importlib.import_module(module), name)(*arguments)
        status = 0
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BaseException:  # noqa: BLE001 - told, and then it ends
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _bury(number: int, frame: FrameType | None) -> None:
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            _tell(json.dumps({"ended": pid, "status": os.waitstatus_to_exitcode(status)}))


def _tell(line: str) -> None:
    os.write(1, f"{line}\n".encode())


if __name__ == "__main__":
    main()
