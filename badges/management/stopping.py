"""Ending a command politely: the first signal lets it finish what it is at, the second ends it at once."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

from attrs import define

LONGEST_NAP = 0.5
SIGNALS = (signal.SIGTERM, signal.SIGINT)


@define
class Stop:
    """Whether somebody asked this process to end."""

    requested: bool = False

    def wait(self, seconds: float) -> None:
        """Sleep for so many seconds, or until the process is asked to end.

        In naps, because a lock that a signal handler takes may be held by the very code that it interrupted.
        """
        end = time.monotonic() + seconds
        while not self.requested and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, LONGEST_NAP))


@contextlib.contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """Within the block, SIGTERM and SIGINT ask to end; a second one raises ``SystemExit`` with 128 and its number."""
    stop = Stop()

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.requested:
            raise SystemExit(128 + number)
        stop.requested = True

    # Python allows it to the main thread only, and only there a signal would arrive.
    is_main = threading.current_thread() is threading.main_thread()
    former = {number: signal.signal(number, ask) for number in SIGNALS} if is_main else {}
    try:
        yield stop
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
