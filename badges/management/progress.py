"""A progress bar for a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable

from attrs import define, field
from django.core.management.base import OutputWrapper

BAR = 24
WIDTH = 72
"""Shorter than our log lines, which write over it from the left where the cursor stands, and leave nothing of it."""
REDRAWN_EVERY = 0.1


@define
class ProgressBar:
    """How much of a known number is done, how fast, and how long the rest takes. Cleared by what is written next."""

    out: OutputWrapper
    clock: Callable[[], float] = time.monotonic
    _started: float = field(init=False)
    _drawn: float = field(init=False, default=float("-inf"))

    def __attrs_post_init__(self) -> None:
        self._started = self.clock()

    def show(self, done: int, total: int) -> None:
        """Draw it, unless it was drawn a moment ago."""
        now = self.clock()
        if now - self._drawn < REDRAWN_EVERY and done < total:
            return
        self._drawn = now
        self._write(text(done, total, now - self._started))

    def clear(self) -> None:
        """Make room for a line of text."""
        self._drawn = float("-inf")
        self._write("")

    def _write(self, shown: str) -> None:
        self.out.write(f"{shown:<{WIDTH}.{WIDTH}}\r", ending="")
        self.out.flush()


def text(done: int, total: int, seconds: float) -> str:
    """The bar as text.

    Arguments:
        done: how many are done, of ``total``.
        total: at least 1.
        seconds: how long that took.
    """
    filled = BAR * done // total
    bar = f"[{'=' * filled}{' ' * (BAR - filled)}] {done}/{total}"
    if done == 0 or seconds <= 0:
        return bar
    rate = done / seconds
    return f"{bar}  {rate:.1f}/s  {_duration((total - done) / rate)} left"


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"
