"""One run of ``adopt_builtin_badges`` in a process of its own, whose memory is that of an operator's."""

from __future__ import annotations

import contextlib
import io
import json
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from attrs import asdict, frozen


@frozen
class Run:
    """What a run came to."""

    seconds: float
    statements: int
    peak_mb: float
    """The most memory that the process ever had."""
    before_mb: float
    """What it had before the command began, with all its modules."""
    exit_code: int
    said: str
    """Its last line."""


def measured(*arguments: str) -> Run:
    """Run the command with these arguments, in the settings of this process.

    Raises:
        RuntimeError: the process failed.
    """
    command = [sys.executable, "-m", "benchmarks.adoption_process", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return Run(**json.loads(done.stdout))


def main(arguments: Sequence[str]) -> None:
    """Run the command, and print what it came to."""
    import django

    django.setup()
    from django.core.management import CommandError, call_command
    from django.db import connection

    from badges.host.adoption import run  # noqa: F401 - as imported before the clock starts

    statements = 0

    def counted(execute: object, *rest: object) -> object:
        nonlocal statements
        statements += 1
        return execute(*rest)  # type: ignore[operator]

    said, exit_code = io.StringIO(), 0
    connection.ensure_connection()
    before_mb, start = memory_mb("VmRSS"), time.perf_counter()
    with connection.execute_wrapper(counted), contextlib.redirect_stderr(io.StringIO()):
        try:
            call_command("adopt_builtin_badges", *arguments, stdout=said)
        except CommandError as error:
            exit_code = error.returncode
            said.write(str(error))
    seconds = time.perf_counter() - start
    last = said.getvalue().strip().splitlines()[-1]
    found = Run(seconds, statements, memory_mb("VmHWM"), before_mb, exit_code, last)
    sys.stdout.write(json.dumps(asdict(found)))


def memory_mb(name: str) -> float:
    """A figure of this process's memory, as Linux tells it."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    [kilobytes] = re.findall(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
    return int(kilobytes) / 1024


if __name__ == "__main__":
    main(sys.argv[1:])
