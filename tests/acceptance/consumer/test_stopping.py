"""SIGTERM ends a consumer tidily, a second one at once; nothing is lost by either."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager

from demo.processes import Child, running, wait_until
from demo.sandbox.process import ROOT
from tests.acceptance.consumer.plan import make_plan
from tests.acceptance.consumer.world import GROUP, TOPIC, World

Make = Callable[..., World]
BATCH, EVENTS = 20, 60


def test_the_documented_command_finishes_its_batch_acknowledges_and_exits_0(play: Make) -> None:
    plan = make_plan(7, learners=6, repeats=0)
    site = play(pause=0.1)
    site.produce_all([*plan.opening, *plan.messages])

    with command(site) as consumer:
        wait_until(lambda: in_the_middle(site), "it is in the middle of a batch", timeout=60, alive=[consumer])
        consumer.process.send_signal(signal.SIGTERM)
        assert consumer.process.wait(30) == 0, consumer.last_words()

    state = site.group_state()
    assert state is not None
    assert state["pending"] == 0
    seen = len(site.history.told("dispatched"))
    assert 0 < seen < EVENTS
    assert seen % BATCH == 0, "the batch was finished"
    assert site.unread() == EVENTS - seen

    site.consume("other")
    site.wait_until_drained()
    site.stop()
    verdict = site.verdict(plan.events)
    assert verdict.is_clean, str(verdict)
    assert verdict.figures["dispatches"] == EVENTS, "nothing was done twice"


def test_a_second_sigterm_ends_it_at_once_and_the_batch_is_done_by_the_next(play: Make) -> None:
    plan = make_plan(8, learners=3, repeats=0)
    site = play(pause=0.3)
    site.produce_all([*plan.opening, *plan.messages])
    consumer = site.consume("consumer", batch_size=BATCH)
    site.wait_for(lambda: in_the_middle(site), "it is in the middle of a batch")

    site.nursery.signal(consumer, signal.SIGTERM)
    seen = len(site.history.told("dispatched"))
    site.wait_for(lambda: len(site.history.told("dispatched")) > seen, "it goes on after the first one")
    site.nursery.signal(consumer, signal.SIGTERM)

    assert site.nursery.wait(consumer) not in (0, None), "it did not pretend to be done"
    state = site.group_state()
    assert state is not None
    assert state["pending"] == BATCH

    site.consume("consumer", batch_size=100)
    site.wait_until_drained()
    site.stop()
    verdict = site.verdict(plan.events)
    assert verdict.is_clean, str(verdict)


def in_the_middle(site: World) -> bool:
    """Whether a batch has begun, and is far from its end."""
    return 3 <= len(site.history.told("dispatched")) % BATCH <= BATCH // 2


def command(site: World) -> AbstractContextManager[Child]:
    """The documented command, from the command line."""
    extra = {"consumer_name": "credentials_dev.consumer1", "batch_size": BATCH}
    return running(
        "The command",
        [sys.executable, "manage.py", "consume_events", "-t", TOPIC, "-g", GROUP, f"--extra={json.dumps(extra)}"],
        log=site.folder / "command.log",
        env=site.environment,
        cwd=ROOT,
    )
