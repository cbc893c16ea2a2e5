"""Where the time of an event goes: the stack is looked at every millisecond, which hardly slows anything."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable
from types import FrameType

EVERY = 0.001
PHASES: dict[str, tuple[tuple[str, str], ...]] = {
    "read": (("redis/commands/core.py", "xreadgroup"),),
    "decode": (("badges/processing/messages.py", "decode"),),
    "dispatch": (
        ("openedx_events/tooling.py", "send_event_with_custom_metadata"),
        ("badges/eventbus/redis/dispatch.py", "dispatch"),
    ),
    "collect": (("badges/eventbus/receivers.py", "receive"),),
    "match": (("badges/processing/pipeline.py", "process_batch"), ("badges/processing/pipeline.py", "_read")),
    "look": (
        ("badges/processing/standing.py", "look"),
        ("badges/processing/configuration.py", "current_ruleset"),
        ("badges/processing/pipeline.py", "_worth_doing"),
    ),
    "lock": (
        ("badges/processing/learners.py", "resolve_all"),
        ("badges/processing/standing.py", "lock_progress"),
        ("badges/processing/standing.py", "lock_entries"),
        ("badges/processing/standing.py", "lock_badges"),
    ),
    "decide": (("badges/processing/effects.py", "apply"),),
    "award": (("badges/issuing/awards.py", "award_all"), ("badges/issuing/tasks.py", "enqueue_all")),
    "write": (("badges/models/insertion.py", "insert"), ("benchmarks/consumer_floor.py", "__call__")),
    "commit": (("django/db/backends/base/base.py", "commit"),),
    "ack": (("redis/commands/core.py", "xack"),),
}
"""Phase -> where it is spent, (end of the file's name, function). The innermost one that is known counts."""
OTHER = "the rest"


class Sampler:
    """Counts how often each phase is found at work."""

    def __init__(self) -> None:
        self.found: Counter[str] = Counter()
        self._phases = {place: phase for phase, places in PHASES.items() for place in places}
        self._known: dict[object, str | None] = {}

    def during(self, action: Callable[[], float]) -> float:
        """Sample while something is done; gives what it gives."""
        former = signal.signal(signal.SIGALRM, self._sample)
        signal.setitimer(signal.ITIMER_REAL, EVERY, EVERY)
        try:
            return action()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, former)

    def shares(self) -> dict[str, float]:
        """Phase -> its part of the whole, in the order of an event's way."""
        whole = sum(self.found.values()) or 1
        return {phase: self.found[phase] / whole for phase in (*PHASES, OTHER)}

    def _sample(self, number: int, frame: FrameType | None) -> None:
        while frame is not None:
            phase = self._phase_of(frame)
            if phase is not None:
                self.found[phase] += 1
                return
            frame = frame.f_back
        self.found[OTHER] += 1

    def _phase_of(self, frame: FrameType) -> str | None:
        code = frame.f_code
        if code not in self._known:
            places = [
                place for place in self._phases if code.co_filename.endswith(place[0]) and code.co_name == place[1]
            ]
            self._known[code] = self._phases[places[0]] if places else None
        return self._known[code]
