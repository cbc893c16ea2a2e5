"""The checker of the consumer's proofs finds what it is there to find."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from tests.acceptance.consumer.checker import AWARDED, Row, Snapshot, Verdict, check
from tests.acceptance.consumer.history import History, Line
from tests.acceptance.consumer.plan import REQUIREMENTS, Event, State, completed, course, make_plan, sequential

States = dict[tuple[str, str], State]
PLAN = make_plan(7, learners=30)


def history(events: dict[str, Event], badges: list[Row]) -> list[Line]:
    """That of a play in which all went well."""
    lines: list[Line] = []
    for event_id in events:
        lines += [{"what": "produced", "event": event_id}, {"what": "dispatched", "event": event_id}]
    for badge in badges:
        told = {"badge": badge.uuid, "learner": badge.learner, "template": badge.template}
        lines.append({"what": "announced", "type": AWARDED, **told})
    return lines


def world() -> tuple[list[Line], Snapshot]:
    """The lines and the database of a play in which all went well."""
    states = sequential(PLAN.events.values())
    badges = [
        Row(learner, template, "awarded", f"{learner} {template}") for learner, template in sorted(completed(states))
    ]
    return history(PLAN.events, badges), Snapshot(states=states, badges=badges)


def wrong(verdict: Verdict) -> set[str]:
    """In which respects something is wrong."""
    names = ("lost", "doubled", "different", "unrewarded", "unannounced", "parked")
    return {name for name in names if getattr(verdict, name)}


def test_a_play_in_which_all_went_well_is_clean() -> None:
    lines, snapshot = world()

    verdict = check(lines, snapshot, PLAN.events)

    assert verdict.is_clean, str(verdict)
    assert verdict.figures["events"] == 300
    assert verdict.figures["badges"] > 20


def test_an_event_that_nobody_dispatched_is_lost() -> None:
    lines, snapshot = world()
    gone = next(iter(PLAN.events))

    verdict = check(
        [line for line in lines if (line["what"], line.get("event")) != ("dispatched", gone)], snapshot, PLAN.events
    )

    assert verdict.lost == [gone]
    assert wrong(verdict) == {"lost"}


def test_an_event_that_the_bus_never_acknowledged_is_not_lost() -> None:
    lines, snapshot = world()
    void = next(one.id for one in PLAN.events.values() if one.course == course(9))

    assert check([line for line in lines if line.get("event") != void], snapshot, PLAN.events).is_clean


def test_an_event_that_was_dispatched_and_had_no_effect_is_a_difference() -> None:
    lines, snapshot = world()
    key = next(iter(snapshot.states))
    states = {one: state for one, state in snapshot.states.items() if one != key}

    verdict = check(lines, evolve(snapshot, states=states), PLAN.events)

    assert "different" in wrong(verdict)
    assert verdict.different == [f"{key[0]}, {key[1]!r}: nothing instead of {told(snapshot.states[key])}"]


def told(state: State) -> str:
    """As the checker says it."""
    return ("fulfilled" if state[0] else "reset") + ("" if state[1] is None else f" at {state[1]}")


@pytest.mark.parametrize(
    ("case", "changed"),
    [
        ("fulfilled though the newest word is a penalty", lambda state: (not state[0], state[1])),
        ("decided by an older event", lambda state: (state[0], state[1] - 1)),
    ],
)
def test_progress_that_an_ordered_history_would_not_have_is_a_difference(
    case: str, changed: Callable[[Any], State]
) -> None:
    lines, snapshot = world()
    key = next(key for key, state in snapshot.states.items() if state[1] is not None and not state[0])
    states = {**snapshot.states, key: changed(snapshot.states[key])}

    verdict = check(lines, evolve(snapshot, states=states), PLAN.events)

    assert len(verdict.different) == 1


def test_progress_that_no_event_explains_is_a_difference() -> None:
    lines, snapshot = world()
    states: States = {**snapshot.states, ("stranger", "both 1"): (True, None)}

    assert wrong(check(lines, evolve(snapshot, states=states), PLAN.events)) == {"different"}


def test_two_rows_of_one_badge_are_a_double_award() -> None:
    lines, snapshot = world()
    badges = [*snapshot.badges, evolve(snapshot.badges[0], uuid="another")]

    assert "doubled" in wrong(check(lines, evolve(snapshot, badges=badges), PLAN.events))


def test_a_second_badge_that_was_only_announced_is_a_double_award() -> None:
    lines, snapshot = world()
    first = snapshot.badges[0]
    again = {"learner": first.learner, "template": first.template, "badge": "rolled back"}

    verdict = check([*lines, {"what": "announced", "type": AWARDED, **again}], snapshot, PLAN.events)

    assert wrong(verdict) == {"doubled"}


def test_the_same_badge_announced_twice_is_one_award() -> None:
    lines, snapshot = world()

    assert check([*lines, *(line for line in lines if line["what"] == "announced")], snapshot, PLAN.events).is_clean


def test_a_complete_record_without_a_badge_is_a_lost_award() -> None:
    lines, snapshot = world()

    verdict = check(lines, evolve(snapshot, badges=snapshot.badges[1:]), PLAN.events)

    assert wrong(verdict) == {"unrewarded"}


def test_a_badge_that_a_penalty_should_have_taken_away_is_wrong_and_one_that_it_took_is_not() -> None:
    lines, snapshot = world()
    learner, template = next((key[0], "One of two") for key in snapshot.states if (key[0], "One of two") not in held())
    extra = Row(learner, template, "awarded", "extra")
    announced = {"what": "announced", "type": AWARDED, "badge": "extra", "learner": learner, "template": template}
    for status, expected in (("awarded", {"unrewarded"}), ("revoked", set())):
        badges = [*snapshot.badges, evolve(extra, status=status)]
        assert wrong(check([*lines, announced], evolve(snapshot, badges=badges), PLAN.events)) == expected


def held() -> set[tuple[str, str]]:
    """(learner, template) of all badges."""
    return {(badge.learner, badge.template) for badge in world()[1].badges}


def test_a_badge_of_which_nobody_was_told_is_found() -> None:
    lines, snapshot = world()

    verdict = check([line for line in lines if line.get("badge") != snapshot.badges[0].uuid], snapshot, PLAN.events)

    assert wrong(verdict) == {"unannounced"}


def test_a_parked_event_is_not_lost_but_told() -> None:
    lines, snapshot = world()
    void = next(one.id for one in PLAN.events.values() if one.course == course(9))

    verdict = check(lines, evolve(snapshot, dead=[void]), PLAN.events)

    assert wrong(verdict) == {"parked"}


def test_a_line_that_a_kill_cut_off_hides_no_other(tmp_path: Path) -> None:
    one = History(tmp_path / "history")
    one.write("produced", event="a")
    with one.path.open("a") as file:
        file.write('\n{"what": "dispatched", "ev')
    one.write("dispatched", event="b")

    assert [(line["what"], line["event"]) for line in one.lines()] == [("produced", "a"), ("dispatched", "b")]


def test_the_plan_holds_all_that_is_hard() -> None:
    """AND and OR groups, penalties that strike and that come late, repeats, events out of order, the same second."""
    plan = make_plan(2026)
    states = sequential(plan.events.values())
    times = [event.time for event in plan.messages]
    seconds = [(event.learner, event.course, event.time) for event in plan.events.values()]

    assert len(plan.events) == 2000
    assert len({event.learner for event in plan.events.values()}) == 200
    assert len(plan.messages) + len(plan.opening) > 2100, "repeats"
    assert sum(1 for before, after in itertools.pairwise(times) if after < before) > 500
    assert len(set(seconds)) < len(seconds), "a pass and a failure at the same second"
    assert {name for _, name in states} == {one.name for one in REQUIREMENTS}
    assert sum(1 for fulfilled, _ in states.values() if not fulfilled) > 100
    assert {template for _, template in completed(states)} == {one.template for one in REQUIREMENTS}
    assert plan == make_plan(2026)
