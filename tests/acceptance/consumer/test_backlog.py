"""What comes while nobody consumes is not skipped, and who joins or takes over drops nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from demo.processes import Server
from demo.redis import empty
from tests.acceptance.consumer.plan import Event, make_plan
from tests.acceptance.consumer.world import World

Make = Callable[..., World]


def everything(seed: int, learners: int) -> tuple[Event, ...]:
    """The messages of a plan."""
    plan = make_plan(seed, learners=learners)
    return (*plan.opening, *plan.messages)


def by_id(events: tuple[Event, ...]) -> dict[str, Event]:
    """The same, by id."""
    return {event.id: event for event in events}


def test_events_from_before_the_first_consumer_and_from_between_two_are_all_processed(play: Make) -> None:
    events = everything(1, 40)
    site = play()

    site.produce_all(events[:200])
    site.consume("first")
    site.wait_until_drained()
    site.stop()
    site.produce_all(events[200:])
    site.consume("second")
    site.wait_until_drained()
    site.stop()

    verdict = site.verdict(by_id(events))
    assert verdict.is_clean, str(verdict)
    assert verdict.figures["events"] == 400
    assert verdict.figures["dispatches"] == verdict.figures["messages"], "each message was dispatched once"


def test_a_second_consumer_that_joins_drops_nothing_and_takes_its_part(play: Make) -> None:
    events = everything(2, 30)
    site = play(pause=0.02)
    log_commands(site)
    site.produce_all(events)

    first = site.consume("first", batch_size=10)
    site.wait_for(lambda: len(site.history.told("dispatched")) > 20, "the first one works")
    second = site.consume("second", batch_size=10)
    site.wait_until_drained()
    site.stop()

    verdict = site.verdict(by_id(events))
    assert verdict.is_clean, str(verdict)
    assert {line["pid"] for line in site.history.told("dispatched")} == {first.pid, second.pid}
    sent = group_commands(site)
    assert "XGROUP CREATE" in sent
    assert "XGROUP SETID" not in sent, "it makes a group skip what it has not read"


def test_what_a_killed_consumer_had_taken_is_claimed_by_another(play: Make) -> None:
    events = everything(3, 10)
    site = play(pause=0.05)
    site.produce_all(events)
    killed = site.consume("killed", batch_size=30)
    site.wait_for(lambda: len(site.history.told("dispatched")) > 35, "it is in the middle of its second batch")
    site.kill("killed")
    taken = pending(site, "killed")

    heir = site.consume("heir")
    site.wait_until_drained()
    site.stop()

    assert 0 < len(taken) <= 30
    verdict = site.verdict(by_id(events))
    assert verdict.is_clean, str(verdict)
    seen = {line["message"]: line["event"] for line in site.history.told("produced")}
    by_heir = {line["event"] for line in site.history.told("dispatched") if line["pid"] == heir.pid}
    assert {seen[message] for message in taken} <= by_heir
    assert killed.status == -9


def test_after_a_redis_that_came_back_empty_it_goes_on_with_what_comes(play: Make, bus: Server) -> None:
    events = everything(4, 20)
    site = play()
    site.consume("consumer")
    site.produce_all(events[:100])
    site.wait_until_drained()

    bus.kill()
    empty(bus)
    bus.start()
    assert not site.client.keys()
    site.produce_all(events[100:])
    site.wait_until_drained()
    site.stop()

    verdict = site.verdict(by_id(events))
    assert verdict.is_clean, str(verdict)
    assert verdict.figures["starts"] == 1, "it was never started again"


@pytest.mark.parametrize("extra", [{}, {"check_backlog": False}, {"check_backlog": True}])
def test_the_options_of_the_stock_consumer_skip_nothing(play: Make, extra: dict[str, Any]) -> None:
    events = everything(5, 5)
    site = play()
    for part in (events[:25], events[25:]):
        site.produce_all(part)
        site.consume("consumer", **extra)
        site.wait_until_drained()
        site.stop()

    verdict = site.verdict(by_id(events))
    assert verdict.is_clean, str(verdict)


def pending(site: World, consumer: str) -> list[str]:
    """The messages that a consumer took and did not acknowledge."""
    found = site.client.xpending_range("test-learning-badges-lifecycle", "credentials_dev", "-", "+", 1000, consumer)
    return [one["message_id"].decode() for one in found]


def log_commands(site: World) -> None:
    """Have Redis keep every command."""
    site.client.config_set("slowlog-max-len", 1_000_000)
    site.client.config_set("slowlog-log-slower-than", 0)


def group_commands(site: World) -> set[str]:
    """The first two words of the commands about groups that Redis was sent."""
    commands = [entry["command"].decode(errors="replace").upper() for entry in site.client.slowlog_get(1_000_000)]
    return {" ".join(command.split()[:2]) for command in commands if command.startswith("XGROUP")}
