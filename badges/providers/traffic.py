"""Who watches the calls to providers: a watcher may delay a call, refuse it, and write down what came of it.

The HTTP layer knows the watcher of its context and nothing of what it does. A provider that brings its own HTTP calls
:func:`before` and :func:`after` itself, or has its attempts counted once each.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from attrs import define

from badges.data import Exchange


class Watcher(Protocol):
    """What is told of every call."""

    def before(self) -> None:
        """A call is about to be made. May wait for its turn.

        Raises:
            CeilingReached: it must not be made now.
        """

    def after(self, exchange: Exchange) -> None:
        """A call was made, or failed."""


@define
class Recorder:
    """A watcher that writes down and does not interfere."""

    exchanges: list[Exchange]

    def before(self) -> None:
        """Nothing stands in the way."""

    def after(self, exchange: Exchange) -> None:
        """Keep what was asked and answered."""
        self.exchanges.append(exchange)


_watcher: ContextVar[Watcher | None] = ContextVar("badges_traffic_watcher", default=None)


@contextmanager
def watched_by(watcher: Watcher) -> Iterator[None]:
    """Within the block, the calls of this thread are told to a watcher."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


def before() -> None:
    """Tell the watcher that a call is about to be made.

    Raises:
        CeilingReached: see :class:`Watcher`.
    """
    if (watcher := _watcher.get()) is not None:
        watcher.before()


def after(exchange: Exchange) -> None:
    """Tell the watcher of a call that was made, or failed."""
    if (watcher := _watcher.get()) is not None:
        watcher.after(exchange)
