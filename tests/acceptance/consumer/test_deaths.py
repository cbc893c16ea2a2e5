"""Consumers die at the moments at which most is at stake, a third of the times that they come to them."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.consumer.checker import Verdict
from tests.acceptance.consumer.conftest import RESULTS
from tests.acceptance.consumer.database import Databases
from tests.acceptance.consumer.plan import make_plan
from tests.acceptance.consumer.test_chaos import CONSUMERS, SEED
from tests.acceptance.consumer.world import World
from tests.crashing.dice import Dice

PROBABILITY = 1 / 3


@pytest.mark.parametrize("point", ["before_commit", "after_commit", "before_ack", "after_ack"])
def test_nothing_is_lost_doubled_or_different_wherever_a_consumer_dies(
    point: str, play: Callable[..., World], database: Databases, pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    plan, started = make_plan(SEED, learners=40), time.monotonic()
    site = play(crashing={"point": point, "seed": SEED, "probability": PROBABILITY})

    def worked_off() -> bool:
        site.replace_the_dead()
        return site.is_drained()

    for messages in (plan.opening, plan.messages):
        if messages:
            site.produce_all(messages)
            for name in CONSUMERS:
                if name not in site.consumers:
                    site.consume(name)
            site.wait_for(worked_off, "everything is read and acknowledged")
    site.stop(-signal.SIGKILL)
    (tmp_path / "off").touch()

    verdict = site.verdict(plan.events)
    told = (f"killed {point.replace('_', ' ')}", database.name, verdict, time.monotonic() - started)
    pytestconfig.stash.setdefault(RESULTS, []).append(told)
    assert verdict.is_clean, f"BADGES_TEST_SEED={SEED}, see {tmp_path}\n{verdict}"
    # Those included that died at the very end, when nobody was needed in their place.
    assert Dice(tmp_path, SEED, PROBABILITY).struck() >= 5
    assert_repeats(point, verdict)


def assert_repeats(point: str, verdict: Verdict) -> None:
    """Who dies before the acknowledgement has its batch dispatched again; who dies after it does not."""
    repeated = verdict.figures["dispatches"] > verdict.figures["messages"]
    assert repeated == (point != "after_ack")
