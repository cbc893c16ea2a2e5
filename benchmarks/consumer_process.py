"""A consumer as a process of its own: ``python -m benchmarks.consumer_process GROUP NAME WARM_UP_TOPIC``.

It takes the warm-up topic, says that it is ready, and then takes each topic that it is told until that is empty. A
topic with a ``+`` before it is consumed until SIGTERM.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import IO

READY = "ready"
GRACE = 60.0
"""Seconds that it has to end, at most."""
Process = subprocess.Popen[str]


def main(group: str, name: str, warm_up: str) -> None:
    """Take what stdin names; tell for each when it began and when it ended, by the clock that processes share."""
    import logging

    import django

    django.setup()
    logging.disable(logging.INFO)
    from badges.eventbus.redis import DurableConsumer

    def take(topic: str, *, until_empty: bool) -> None:
        start = time.monotonic()
        consumer = DurableConsumer(topic, group, name, until_empty=until_empty)
        consumer.consume_indefinitely()
        print(start, time.monotonic(), consumer.tally.events, flush=True)

    DurableConsumer(warm_up, f"{group}-{name}", name, until_empty=True).consume_indefinitely()
    print(READY, flush=True)
    for line in sys.stdin:
        topic = line.strip()
        take(topic.lstrip("+"), until_empty=not topic.startswith("+"))


@contextlib.contextmanager
def consumer(group: str, name: str, warm_up: str) -> Iterator[Process]:
    """Such a process, warm."""
    command = [sys.executable, "-m", "benchmarks.consumer_process", group, name, warm_up]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        try:
            line = output(process).readline().strip()
            if line != READY:
                raise SystemExit(f"A consumer did not start; it said: {line!r}.")
            yield process
        finally:
            # Nothing more comes; and before the other pipe is closed, for what it says last must not fail.
            if process.stdin is not None:
                process.stdin.close()
            process.terminate()
            process.wait(GRACE)


def tell(process: Process, topic: str) -> None:
    """Have it take a topic."""
    assert process.stdin is not None
    process.stdin.write(f"{topic}\n")
    process.stdin.flush()


def result(process: Process) -> tuple[float, float, int]:
    """Wait until it has taken a topic; gives when it began, when it ended, and how many messages it took."""
    start, end, events = output(process).readline().split()
    return float(start), float(end), int(events)


def output(process: Process) -> IO[str]:
    """What it says."""
    assert process.stdout is not None
    return process.stdout


if __name__ == "__main__":
    main(*sys.argv[1:])
