"""Consumers, the database and Redis are killed again and again: nothing is lost or doubled, and progress is right."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from demo.processes import Server
from tests.acceptance.consumer.chaos import Chaos
from tests.acceptance.consumer.checker import Verdict
from tests.acceptance.consumer.conftest import RESULTS
from tests.acceptance.consumer.database import Databases
from tests.acceptance.consumer.plan import Event, Plan, make_plan
from tests.acceptance.consumer.world import GROUP, World

SEED = int(os.environ.get("BADGES_TEST_SEED", "2026"))
pytestmark = pytest.mark.timeout(900)
"""Much more than it takes, for machines that are busy."""
CONSUMERS = ("consumer1", "consumer2", "consumer3")
AHEAD = 150
"""Unread messages that the producer leaves the consumers at most: they are under load until the end."""
PAUSE = 0.004
"""Seconds that another app's receiver takes for each event, so that many kills strike in the middle of a batch."""


def through(play: World, chaos: Chaos, messages: tuple[Event, ...]) -> None:
    """Have these produced and worked off, with all that chaos does meanwhile, and then in peace to the end."""
    producer = play.produce(messages, group=GROUP, ahead=AHEAD)

    def all_is_read() -> bool:
        chaos.step()
        return play.nursery.status(producer) is not None and play.unread() == 0

    play.wait_for(all_is_read, "everything was read")
    assert producer.status == 0, play.nursery.last_words()


def survive(play: World, plan: Plan, seed: int, server: Server | None = None) -> tuple[Chaos, Verdict]:
    """Play the plan under chaos, and give the verdict."""
    chaos = Chaos(play, seed, CONSUMERS, server)
    chaos.begin()
    if plan.opening:
        through(play, chaos, plan.opening)
        play.wait_until_drained()
    through(play, chaos, plan.messages)
    chaos.end()
    play.wait_until_drained()
    play.stop()
    return chaos, play.verdict(plan.events)


@pytest.mark.parametrize("struck", ["the consumers", "the database", "Redis"])
def test_nothing_is_lost_doubled_or_different(
    struck: str,
    play: Callable[..., World],
    bus: Server,
    database: Databases,
    pytestconfig: pytest.Config,
    tmp_path: Path,
) -> None:
    if struck == "the database" and database.server is None:
        pytest.skip("SQLite has no server to kill.")
    server = {"the consumers": None, "the database": database.server, "Redis": bus}[struck]
    plan = make_plan(SEED)
    started = time.monotonic()

    chaos, verdict = survive(play(pause=PAUSE), plan, SEED, server)

    seconds = time.monotonic() - started
    pytestconfig.stash.setdefault(RESULTS, []).append((f"{struck} killed", database.name, verdict, seconds))
    assert verdict.is_clean, f"BADGES_TEST_SEED={SEED}, see {tmp_path}\n{verdict}"
    assert verdict.figures["events"] == len(plan.events)
    assert chaos.deaths >= 6, "there was hardly any chaos"
    assert server is None or chaos.outages >= 2


def test_the_checker_finds_what_the_stock_consumer_loses_in_such_a_play(play: Callable[..., World]) -> None:
    plan = make_plan(SEED, learners=60)
    site = play(consumer="edx_event_bus_redis.RedisEventConsumer", pause=PAUSE)
    chaos = Chaos(site, SEED, CONSUMERS)
    chaos.begin()

    through(site, chaos, plan.messages)
    chaos.end()
    for name in CONSUMERS:
        site.kill(name)

    verdict = site.verdict(plan.events)
    assert verdict.lost
    assert verdict.different
