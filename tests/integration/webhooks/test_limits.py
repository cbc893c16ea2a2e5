"""How often somebody may ask."""

from __future__ import annotations

import pytest
from django.core.cache import cache

from badges.webhooks import telling
from badges.webhooks.limits import Limit, TooMany, who_is_at


@pytest.fixture(autouse=True)
def _empty() -> None:
    cache.clear()
    telling.told.clear()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which the test moves."""
    now = [1_000_000.0]
    monkeypatch.setattr("badges.webhooks.limits.time.time", lambda: now[0])
    return now


def is_let_in(limit: Limit, who: str) -> bool:
    try:
        limit.count(who)
    except TooMany:
        return False
    return True


def test_so_many_in_a_window_and_as_many_in_the_next(clock: list[float]) -> None:
    limit = Limit("test", 2, 10)

    assert [is_let_in(limit, "anna") for _ in range(3)] == [True, True, False]
    clock[0] += 10
    assert [is_let_in(limit, "anna") for _ in range(3)] == [True, True, False]


def test_each_is_counted_alone(clock: list[float]) -> None:
    limit, other = Limit("test", 1, 10), Limit("other", 1, 10)

    assert [is_let_in(limit, "anna"), is_let_in(limit, "bert"), is_let_in(other, "anna")] == [True] * 3


def test_it_says_when_the_window_ends(clock: list[float]) -> None:
    limit = Limit("test", 1, 10)
    limit.count("anna")
    clock[0] += 6.5

    with pytest.raises(TooMany) as caught:
        limit.count("anna")
    assert caught.value.wait == 4


def test_a_check_counts_nothing_and_sees_what_was_counted(clock: list[float]) -> None:
    limit = Limit("test", 2, 10)

    for _ in range(5):
        limit.check("anna")
    limit.count("anna")
    limit.check("anna")
    limit.count("anna")
    with pytest.raises(TooMany):
        limit.check("anna")


def test_a_count_that_the_cache_threw_out_begins_anew(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("badges.webhooks.limits.cache.add", lambda *arguments, **options: False)

    assert is_let_in(Limit("test", 1, 10), "anna")


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("203.0.113.7", "203.0.113.7", True),
        ("203.0.113.7", "203.0.113.8", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        (None, None, True),
    ],
)
def test_who_has_a_network_is_one_sender(one: str | None, other: str | None, is_same: bool) -> None:
    assert (who_is_at(one) == who_is_at(other)) is is_same


def test_what_lasts_is_told_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [5.0]
    monkeypatch.setattr("badges.webhooks.telling.time.monotonic", lambda: now[0])

    told = []
    for now[0] in (5.0, 6.0, 64.9, 65.0, 66.0):
        told.append(telling.is_due("it"))

    assert told == [True, False, False, True, False]
    assert telling.is_due("another")
