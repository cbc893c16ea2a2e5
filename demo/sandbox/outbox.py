"""What Credly still has to post to webhook addresses: when, how often, and what was answered. It sends nothing."""

from __future__ import annotations

import heapq
import itertools
import random
import threading
import time
from collections import Counter, deque
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from demo.sandbox.messages import Json

HOUR = 3600.0
RETRIES = (60.0, 300.0, 900.0, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, *(24 * HOUR for _ in range(24)))
"""Seconds between one attempt and the next: 25 days in all (Credly, Webhooks: "Receiving Events"); the intervals are
the sandbox's own."""
PRECISIONS = ("documented", "milliseconds", "seconds")
MOST_LOGGED = 1000
MOST_SECONDS = 30 * 24 * HOUR


@dataclass(frozen=True)
class Options:
    """How webhooks are sent."""

    retries: tuple[float, ...] = RETRIES
    """Seconds from an attempt that failed to the next; after the last one Credly gives up."""
    timeout: float = 5.0
    """Seconds that are waited for an answer."""
    duplicates: float = 0.0
    """The share of events that are sent twice, whatever was answered."""
    shuffle: float = 0.0
    """Seconds: each post is late by a time up to this, so that they arrive in another order."""
    delay: float = 0.0
    """Seconds by which each post is late, besides."""
    precision: str = "documented"
    """Of ``occurred_at``. ``documented``: in the post seconds, in the events API milliseconds, as the examples have it.
    ``milliseconds`` or ``seconds``: in both."""
    snapshots: bool = True
    """Whether an event shows what it is about as it was then; else as it is now. Nobody knows which Credly does."""
    seed: int = 0
    """Two runs with the same seed duplicate and delay the same events."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: one of them cannot be; the text says which.
        """
        seconds = (*self.retries, self.timeout, self.shuffle, self.delay)
        if not all(0 <= one <= MOST_SECONDS for one in seconds) or not self.timeout:
            raise ValueError('"retries", "timeout", "shuffle" and "delay" are seconds, at most 30 days.')
        if not 0 <= self.duplicates <= 1:
            raise ValueError('"duplicates" must be 0 to 1.')
        if self.precision not in PRECISIONS:
            raise ValueError(f'"precision" must be one of {", ".join(PRECISIONS)}.')


def read_options(known: Options, values: Json) -> Options:
    """Options with some of their values replaced from JSON.

    Raises:
        ValueError: a key is not known, or a value has the wrong type or size.
    """
    types: dict[str, tuple[type, ...]] = {
        **dict.fromkeys(("timeout", "duplicates", "shuffle", "delay"), (int, float)),
        "retries": (list,),
        "precision": (str,),
        "snapshots": (bool,),
        "seed": (int,),
    }
    for key, value in values.items():
        if key not in types:
            raise ValueError(f'"{key}" is not known. Known: {", ".join(sorted(types))}.')
        if not isinstance(value, types[key]) or (isinstance(value, bool) and bool not in types[key]):
            raise ValueError(f'"{key}" has the wrong type.')
    changed: dict[str, Any] = dict(values)
    if "retries" in changed:
        if not all(isinstance(one, int | float) and not isinstance(one, bool) for one in changed["retries"]):
            raise ValueError('"retries" must be a list of seconds.')
        changed["retries"] = tuple(changed["retries"])
    return replace(known, **changed)


@dataclass(frozen=True)
class Post:
    """One post of one event."""

    event_id: str
    event_type: str
    organization_id: str
    body: bytes = field(repr=False)
    attempt: int = 1
    generation: int = 0


class Outbox:
    """All posts that wait for their time. Its own lock is the innermost: nothing else is locked under it."""

    def __init__(self) -> None:
        """Empty, and open."""
        self._changed = threading.Condition()
        self._generation = 0
        self._is_closed = False
        self.clear()

    def clear(self) -> None:
        """Forget what waits, the counters and the options; what is being sent is not sent again."""
        with self._changed:
            self._generation += 1
            self.options = Options()
            self._random = random.Random(self.options.seed)
            self._waiting: list[tuple[float, int, Post]] = []
            self._numbers = itertools.count()
            self._counts: Counter[str] = Counter()
            self._answers: Counter[str] = Counter()
            self._in_progress = 0
            self._log: deque[Json] = deque(maxlen=MOST_LOGGED)
            self._changed.notify_all()

    def change(self, values: Json) -> None:
        """Change some of the options, for what is added from now on; the times of retries for all.

        Raises:
            ValueError: one of them cannot be.
        """
        with self._changed:
            self.options = read_options(self.options, values)
            if "seed" in values:
                self._random = random.Random(self.options.seed)

    def add(self, event_id: str, event_type: str, organization_id: str, body: bytes) -> None:
        """An event is to be posted: once, or twice where it is to be duplicated."""
        with self._changed:
            self._counts["events"] += 1
            post = Post(event_id, event_type, organization_id, body, generation=self._generation)
            self._wait(post, self._lateness())
            if self._random.random() < self.options.duplicates:
                self._counts["duplicates"] += 1
                self._wait(post, self._lateness())

    def take(self) -> Post | None:
        """Wait for the next post whose time has come; None when it is closed."""
        with self._changed:
            while not self._is_closed:
                if not self._waiting:
                    self._changed.wait()
                    continue
                pause = self._waiting[0][0] - time.monotonic()
                if pause <= 0:
                    self._in_progress += 1
                    return heapq.heappop(self._waiting)[2]
                self._changed.wait(pause)
        return None

    def answered(self, post: Post, status: int | None) -> None:
        """What came back for a post; anything but 200 is sent again, as long as there are retries left.

        Arguments:
            status: the HTTP status; None where there was no answer in time.
        """
        with self._changed:
            if post.generation != self._generation:
                return
            self._in_progress -= 1
            self._counts["sent"] += 1
            self._answers["none" if status is None else str(status)] += 1
            self._log.append({"event_id": post.event_id, "attempt": post.attempt, "status": status})
            if status == 200:
                self._counts["delivered"] += 1
            elif post.attempt > len(self.options.retries):
                self._counts["given_up"] += 1
            else:
                self._wait(replace(post, attempt=post.attempt + 1), self.options.retries[post.attempt - 1])

    def close(self) -> None:
        """Nothing more is taken from it."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def describe(self) -> Json:
        """Options and counters, for JSON."""
        with self._changed:
            retrying = sum(post.attempt > 1 for _, _, post in self._waiting)
            counts = {name: self._counts[name] for name in ("events", "duplicates", "sent", "delivered", "given_up")}
            return {
                "options": asdict(self.options),
                **counts,
                "answers": dict(self._answers),
                "waiting": len(self._waiting) - retrying,
                "retrying": retrying,
                "in_progress": self._in_progress,
                "log": list(self._log),
            }

    def _wait(self, post: Post, seconds: float) -> None:
        heapq.heappush(self._waiting, (time.monotonic() + seconds, next(self._numbers), post))
        self._changed.notify_all()

    def _lateness(self) -> float:
        return self.options.delay + self._random.random() * self.options.shuffle
