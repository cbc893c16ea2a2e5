"""Matching: the compiled lookup means the same as trying every rule, and finds its cost in what matches."""

from __future__ import annotations

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from opaque_keys.edx.locator import CourseLocator
from openedx_events.learning.data import CourseData

from badges.exceptions import BadgesError
from badges.rules.operators import Operator
from badges.rules.ruleset import Match, PenaltySpec, RequirementSpec, Rule, compile_ruleset
from badges.rules.schema import event_schema
from tests import factories
from tests.factories import CCX_PASSING, COURSE, PASSING

COURSES = [f"course-v1:edX+{name}+2026" for name in "ABC"]
rules = st.builds(
    Rule,
    path=st.sampled_from(["is_passing", "course.course_key", "course.display_name", "user.id", "course.start"]),
    operator=st.sampled_from(["eq", "ne"]),
    value=st.sampled_from([*COURSES, "true", "no", "7", "Maths", "2026-01-01"]),
)
requirements = st.builds(
    RequirementSpec,
    id=st.integers(1, 30),
    template_id=st.integers(1, 5),
    event_type=st.sampled_from([PASSING, CCX_PASSING]),
    group=st.sampled_from(["", "A", "B"]),
    rules=st.lists(rules, max_size=3).map(tuple),
)
penalties = st.builds(
    PenaltySpec,
    id=st.integers(1, 30),
    template_id=st.integers(1, 5),
    event_type=st.just(PASSING),
    rules=st.lists(rules, max_size=3).map(tuple),
)


@st.composite
def arguments(draw: st.DrawFn) -> dict[str, object]:
    """The arguments of a passing-status event."""
    payload = factories.passing_status(
        course=draw(st.sampled_from([*COURSES, COURSE])),
        is_passing=draw(st.booleans()),
        id=draw(st.sampled_from([7, 8])),
    )
    course = CourseData(course_key=payload.course.course_key, display_name=draw(st.sampled_from(["", "Maths"])))
    return {"course_passing_status": evolve(payload, course=course)}


def matches_naively(spec: RequirementSpec | PenaltySpec, given_arguments: dict[str, object]) -> bool:
    """The definition: every rule holds, each compared in its type; a broken owner never matches."""
    schema = event_schema(spec.event_type)
    try:
        wanted = [(rule, schema.kind_of(rule.path).read(rule.value)) for rule in spec.rules]
    except BadgesError:
        return False
    return spec.event_type == PASSING and all(
        Operator(rule.operator).holds(schema.value_at(given_arguments, rule.path), value) for rule, value in wanted
    )


@given(
    st.lists(requirements, max_size=12, unique_by=lambda spec: spec.id),
    st.lists(penalties, max_size=6, unique_by=lambda spec: spec.id),
    arguments(),
)
def test_the_lookup_means_the_same_as_trying_every_rule(
    some_requirements: list[RequirementSpec], some_penalties: list[PenaltySpec], event: dict[str, object]
) -> None:
    ruleset = compile_ruleset(some_requirements, some_penalties)

    assert ruleset.match(PASSING, event) == Match(
        tuple(sorted(spec.id for spec in some_requirements if matches_naively(spec, event))),
        tuple(sorted(spec.id for spec in some_penalties if matches_naively(spec, event))),
    )


def spec(identifier: int, *some_rules: tuple[str, str, str], template_id: int = 1, group: str = "") -> RequirementSpec:
    """A requirement on passing-status events."""
    return RequirementSpec(
        id=identifier,
        template_id=template_id,
        event_type=PASSING,
        group=group,
        rules=tuple(Rule(*rule) for rule in some_rules),
    )


EVENT = {"course_passing_status": factories.passing_status()}


def test_a_requirement_without_rules_matches_every_event_of_its_type() -> None:
    ruleset = compile_ruleset([spec(1)], [])

    assert ruleset.match(PASSING, EVENT).requirement_ids == (1,)
    assert not ruleset.match(CCX_PASSING, EVENT)


@pytest.mark.parametrize("operator", ["eq", "ne"])
def test_an_absent_value_matches_no_rule(operator: str) -> None:
    ruleset = compile_ruleset([spec(1, ("course.start", operator, "2026-01-01"))], [])

    assert not ruleset.match(PASSING, EVENT)


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (("course.nonsense", "eq", "x"), "has no"),
        (("is_passing", "eq", "perhaps"), "is not a yes/no value"),
        (("is_passing", "gt", "true"), 'no operator "gt"'),
    ],
)
def test_what_its_event_cannot_have_is_left_out_and_told(rule: tuple[str, str, str], reason: str) -> None:
    ruleset = compile_ruleset([spec(1, rule), spec(2)], [])

    [problem] = ruleset.problems
    assert (problem.owner, problem.owner_id) == ("requirement", 1)
    assert reason in problem.reason
    assert ruleset.match(PASSING, EVENT).requirement_ids == (2,)


def test_rules_that_contradict_each_other_are_told() -> None:
    ruleset = compile_ruleset([spec(1, ("is_passing", "eq", "true"), ("is_passing", "eq", "no"))], [])

    assert "two values at once" in ruleset.problems[0].reason


def test_an_unknown_event_type_is_told_and_the_others_work() -> None:
    unknown = RequirementSpec(id=1, template_id=1, event_type="org.openedx.nonsense.v1")

    ruleset = compile_ruleset([unknown, spec(2)], [])

    assert [problem.owner_id for problem in ruleset.problems] == [1]
    assert ruleset.event_types == {PASSING}


@pytest.mark.parametrize(
    ("fulfilled", "is_complete"),
    [
        (set(), False),
        ({1}, False),
        ({1, 2}, False),
        ({3}, False),
        ({1, 3}, False),
        ({2, 3, 4}, True),
        ({1, 3, 4}, True),
    ],
)
def test_a_template_is_complete_when_every_group_has_a_fulfilled_requirement(
    fulfilled: set[int], is_complete: bool
) -> None:
    ruleset = compile_ruleset([spec(1, group="A"), spec(2, group="A"), spec(3), spec(4)], [])

    assert ruleset.is_complete(1, fulfilled) == is_complete


def test_a_template_without_requirements_is_never_complete() -> None:
    assert not compile_ruleset([], []).is_complete(1, {1})


def test_a_broken_requirement_still_has_to_be_fulfilled() -> None:
    ruleset = compile_ruleset([spec(1, ("course.nonsense", "eq", "x")), spec(2)], [])

    assert not ruleset.is_complete(1, {2})


def test_evidence_is_the_values_of_the_rules_and_the_course() -> None:
    one = spec(1, ("is_passing", "eq", "true"), ("course.start", "ne", "2026-01-01"))

    evidence = compile_ruleset([one], []).evidence(PASSING, one.rules, EVENT)

    assert evidence == {"is_passing": True, "course.course_key": COURSE}


@pytest.mark.parametrize(
    ("reset", "fulfilled", "is_broken"),
    [({1}, {2}, False), ({1}, set(), True), ({1, 2}, {3}, True), ({3}, {1}, True), (set(), set(), False)],
)
def test_only_a_group_that_a_penalty_touched_is_broken_by_it(
    reset: set[int], fulfilled: set[int], is_broken: bool
) -> None:
    ruleset = compile_ruleset([spec(1, group="A"), spec(2, group="A"), spec(3), spec(4)], [])

    assert ruleset.is_broken(1, reset, fulfilled) == is_broken


def test_the_requirements_that_a_penalty_can_undo_are_known() -> None:
    penalty = PenaltySpec(id=1, template_id=1, event_type=PASSING, requirement_ids=frozenset({2}))

    assert compile_ruleset([spec(1), spec(2)], [penalty]).resettable == {2}


def test_one_lookup_serves_all_templates_with_the_same_paths() -> None:
    many = [
        spec(number, ("course.course_key", "eq", str(CourseLocator("edX", f"C{number}", "1"))), template_id=number)
        for number in range(1, 1001)
    ]
    event = {"course_passing_status": factories.passing_status(course="course-v1:edX+C500+1")}

    assert compile_ruleset(many, []).match(PASSING, event).requirement_ids == (500,)
