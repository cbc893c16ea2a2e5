"""Those that take a topic's messages, one after another in the same process: the floors, the stock consumer, ours."""

from __future__ import annotations

import contextlib
import logging
import time
import uuid
from collections.abc import Callable, Iterator

import django
import redis
from django.db import connection
from edx_event_bus_redis import RedisEventConsumer

from badges.eventbus.receivers import connect_configured
from badges.eventbus.redis import DurableConsumer
from badges.processing.messages import Message
from benchmarks.consumer_events import SIGNAL
from benchmarks.consumer_floor import bare_loop

Run = Callable[[redis.Redis, str, int], float]
"""Takes a client, a topic and how many messages it has; gives the seconds that they took."""


class NotTaken(Exception):
    """A contender did not take what it was to take: its figure would be none."""


def floor(store: Callable[[list[Message]], None] | None = None) -> Run:
    """The bare loop; with ``store``, it writes too."""

    def run(client: redis.Redis, topic: str, number: int) -> float:
        with receiving(_nothing), timed() as clock:
            taken = bare_loop(client, topic, store)
        _check(taken, number)
        return clock()

    return run


def stock(client: redis.Redis, topic: str, number: int) -> float:
    """The consumer of ``edx-event-bus-redis``, with a receiver that does nothing. It does not end by itself."""
    calls = 0

    def count(**kwargs: object) -> None:
        nonlocal calls
        calls += 1
        if calls == number:
            consumer._shut_down()

    consumer = RedisEventConsumer(topic, uuid.uuid4().hex, "bench", check_backlog=True)
    with receiving(count), timed() as clock:
        consumer.consume_indefinitely()
    _check(calls, number)
    return clock()


def ours(client: redis.Redis, topic: str, number: int) -> float:
    """``DurableConsumer`` with our receiver, from its start until the topic is empty."""
    consumer = DurableConsumer(topic, uuid.uuid4().hex, "bench", until_empty=True)
    with receiving(None), timed() as clock:
        consumer.consume_indefinitely()
    _check(consumer.tally.events - consumer.tally.parked, number)
    return clock()


@contextlib.contextmanager
def receiving(receiver: Callable[..., None] | None) -> Iterator[None]:
    """Within it, the signal has this receiver alone, or ours alone where there is none."""
    former, SIGNAL.receivers = SIGNAL.receivers, []
    SIGNAL.sender_receivers_cache.clear()
    if receiver is None:
        connect_configured()
    else:
        SIGNAL.connect(receiver, weak=False)
    try:
        yield
    finally:
        SIGNAL.receivers = former
        SIGNAL.sender_receivers_cache.clear()


@contextlib.contextmanager
def timed() -> Iterator[Callable[[], float]]:
    """Gives what tells the seconds that the block took. Warnings are logged, as in production."""
    connection.ensure_connection()
    logging.disable(logging.INFO)
    start = time.perf_counter()
    end = start
    try:
        yield lambda: end - start
    finally:
        end = time.perf_counter()
        logging.disable(logging.NOTSET)


def tasks_package() -> str:
    """Where Django's task framework is."""
    return "django.tasks" if django.VERSION >= (6, 0) else "django_tasks"


def _nothing(**kwargs: object) -> None:
    """A receiver that does nothing."""


def _check(taken: int, number: int) -> None:
    if taken != number:
        raise NotTaken(f"{taken} messages were taken instead of {number}.")
