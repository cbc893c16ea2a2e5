"""How the values of rules and events are read and compared."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opaque_keys.edx.keys import CourseKey, UsageKey
from opaque_keys.edx.locator import CourseLocator

from badges.exceptions import RuleError
from badges.rules.kinds import BOOL, DATETIME, FLOAT, INT, TEXT, UUID, Kind, kind_for
from badges.rules.operators import Operator
from tests.unit.rules.events import Level

COURSE_KEY, LEVEL = kind_for(CourseKey), kind_for(Level)
assert COURSE_KEY is not None
assert LEVEL is not None


@pytest.mark.parametrize("text", ["true", "True", "yes", "Yes", "+"])
def test_words_for_true(text: str) -> None:
    assert BOOL.read(text) is True


@pytest.mark.parametrize("text", ["false", "False", "no", "No", "-"])
def test_words_for_false(text: str) -> None:
    assert BOOL.read(text) is False


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (INT, "42", 42),
        (INT, "-7", -7),
        (FLOAT, "0.80", 0.8),
        (FLOAT, "1", 1.0),
        (TEXT, " verified ", "verified"),
        (TEXT, "yes", "yes"),
        (DATETIME, "2026-11-21T08:30:00Z", datetime(2026, 11, 21, 8, 30, tzinfo=UTC)),
        (DATETIME, "2026-11-21T10:30:00+02:00", datetime(2026, 11, 21, 8, 30, tzinfo=UTC)),
        (DATETIME, "2026-11-21", datetime(2026, 11, 21, tzinfo=UTC)),
        (UUID, "628FCAA9-cfd3-4a9b-aa62-9973ac938ad6", uuid.UUID("628fcaa9-cfd3-4a9b-aa62-9973ac938ad6")),
        (COURSE_KEY, "course-v1:edX+DemoX+2026", "course-v1:edX+DemoX+2026"),
        (LEVEL, "expert", "expert"),
    ],
)
def test_the_text_of_a_rule_is_read_in_its_type(kind: Kind, text: str, value: Any) -> None:
    assert kind.read(text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (BOOL, "perhaps"),
        (BOOL, "1"),
        (INT, "4.2"),
        (INT, "1_000"),
        (INT, "٤٢"),
        (INT, ""),
        (FLOAT, "nan"),
        (FLOAT, "inf"),
        (FLOAT, "1_0"),
        (FLOAT, "a"),
        (TEXT, "  "),
        (DATETIME, "yesterday"),
        (UUID, "123"),
        (COURSE_KEY, "DemoX"),
        (LEVEL, "master"),
    ],
)
def test_a_text_that_its_type_cannot_hold_is_refused_with_an_example(kind: Kind, text: str) -> None:
    with pytest.raises(RuleError, match=r"is not a .* Example: "):
        kind.read(text)


@pytest.mark.parametrize(
    ("kind", "value", "canonical"),
    [
        (BOOL, True, True),
        (BOOL, 1, None),
        (BOOL, "true", None),
        (INT, 3, 3),
        (INT, True, None),
        (INT, "3", None),
        (FLOAT, 1, 1.0),
        (FLOAT, True, None),
        (FLOAT, 10**400, None),
        (TEXT, "a", "a"),
        (TEXT, 5, None),
        (DATETIME, datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))), datetime(2026, 1, 1, tzinfo=UTC)),
        (DATETIME, datetime(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC)),  # noqa: DTZ001 - without a zone
        (DATETIME, "2026-01-01", None),
        (UUID, "628fcaa9-cfd3-4a9b-aa62-9973ac938ad6", None),
        (COURSE_KEY, CourseLocator("edX", "DemoX", "2026"), "course-v1:edX+DemoX+2026"),
        (COURSE_KEY, 5, None),
        (LEVEL, Level.EXPERT, "expert"),
        (LEVEL, "expert", "expert"),
        (LEVEL, "master", None),
        (TEXT, None, None),
    ],
)
def test_a_value_of_an_event_that_is_not_of_its_type_is_absent(kind: Kind, value: Any, canonical: Any) -> None:
    assert kind.canonical(value) == canonical


@pytest.mark.parametrize("kind", [BOOL, INT, FLOAT, TEXT, UUID, DATETIME, COURSE_KEY, LEVEL])
@given(text=st.text())
def test_any_text_is_read_or_refused_and_never_crashes(kind: Kind, text: str) -> None:
    try:
        kind.read(text)
    except RuleError:
        return


@given(st.integers())
def test_a_whole_number_is_read_as_it_is_written(number: int) -> None:
    assert INT.read(str(number)) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_read_as_it_is_written(number: float) -> None:
    assert FLOAT.read(repr(number)) == number


@pytest.mark.parametrize("declared", [list[str], dict[str, str], None, "Forward", object, list])
def test_types_that_cannot_be_compared_have_no_kind(declared: Any) -> None:
    assert kind_for(declared) is None


def test_usage_keys_are_compared_as_their_text() -> None:
    kind = kind_for(UsageKey)
    assert kind is not None
    assert kind.read(str(kind.example)) == kind.example


@pytest.mark.parametrize("operator", list(Operator))
def test_an_absent_value_satisfies_no_rule(operator: Operator) -> None:
    assert not operator.holds(None, "x")


def test_operators_are_opposites() -> None:
    assert Operator.EQ.holds(1, 1)
    assert not Operator.EQ.holds(1, 2)
    assert Operator.NE.holds(1, 2)
    assert not Operator.NE.holds(1, 1)
