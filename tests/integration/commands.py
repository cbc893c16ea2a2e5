"""Runs management commands as a shell does, and tells what came of them."""

from __future__ import annotations

import io
from typing import Any

from attrs import frozen
from django.core.management import CommandError, call_command


class Terminal(io.StringIO):
    """What a terminal was sent."""

    def isatty(self) -> bool:
        return True


@frozen
class Ended:
    """What a command did before it ended."""

    status: int
    out: str
    errors: str
    """What was written to stderr, and the error that it ended with."""


def run(command: str, *arguments: str, terminal: bool = False, **options: Any) -> Ended:
    """Run a command."""
    out, errors = Terminal() if terminal else io.StringIO(), io.StringIO()
    status, told = 0, ""
    try:
        call_command(command, *arguments, stdout=out, stderr=errors, **options)
    except CommandError as error:
        status, told = error.returncode, str(error)
    return Ended(status, out.getvalue(), errors.getvalue() + told)
