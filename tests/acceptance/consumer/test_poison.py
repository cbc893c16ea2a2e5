"""One message among a thousand that can never be processed: it is parked, and holds nobody up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve

from tests.acceptance.consumer.plan import course, make_plan
from tests.acceptance.consumer.site import POISON
from tests.acceptance.consumer.world import HERE, STREAM, World

MESSAGES = 1000
HEADERS = {
    b"id": b"6a3f9c1e-0c57-4f0d-9a4e-0a7d3e5b1c2f",
    b"type": b"org.openedx.learning.course.passing.status.updated.v1",
    b"source": b"openedx/lms/web",
    b"sourcehost": b"lms",
    b"time": b"2026-01-01T00:00:00.000000+00:00",
    b"minorversion": b"0",
    b"sourcelib": b"10.5.0",
    b"event_data": b"\xff\xfe not Avro",
}
UNKNOWN = {**HEADERS, b"type": b"org.openedx.learning.unheard.of.v1"}


@pytest.mark.parametrize(
    ("poison", "kind"),
    [("undecodable bytes", "unreadable"), ("an unknown type", "unknown_type"), ("its processing fails", "failed")],
)
def test_one_dead_event_and_999_processed(poison: str, kind: str, play: Callable[..., World]) -> None:
    plan = make_plan(6, learners=100, repeats=0)
    events = [*plan.opening, *plan.messages]
    spoiled = events.pop(MESSAGES // 2)
    site = play({"consumer": {"attempts": 3}})
    if kind == "failed":
        site.nursery.run(f"{HERE}.site:refuse_poison")
        spoiled = evolve(spoiled, learner=POISON, course=course(1), passes=True)
        events.insert(MESSAGES // 2, spoiled)
    site.produce_all(events[: MESSAGES // 2])
    if kind != "failed":
        site.client.xadd(STREAM, fields(HEADERS if kind == "unreadable" else UNKNOWN))
    site.produce_all(events[MESSAGES // 2 :])

    site.consume("consumer")
    site.wait_until_drained()
    site.stop()

    verdict = site.verdict({event.id: event for event in events})
    dead = site.snapshot()["dead"]
    assert [one["kind"] for one in dead] == [kind], dead
    assert (verdict.lost, verdict.doubled, verdict.different, verdict.unrewarded) == ([], [], [], [])
    assert verdict.figures["events"] - (kind == "failed") == MESSAGES - 1
    assert verdict.parked == ([spoiled.id] if kind == "failed" else verdict.parked)
    assert verdict.figures["starts"] == 1


def fields(headers: dict[bytes, bytes]) -> dict[Any, Any]:
    """As redis-py wants them."""
    return dict(headers)
