"""The progress bar's text."""

from __future__ import annotations

import io

import pytest
from django.core.management.base import OutputWrapper

from badges.management.progress import WIDTH, ProgressBar, text


@pytest.mark.parametrize(
    ("done", "total", "seconds", "shown"),
    [
        (0, 8, 1.0, "[                        ] 0/8"),
        (2, 8, 4.0, "[======                  ] 2/8  0.5/s  12 s left"),
        (1, 100, 60.0, "[                        ] 1/100  0.0/s  1 h 39 min left"),
        (50, 100, 90.0, "[============            ] 50/100  0.6/s  1 min 30 s left"),
        (8, 8, 0.0, "[========================] 8/8"),
    ],
)
def test_it_tells_how_much_how_fast_and_how_long(done: int, total: int, seconds: float, shown: str) -> None:
    assert text(done, total, seconds) == shown


def test_it_is_drawn_a_few_times_a_second_and_at_the_end() -> None:
    out, times = io.StringIO(), iter([0.0, *(number / 1000 for number in range(1000))])
    bar = ProgressBar(OutputWrapper(out), clock=lambda: next(times))

    for done in range(1, 1001):
        bar.show(done, 1000)

    drawn = out.getvalue().split("\r")[:-1]
    assert 8 <= len(drawn) <= 12
    assert "1000/1000" in drawn[-1]


def test_clearing_it_leaves_nothing_on_the_line() -> None:
    out = io.StringIO()
    bar = ProgressBar(OutputWrapper(out), clock=iter([0.0, 1.0]).__next__)

    bar.show(1, 2)
    bar.clear()

    drawn, cleared, rest = out.getvalue().split("\r")
    assert (len(drawn), cleared, rest) == (WIDTH, " " * WIDTH, "")
