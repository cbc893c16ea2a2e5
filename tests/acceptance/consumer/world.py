"""One play: an installation with its database, its Redis, its processes and its history."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import redis
from attrs import define, field

from demo.processes import Server, wait_until
from tests.acceptance.consumer import database, plan, site
from tests.acceptance.consumer.checker import Verdict, check
from tests.acceptance.consumer.history import History
from tests.acceptance.consumer.nursery import Forked, Nursery, nursery

TOPIC = "learning-badges-lifecycle"
STREAM = f"test-{TOPIC}"
GROUP = "credentials_dev"
HERE = "tests.acceptance.consumer"
PATIENCE = 280.0
CONFIG: dict[str, Any] = {
    "consumer": {
        "batch_size": 20,
        "max_wait_ms": 200,
        "claim_after": 2,
        "claim_every": 0.5,
        "first_retry": 0.05,
        "longest_retry": 0.5,
        "sweep_every": 0.5,
        "work_for": 0.3,
    },
    "deliveries": {"first_retry": 0.05, "longest_retry": 0.5, "lease": 2},
}
"""Times are short, so that a play is. Nothing else differs from an installation."""


@define
class World:
    """Everything that a play consists of."""

    folder: Path
    redis: Server
    environment: dict[str, str]
    history: History
    nursery: Nursery
    consumers: dict[str, Forked] = field(factory=dict)
    client: Any = None
    start: int = field(factory=lambda: int(time.time()) - plan.LAST)
    """The start of the play's time, in seconds since 1970."""

    def consume(self, name: str, *, topic: str = TOPIC, group: str = GROUP, **extra: object) -> Forked:
        """Start a consumer with the documented command; again under its name, if it ran before."""
        arguments = ["consume_events", "-t", topic, "-g", group]
        forked = self.nursery.start(
            name, f"{HERE}.site:command", *arguments, f"--extra={json.dumps({'consumer_name': name, **extra})}"
        )
        self.history.write("started", consumer=name, process=forked.pid)
        self.consumers[name] = forked
        return forked

    def kill(self, name: str) -> None:
        """End a consumer by SIGKILL."""
        forked = self.consumers.pop(name)
        self.nursery.signal(forked, signal.SIGKILL)
        self.nursery.wait(forked)
        self.history.write("killed", consumer=name, process=forked.pid)

    def stop(self, *others: int) -> None:
        """End all consumers politely; each must end with 0, or with one of these."""
        running = list(self.consumers.values())
        for forked in running:
            self.wait_for(lambda pid=forked.pid: _minds_sigterm(pid), f"{forked.name} consumes")
            self.nursery.signal(forked, signal.SIGTERM)
        statuses = {forked.name: self.nursery.wait(forked) for forked in running}
        assert set(statuses.values()) <= {0, *others}, f"{statuses}\n{self.nursery.last_words()}"
        self.consumers.clear()

    def replace_the_dead(self) -> None:
        """Start those again that died by SIGKILL."""
        for name, forked in list(self.consumers.items()):
            if self.nursery.status(forked) == -signal.SIGKILL:
                self.history.write("killed", consumer=name, process=forked.pid)
                self.consume(name)

    def check_consumers(self) -> None:
        """Make sure that none has ended by itself."""
        ended = {name: one.status for name, one in self.consumers.items() if self.nursery.status(one) is not None}
        assert not ended, f"Consumers ended by themselves: {ended}\n{self.nursery.last_words()}"

    def produce(self, events: Sequence[plan.Event], *, topic: str = STREAM, group: str = "", ahead: int = 0) -> Forked:
        """Start a producer of these events."""
        path = self.folder / f"events{len(list(self.folder.glob('events*')))}.json"
        path.write_text(json.dumps(plan.as_json(events, self.start)), encoding="utf-8")
        arguments = (str(path), str(self.history.path), self.redis.url, topic, group, str(ahead))
        return self.nursery.start("producer", f"{HERE}.producing:produce", *arguments)

    def produce_all(self, events: Sequence[plan.Event], *, topic: str = STREAM) -> None:
        """The same, to its end."""
        assert self.nursery.wait(self.produce(events, topic=topic), PATIENCE) == 0, self.nursery.last_words()

    def group_state(self, stream: str = STREAM, group: str = GROUP) -> dict[str, Any] | None:
        """What Redis says of a group; None where there is none, or no Redis."""
        with contextlib.suppress(redis.ConnectionError, redis.ResponseError, redis.TimeoutError):
            for one in self.client.xinfo_groups(stream):
                if one["name"].decode() == group:
                    found: dict[str, Any] = one
                    return found
        return None

    def unread(self, stream: str = STREAM, group: str = GROUP) -> int | None:
        """How many messages the group has not read; None where Redis does not answer, or has no such group."""
        with contextlib.suppress(redis.ConnectionError, redis.TimeoutError):
            if (state := self.group_state(stream, group)) is not None:
                return len(self.client.xrange(stream, min=f"({state['last-delivered-id'].decode()}"))
        return None

    def is_drained(self, stream: str = STREAM, group: str = GROUP) -> bool:
        """Whether the group has read everything and owes no acknowledgement."""
        with contextlib.suppress(redis.ConnectionError, redis.TimeoutError):
            state = self.group_state(stream, group)
            return state is not None and not state["pending"] and self.unread(stream, group) == 0
        return False

    def wait_until_drained(self, stream: str = STREAM, group: str = GROUP) -> None:
        """Wait for that, while the consumers run."""

        def is_drained() -> bool:
            self.check_consumers()
            return self.is_drained(stream, group)

        self.wait_for(is_drained, "everything is read and acknowledged")

    def wait_for(self, condition: Any, what: str, timeout: float = PATIENCE) -> None:
        """Wait for a condition; with the processes' last words where it does not come true."""
        try:
            wait_until(condition, what, timeout=timeout)
        except Exception as error:
            raise AssertionError(f"{error}\n{self.group_state()}\n{self.nursery.last_words()}") from error

    def snapshot(self) -> dict[str, Any]:
        """What the database holds, as :func:`site.take_snapshot` tells it."""
        found: dict[str, Any] = self._snapshot()[1]
        return found

    def verdict(self, events: Mapping[str, plan.Event]) -> Verdict:
        """Carry out what is left to deliver, and check the history."""

        def nothing_is_open() -> bool:
            self.nursery.run(f"{HERE}.site:command", "deliver_badges")
            return not self.snapshot()["open"]

        if self.snapshot()["open"]:
            self.wait_for(nothing_is_open, "nothing is left to deliver")
        return check(self.history.lines(), self._snapshot()[0], events)

    def _snapshot(self) -> Any:
        path = self.folder / "snapshot.json"
        self.nursery.run(f"{HERE}.site:take_snapshot", str(path))
        return site.read_snapshot(path, self.start)


def _minds_sigterm(pid: int) -> bool:
    """Whether a process has got so far that it can end tidily; or has ended."""
    with contextlib.suppress(OSError):
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
        return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)
    return True


@contextlib.contextmanager
def world(
    folder: Path,
    redis_server: Server,
    environment: Mapping[str, str],
    config: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    is_configured: bool = True,
    crashing: Mapping[str, object] | None = None,
    consumer: str = "badges.eventbus.redis.DurableConsumer",
    **witness: object,
) -> Iterator[World]:
    """An installation, on a fresh database.

    Arguments:
        environment: what leads to the database.
        config: over the sections of :data:`CONFIG`.
        is_configured: whether it has the templates of the plan.
        crashing: where its processes die; see :mod:`tests.crashing`.
        consumer: its ``EVENT_BUS_CONSUMER``.
        witness: see :mod:`tests.acceptance.consumer.witness`.
    """
    history = History(folder / "history.jsonl")
    merged = {key: {**CONFIG.get(key, {}), **(config or {}).get(key, {})} for key in {*CONFIG, *(config or {})}}
    inherited = {name: value for name, value in os.environ.items() if name not in database.VARIABLES}
    told = {
        **inherited,
        **environment,
        "DJANGO_SETTINGS_MODULE": f"{HERE}.settings",
        "BADGES_TEST_REDIS_URL": redis_server.url,
        "BADGES_TEST_CONFIG": json.dumps(merged),
        "BADGES_TEST_CONSUMER": consumer,
        "BADGES_TEST_WITNESS": json.dumps({"history": str(history.path), **witness}),
        "PYTHONUNBUFFERED": "1",
    }
    if crashing:
        told["BADGES_TEST_CRASHING"] = json.dumps({"folder": str(folder), **crashing})
    with (
        nursery(told, folder / "processes.log") as mother,
        redis.Redis.from_url(redis_server.url, socket_timeout=10) as client,
    ):
        play = World(folder, redis_server, told, history, mother, client=client)
        if is_configured:
            mother.run(f"{HERE}.site:configure")
        yield play
