"""Whether a stream still has what was asked for."""

from __future__ import annotations

import pytest

from badges.eventbus.redis.rereading import Extent


@pytest.mark.parametrize(
    ("first", "is_whole", "start", "lacks"),
    [
        ("1000-0", None, "999-5", True),
        ("1000-0", None, "1000-0", False),
        ("1000-0", None, "1000-1", False),
        ("1000-0", False, "999", True),
        # Nothing was ever trimmed: there was nothing before.
        ("1000-0", True, "999", False),
        # All that there is, wherever it begins.
        ("1000-0", False, "0", False),
        ("", None, "999", True),
        ("", True, "999", False),
    ],
)
def test_a_stream_lacks_what_it_may_have_had_before_its_first_message(
    first: str, is_whole: bool | None, start: str, lacks: bool
) -> None:
    assert Extent(length=1, first=first, last=first, is_whole=is_whole).lacks(start) is lacks
