"""Which of the calls of all processes together are struck: the same ones in every run with the same seed."""

from __future__ import annotations

import fcntl
import os
import random
from pathlib import Path

from attrs import field, frozen


@frozen
class Dice:
    """Shared by processes through a folder. Switched off by the file ``off`` in it."""

    folder: Path
    seed: int
    probability: float
    spared: int = field(factory=os.getpid)
    """The process that set Django up: the workers are forked from it, and only they are struck."""

    def strikes(self, *, calls: str = "calls") -> bool:
        """Count a call, and say whether it is struck."""
        if os.getpid() == self.spared or (self.folder / "off").exists():
            return False
        number = self._count(calls)
        struck = random.Random(f"{self.seed}:{number}").random() < self.probability
        if struck:
            self._count("strikes")
        return struck

    def struck(self) -> int:
        """How often it has struck so far."""
        path = self.folder / "strikes"
        return int(path.read_text() or 0) if path.exists() else 0

    def switch_off(self) -> None:
        """Nothing is struck from now on."""
        (self.folder / "off").touch()

    def _count(self, name: str) -> int:
        # The lock of a process that is killed goes with it.
        descriptor = os.open(self.folder / name, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            number = int(os.read(descriptor, 20) or 0) + 1
            os.pwrite(descriptor, str(number).encode(), 0)
            return number
        finally:
            os.close(descriptor)
