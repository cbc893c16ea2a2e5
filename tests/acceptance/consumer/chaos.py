"""Kills consumers and servers at random, and starts them again: the same times for the same seed."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from attrs import define, field

from demo.processes import Server
from tests.acceptance.consumer.world import World

LIFE = (1.0, 3.0)
"""Seconds that a consumer lives."""
UPTIME = (1.5, 4.0)
"""Seconds between two outages of a server."""
OUTAGE = (0.3, 1.5)
"""Seconds that a server is away."""


@define
class Chaos:
    """What is done to a play, step by step."""

    play: World
    seed: int
    consumers: tuple[str, ...]
    server: Server | None = None
    """What is killed beside the consumers."""
    _dice: random.Random = field(init=False)
    _due: list[tuple[float, Callable[[], None]]] = field(factory=list)
    _ends: bool = False
    _is_starting: bool = False
    deaths: int = 0
    outages: int = 0

    def __attrs_post_init__(self) -> None:
        self._dice = random.Random(self.seed)

    def begin(self) -> None:
        """Start the consumers."""
        for name in self.consumers:
            self._start(name)
        if self.server is not None:
            self._later(UPTIME, self._cut)

    def step(self) -> None:
        """Do what is due. Who ended without being killed is an error."""
        self.play.check_consumers()
        if self._is_starting and self.server is not None and self.server.is_ready():
            self._is_starting = False
            self._later(UPTIME, self._cut)
        now = time.monotonic()
        due = [action for at, action in self._due if at <= now]
        self._due = [one for one in self._due if one[0] > now]
        for action in due:
            action()

    def end(self) -> None:
        """Nobody is killed from now on; what was killed is there again."""
        self._ends = True
        for _, action in self._due:
            action()
        self._due = []

    def _start(self, name: str) -> None:
        self.play.consume(name)
        self._later(LIFE, lambda: self._kill(name))

    def _kill(self, name: str) -> None:
        if not self._ends:
            self.play.kill(name)
            self.deaths += 1
            self._start(name)

    def _cut(self) -> None:
        if not self._ends and self.server is not None:
            self.server.kill()
            self.outages += 1
            self.play.history.write("server killed", name=self.server.name)
            self._later(OUTAGE, self._restore)

    def _restore(self) -> None:
        if self.server is not None:
            self.server.launch()
            self.play.history.write("server started", name=self.server.name)
            # It may have much to recover: what it is up counts from when it answers.
            self._is_starting = True

    def _later(self, between: tuple[float, float], action: Callable[[], None]) -> None:
        # After an action that the end itself has brought about nothing follows.
        if not self._ends:
            self._due.append((time.monotonic() + self._dice.uniform(*between), action))
