"""Ending a consumer: the first SIGTERM lets it finish its batch within a grace time, the second ends it at once."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

from attrs import define, field

logger = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT)
LAST_MOMENTS = 2.0
"""Seconds that Python has to end by itself; within a call of a database's driver it may not even hear of a signal."""
LONGEST_NAP = 0.25


class Stopped(Exception):
    """Somebody asked this consumer to end, while it was waiting for something."""


@define
class Stop:
    """Whether somebody asked this consumer to end."""

    requested: bool = False
    is_overdue: bool = False
    """Whether the grace time is over."""
    on_nap: Callable[[], None] = field(default=lambda: None)
    """Called again and again while it waits."""

    def check(self) -> None:
        """Raises:
        Stopped: somebody asked to end.
        """
        if self.requested:
            raise Stopped

    def pause(self, seconds: float) -> None:
        """Wait so many seconds.

        Raises:
            Stopped: somebody asked to end.
        """
        end = time.monotonic() + seconds
        self.check()
        while (left := end - time.monotonic()) > 0:
            self.on_nap()
            # In naps: a lock that a signal handler takes may be held by the very code that it interrupted.
            time.sleep(min(left, LONGEST_NAP))
            self.check()


@contextlib.contextmanager
def stop_on_signals(stop: Stop, grace: float) -> Iterator[None]:
    """Within the block, SIGTERM and SIGINT ask to end.

    A second one raises ``SystemExit`` with 128 and its number. When ``grace`` seconds are over after the first one,
    ``SystemExit`` with 0 is raised: what is unfinished is left, not acknowledged, for the next start. A thread watches
    over both, and ends the process if Python does not: a driver that waits for a lock keeps signals from it.
    """
    # Python allows it to the main thread only, and only there a signal would arrive.
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.is_overdue:
            raise SystemExit(0)
        if stop.requested:
            raise SystemExit(128 + number)
        stop.requested = True

    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    former = {number: signal.signal(number, ask) for number in SIGNALS}
    former_wakeup = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    watchdog = threading.Thread(target=_watch, args=(ours, stop, grace), name="badges-consumer-watchdog", daemon=True)
    watchdog.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(former_wakeup)
        for number, handler in former.items():
            signal.signal(number, handler)
        theirs.close()
        watchdog.join(LAST_MOMENTS)


def _watch(ours: socket.socket, stop: Stop, grace: float) -> None:
    """Hear of signals even while the main thread does not."""
    with ours:
        if not (first := _signals(ours, None)):
            return
        end = time.monotonic() + grace
        heard = first
        while len(heard) < 2 and (left := end - time.monotonic()) > 0:
            more = _signals(ours, left)
            if more is None:
                return
            heard += more
        if len(heard) >= 2:
            _end(ours, 128 + heard[1])
            return
        logger.warning(
            "The grace time of %.0f s is over. What is unfinished is not acknowledged, and is taken up at the next "
            "start. Nothing is lost.",
            grace,
            extra={"action": "grace_over"},
        )
        stop.is_overdue = True
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
        _end(ours, 0)


def _signals(ours: socket.socket, timeout: float | None) -> bytes | None:
    """The numbers of those signals that ask to end, as they come; None when the consumer has ended."""
    while True:
        readable, _, _ = select.select([ours], [], [], timeout)
        if not readable:
            return b""
        if not (data := ours.recv(64)):
            return None
        wanted = bytes(number for number in data if number in SIGNALS)
        # Others come too, such as those of a profiler's timer, as many as there are.
        if wanted or timeout is not None:
            return wanted


def _end(ours: socket.socket, status: int) -> None:
    """End the process, unless it does so by itself in a moment."""
    end = time.monotonic() + LAST_MOMENTS
    while (left := end - time.monotonic()) > 0:
        if _signals(ours, left) is None:
            return
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(status)
