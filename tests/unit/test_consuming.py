"""How a consumer does, in words."""

from __future__ import annotations

import io

import pytest
from django.core.management.base import OutputWrapper

from badges.eventbus.redis.presence import Tally
from badges.eventbus.redis.stats import GroupStats
from badges.management.consuming import ProgressLine, progress, report


@pytest.mark.parametrize(
    ("tally", "words"),
    [
        (Tally(), "0 events  12/s  0 awards"),
        (Tally(events=1, awards=1, lag=0), "1 event  12/s  lag 0  1 award"),
        (Tally(events=12345, awards=20, lag=5000, lag_is_at_least=True), "12,345 events  12/s  lag 5,000+  20 awards"),
        (Tally(parked=2, retried=1), "0 events  12/s  0 awards  2 dead  1 to try again"),
        (Tally(waits_for="Redis"), "0 events  12/s  0 awards  waiting for Redis"),
    ],
)
def test_the_line_tells_what_there_is_to_tell(tally: Tally, words: str) -> None:
    assert progress(tally, 12.4) == words


def test_the_rate_is_that_of_the_last_seconds() -> None:
    written = io.StringIO()
    line = ProgressLine(OutputWrapper(written))

    for seconds, events in ((1, 1000), (6, 1000), (12, 1000), (13, 1700)):
        line.show(Tally(seconds=seconds, events=events))

    shown = [part.split("  ")[1] for part in written.getvalue().split("\r") if part]
    assert shown == ["1,000/s", "0/s", "0/s", "100/s"]


def test_the_report_tells_what_is_left_to_others() -> None:
    tally = Tally(events=1000, awards=1, revocations=2, parked=1, seconds=2.0)

    assert report(tally, GroupStats(pending=3), 4, is_empty=True).splitlines() == [
        "Drained: 1,000 events in 2.0 s (500/s): 1 award, 2 revocations, 1 dead event.",
        "See the dead events in the admin, or: ./manage.py replay_events --dry-run",
        "3 messages of the group are in the hands of consumers that did not acknowledge them.",
        "4 deliveries still to do: ./manage.py deliver_badges",
    ]


def test_a_report_without_anything_left_is_one_line() -> None:
    assert report(Tally(), None, 0, is_empty=False) == (
        "Stopped before all was read: 0 events in 0.0 s: 0 awards, 0 revocations, 0 dead events."
    )
