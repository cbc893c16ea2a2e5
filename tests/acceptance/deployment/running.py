"""Programs that are run to their end, and those that a machine may not have."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.servers import services_are_required

TIME_LIMIT = 120
"""Seconds that a program may take."""


def ended(
    command: Sequence[str], env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run it, and give what it printed, and its status."""
    return subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, timeout=TIME_LIMIT, check=False)


def output(command: Sequence[str], env: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    """Run it, and give what it printed. It has to succeed."""
    done = ended(command, env, cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def is_alive(probe: Sequence[str]) -> bool:
    """What a probe finds."""
    return ended(probe).returncode == 0


def find_program(name: str) -> str:
    """Where a program is that ``make system-packages`` installs; without it the test is skipped, or fails in CI."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if found is None:
        reason = f"{name} is missing: run `make system-packages`, or install it."
        if services_are_required():
            pytest.fail(reason)
        pytest.skip(reason)
    return found
