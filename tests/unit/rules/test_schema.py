"""Key paths and types, read from the data classes of events."""

from __future__ import annotations

import pytest
from openedx_events.tooling import OpenEdxPublicSignal

from badges.conf import DEFAULT_IGNORED_KEYPATHS
from badges.exceptions import RuleError
from badges.rules.schema import event_schema
from tests import factories
from tests.factories import CCX_PASSING, PASSING
from tests.unit.rules.events import EVERYTHING, TWO_ARGUMENTS, Detail, Everything


def test_paths_are_relative_to_the_one_argument_and_typed() -> None:
    kinds = {path: kind.name for path, kind in event_schema(PASSING).kinds.items()}

    assert kinds == {
        "is_passing": "yes/no value",
        "course.course_key": "CourseKey",
        "course.display_name": "text",
        "course.start": "date and time",
        "course.end": "date and time",
        "user.id": "whole number",
        "user.is_active": "yes/no value",
        "user.pii.username": "text",
        "user.pii.email": "text",
        "user.pii.name": "text",
    }


def test_ignored_paths_are_left_out_of_the_choices() -> None:
    assert event_schema(PASSING).offered_paths(frozenset(DEFAULT_IGNORED_KEYPATHS)) == [
        "is_passing",
        "course.course_key",
    ]


def test_every_shape_of_data_has_a_type_or_a_reason() -> None:
    schema = event_schema(EVERYTHING.event_type)

    assert {path: kind.name for path, kind in schema.kinds.items() if not path.startswith("user.")} == {
        "flag": "yes/no value",
        "number": "whole number",
        "maybe": "whole number",
        "share": "decimal number",
        "text": "text",
        "moment": "date and time",
        "level": "value of Level",
        "id": "UUID",
        "detail.score": "decimal number",
        "detail.key": "CourseKey",
        "optional_detail.score": "decimal number",
        "optional_detail.key": "CourseKey",
        "loop.name": "text",
    }
    assert schema.refused == {
        "tags": "it is a list, and a rule compares one value.",
        "options": "it is a dictionary, whose keys its event does not declare.",
        "loop.inner": "Loop contains itself.",
        "untyped": "its event declares no type for it.",
    }


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("tags", "it is a list"),
        ("tags.0", "it is a list"),
        ("options.key", "it is a dictionary"),
        ("detail", "Choose one below it"),
        ("nonsense", "has no"),
        ("flag.deeper", "has no"),
        ("", "has no"),
    ],
)
def test_a_path_that_holds_no_comparable_value_is_refused_with_the_reason(path: str, reason: str) -> None:
    with pytest.raises(RuleError, match=reason):
        event_schema(EVERYTHING.event_type).kind_of(path)


def test_an_unknown_event_type_is_refused() -> None:
    with pytest.raises(RuleError, match="openedx-events knows no event type"):
        event_schema("org.openedx.nonsense.v1")


def test_with_several_arguments_a_path_starts_with_the_arguments_name() -> None:
    schema = event_schema(TWO_ARGUMENTS.event_type)

    assert list(schema.kinds) == ["first.score", "first.key", "second.score", "second.key"]
    assert schema.value_at({"first": Detail(score=1.0), "second": Detail(score=2.0)}, "second.score") == 2.0


def test_a_value_below_something_absent_is_absent() -> None:
    schema = event_schema(EVERYTHING.event_type)

    assert schema.value_at({"everything": Everything()}, "detail.score") is None
    assert schema.value_at({}, "detail.score") is None


def test_an_event_of_a_foreign_class_is_read_as_far_as_it_goes() -> None:
    assert event_schema(EVERYTHING.event_type).value_at({"everything": object()}, "detail.score") is None


def test_the_schema_of_every_event_that_openedx_knows_can_be_read() -> None:
    schemas = [event_schema(signal.event_type) for signal in OpenEdxPublicSignal.all_events()]

    assert sum(schema.learner_path is not None for schema in schemas) >= 30


@pytest.mark.parametrize(
    ("event_type", "path"),
    [
        (PASSING, ("course_passing_status", "user")),
        (CCX_PASSING, ("course_passing_status", "user")),
        ("org.openedx.learning.student.registration.completed.v1", ("user",)),
        ("org.openedx.learning.course.enrollment.created.v1", ("enrollment", "user")),
        ("org.openedx.learning.exam.attempt.submitted.v1", ("exam_attempt", "student_user")),
        ("org.openedx.learning.course.persistent_grade_summary.changed.v1", None),
        (TWO_ARGUMENTS.event_type, None),
    ],
)
def test_where_the_learner_is(event_type: str, path: tuple[str, ...] | None) -> None:
    assert event_schema(event_type).learner_path == path


def test_the_learner_of_an_event_is_found_or_absent() -> None:
    schema = event_schema(PASSING)
    payload = factories.passing_status("anna")

    assert schema.learner({"course_passing_status": payload}) == payload.user
    assert schema.learner({"course_passing_status": None}) is None
    assert schema.learner({}) is None
