"""How a consumer does, in words: a line that is drawn over again on a terminal, and the report of a drained topic."""

from __future__ import annotations

from collections import deque

from attrs import define, field
from django.core.management.base import OutputWrapper

from badges.eventbus.redis.presence import Tally
from badges.eventbus.redis.stats import GroupStats

WIDTH = 78
WINDOW = 5.0
"""Seconds that the rate is told over."""


@define
class ProgressLine:
    """Events, rate, lag and awards, drawn over itself."""

    out: OutputWrapper
    _looks: deque[tuple[float, int]] = field(factory=lambda: deque([(0.0, 0)]))

    def show(self, tally: Tally) -> None:
        """Draw it."""
        self._looks.append((tally.seconds, tally.events))
        while len(self._looks) > 2 and tally.seconds - self._looks[1][0] >= WINDOW:
            self._looks.popleft()
        (_, events), passed = self._looks[0], tally.seconds - self._looks[0][0]
        self._write(progress(tally, (tally.events - events) / passed if passed > 0 else 0.0))

    def clear(self) -> None:
        """Make room for a line of text."""
        self._write("")

    def _write(self, shown: str) -> None:
        self.out.write(f"{shown:<{WIDTH}.{WIDTH}}\r", ending="")
        self.out.flush()


def progress(tally: Tally, rate: float) -> str:
    """The line as text; ``rate`` in messages a second."""
    parts = [f"{_number(tally.events, 'event')}", f"{rate:,.0f}/s"]
    if tally.lag is not None:
        parts.append(f"lag {tally.lag:,}{'+' * tally.lag_is_at_least}")
    parts.append(_number(tally.awards, "award"))
    if tally.parked:
        parts.append(f"{tally.parked:,} dead")
    if tally.retried:
        parts.append(f"{tally.retried:,} to try again")
    if tally.waits_for:
        parts.append(f"waiting for {tally.waits_for}")
    return "  ".join(parts)


def report(tally: Tally, stats: GroupStats | None, open_deliveries: int, *, is_empty: bool) -> str:
    """What a run until the topic was empty came to, and what it left to others."""
    rate = f" ({tally.events / tally.seconds:,.0f}/s)" if tally.seconds > 0 else ""
    effect = ", ".join(
        (
            _number(tally.awards, "award"),
            _number(tally.revocations, "revocation"),
            _number(tally.parked, "dead event"),
        )
    )
    lines = [
        f"{'Drained' if is_empty else 'Stopped before all was read'}: "
        f"{_number(tally.events, 'event')} in {tally.seconds:,.1f} s{rate}: {effect}."
    ]
    if tally.parked:
        lines.append("See the dead events in the admin, or: ./manage.py replay_events --dry-run")
    if stats is not None and stats.pending:
        lines.append(
            f"{_number(stats.pending, 'message')} of the group {'is' if stats.pending == 1 else 'are'} in the hands of "
            "consumers that did not acknowledge them."
        )
    if open_deliveries:
        lines.append(f"{_number(open_deliveries, 'delivery', 'deliveries')} still to do: ./manage.py deliver_badges")
    return "\n".join(lines)


def _number(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
