"""The last-writer-wins register of a requirement, in any order of events."""

from __future__ import annotations

import itertools

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from badges.processing.register import Change, Entry, decide
from tests.factories import moment

REQUIREMENT = 1
Event = tuple[int, str]
events = st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["fulfil", "reset"])), max_size=6)


def apply(entries: dict[int, Entry], event: Event, *, resettable: bool = True) -> dict[int, Entry]:
    """The entries after an event."""
    time, kind = moment(event[0]), event[1]
    decision = decide(
        entries,
        fulfils=[REQUIREMENT] if kind == "fulfil" else [],
        resets=[REQUIREMENT] if kind == "reset" else [],
        time=time,
        resettable=frozenset({REQUIREMENT} if resettable else ()),
    )
    after = dict(entries)
    for requirement, change in decision.changes.items():
        if change is Change.REFRESH:
            after[requirement] = evolve(after[requirement], time=time)
        else:
            after[requirement] = Entry(change is Change.FULFIL, time)
    assert {key for key, entry in after.items() if entry.is_fulfilled} == decision.fulfilled
    return after


def result(history: list[Event]) -> bool:
    """Whether the requirement is fulfilled after these events, in the order given."""
    entries: dict[int, Entry] = {}
    for event in history:
        entries = apply(entries, event)
    return any(entry.is_fulfilled for entry in entries.values())


@given(events)
def test_the_order_of_arrival_does_not_matter_once_the_oldest_fulfilment_is_known(history: list[Event]) -> None:
    first = (-1, "fulfil")
    ordered = result([first, *sorted(history, key=lambda event: (event[0], event[1] == "reset"))])

    assert all(result([first, *order]) == ordered for order in itertools.permutations(history))


@given(events)
def test_repeating_events_changes_nothing(history: list[Event]) -> None:
    assert result([event for event in history for _ in range(2)]) == result(history)


@given(events)
def test_a_history_that_is_taken_again_from_the_start_changes_nothing(history: list[Event]) -> None:
    history = [(-1, "fulfil"), *history]

    assert result(history + history) == result(history)


def test_a_repeat_is_worth_a_write_only_where_a_penalty_could_undo_it() -> None:
    entries = {REQUIREMENT: Entry(is_fulfilled=True, time=moment(1))}

    assert apply(entries, (2, "fulfil"), resettable=False) == entries
    assert apply(entries, (2, "fulfil"))[REQUIREMENT].time == moment(2)


def test_at_the_same_time_the_penalty_wins() -> None:
    assert not result([(1, "fulfil"), (1, "reset")])
    assert not result([(0, "fulfil"), (1, "reset"), (1, "fulfil")])


@pytest.mark.parametrize("known", [None, Entry(is_fulfilled=False, time=moment(3))])
def test_a_penalty_that_finds_nothing_changes_nothing(known: Entry | None) -> None:
    entries = {} if known is None else {REQUIREMENT: known}

    assert apply(entries, (3, "reset")) == entries
