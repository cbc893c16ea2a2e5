"""The history of a play: JSON lines that many processes append to one file, some of which are killed while they do."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from attrs import frozen

Line = dict[str, Any]


@frozen
class History:
    """One file. Each line says ``what`` happened, ``at`` which time, in which process (``pid``), and more."""

    path: Path

    def write(self, what: str, **more: object) -> None:
        """Append a line, at once and as a whole."""
        line = json.dumps({"what": what, "at": time.time(), "pid": os.getpid(), **more})
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            # It begins on a line of its own, whatever a killed process left of the one before.
            os.write(descriptor, f"\n{line}\n".encode())
        finally:
            os.close(descriptor)

    def lines(self) -> list[Line]:
        """All of them, in the order in which they were written, without what a kill cut off."""
        if not self.path.exists():
            return []
        found = (_read(text) for text in self.path.read_text(encoding="utf-8", errors="replace").splitlines())
        return [line for line in found if line is not None]

    def told(self, what: str) -> list[Line]:
        """Those that tell of this."""
        return [line for line in self.lines() if line["what"] == what]


def _read(text: str) -> Line | None:
    try:
        line = json.loads(text)
    except json.JSONDecodeError:
        return None
    return line if isinstance(line, dict) and "what" in line else None
