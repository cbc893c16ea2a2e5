"""The memory of a consumer while it takes a million events, from a stream that is filled again and again."""

from __future__ import annotations

import time
import uuid
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from benchmarks import consumer_process
from benchmarks.consumer_report import Options, with_redis
from benchmarks.project import project

if TYPE_CHECKING:
    import redis

EVENTS, ROUND = 1_000_000, 50_000
CHANGING = 0.04
"""The part of a round that is new: first fulfilments and awards. The rest repeats, fails or concerns nobody."""
LIMIT_MB = 200.0
FLAT_MB = 10.0
"""How much more than after the first rounds is still flat."""
SETTLED = 4
"""Rounds until caches are full."""
COPY = """
local copied = 0
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ARGV[2])) do
  redis.call('XADD', KEYS[2], '*', unpack(entry[2]))
  copied = entry[1]
end
return copied
"""


def run(options: Options) -> int:
    """Measure and print; the exit code is 0 whatever is found."""
    if (code := with_redis()) is not None:
        return code
    total = min(EVENTS, (options.largest or EVENTS) * 20)
    size = min(ROUND, total)
    config = {"providers": {"instant": "benchmarks.provider.InstantProvider"}}
    with ExitStack() as stack:
        database = stack.enter_context(project(config=config, tasks="none"))
        from edx_event_bus_redis.internal.config import get_full_topic

        from benchmarks import consumer_events
        from benchmarks.consumer_scenarios import SCENARIOS

        client = stack.enter_context(consumer_events.redis_client())
        consumer_events.make_configuration(min(options.largest or 10_000, 10_000))
        targets = consumer_events.targets()
        by_name = {one.name: one for one in SCENARIOS}
        changing = max(1, int(size * CHANGING / 2))
        repeated = [
            get_full_topic(by_name[name].fill(client, targets, share))
            for name, share in (
                ("matches nothing", size // 2),
                ("repeats what is known", size // 4),
                ("penalty finds nothing", size - size // 2 - size // 4 - 2 * changing),
            )
        ]
        warm_up = by_name["matches nothing"].fill(client, targets, 200)
        process = stack.enter_context(consumer_process.consumer("memory", "only", warm_up))
        topic = uuid.uuid4().hex
        print(f"Resident memory of a consumer, {database}, {total:,} events in rounds of {size:,}\n")
        print(f"{'events':>12}{'resident MB':>14}{'events/s':>12}")
        samples: list[float] = []
        for turn in range(total // size):
            fresh = [by_name[name].fill(client, targets, changing) for name in ("first fulfilment", "award")]
            for source in (*repeated, *(get_full_topic(one) for one in fresh)):
                copy(client, source, get_full_topic(topic))
            client.delete(*(get_full_topic(one) for one in fresh))
            start = time.monotonic()
            if turn == 0:
                consumer_process.tell(process, f"+{topic}")
            wait_until_taken(client, get_full_topic(topic), process)
            samples.append(resident_mb(process.pid))
            rate = size / (time.monotonic() - start)
            print(f"{(turn + 1) * size:>12,}{samples[-1]:>14.1f}{rate:>12,.0f}", flush=True)
            client.xtrim(get_full_topic(topic), maxlen=0, approximate=False)
        grown = samples[-1] - samples[min(SETTLED, len(samples)) - 1]
        flat = "flat" if grown <= FLAT_MB else "NOT FLAT"
        print(
            f"\nmost {max(samples):.1f} MB   {'holds' if max(samples) < LIMIT_MB else 'ABOVE'} {LIMIT_MB:.0f}; "
            f"{grown:+.1f} MB since round {min(SETTLED, len(samples))}: {flat}\n"
        )
    return 0


def copy(client: redis.Redis, source: str, target: str) -> None:
    """Put the messages of one stream on another one, within Redis."""
    script, after = client.register_script(COPY), "-"
    while last := script(keys=[source, target], args=[after, 5_000]):
        after = f"({last.decode()}"


def wait_until_taken(client: redis.Redis, stream: str, process: consumer_process.Process) -> None:
    """Wait until the group has read everything and acknowledged it."""
    while process.poll() is None:
        found: Any = client.xinfo_groups(stream) if client.exists(stream) else []
        last: Any = client.xinfo_stream(stream)["last-generated-id"]
        if any(group["last-delivered-id"] == last and not group["pending"] for group in found):
            return
        time.sleep(0.05)
    raise SystemExit("The consumer ended.")


def resident_mb(pid: int) -> float:
    """The memory that a process has in use."""
    import psutil

    return float(psutil.Process(pid).memory_info().rss) / 1e6
