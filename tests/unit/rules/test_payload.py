"""Payloads as JSON and back."""

from __future__ import annotations

import json
import string
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opaque_keys.edx.locator import CourseLocator

from badges.exceptions import UnreadablePayload
from badges.rules.payload import from_json, to_json
from badges.rules.schema import event_schema
from tests import factories
from tests.factories import PASSING
from tests.unit.rules.events import EVERYTHING, Detail, Everything, Level

words = st.text(string.ascii_letters + string.digits, min_size=1, max_size=8)
keys = st.builds(CourseLocator, words, words, words)
details = st.builds(Detail, score=st.none() | st.floats(allow_nan=False, allow_infinity=False), key=st.none() | keys)
payloads = st.builds(
    Everything,
    user=st.none() | st.builds(factories.user_data, words),
    flag=st.none() | st.booleans(),
    number=st.none() | st.integers(),
    maybe=st.none() | st.integers(),
    share=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    text=st.none() | st.text(),
    moment=st.none() | st.datetimes(timezones=st.just(UTC)),
    level=st.none() | st.sampled_from(Level),
    id=st.none() | st.uuids(),
    detail=st.none() | details,
    optional_detail=st.none() | details,
    tags=st.lists(st.text(), max_size=3),
    options=st.dictionaries(st.text(), st.booleans(), max_size=3),
)


@given(payloads)
def test_a_payload_survives_the_way_to_json_and_back(payload: Everything) -> None:
    stored = json.loads(json.dumps(to_json({"everything": payload})))

    assert from_json(event_schema(EVERYTHING.event_type), stored) == {"everything": payload}


def test_what_a_person_writes_is_read() -> None:
    stored = to_json({"course_passing_status": factories.passing_status()})
    del stored["course_passing_status"]["course"]["display_name"]

    assert from_json(event_schema(PASSING), stored) == {"course_passing_status": factories.passing_status()}


def changed(*path: str, value: Any) -> dict[str, Any]:
    """A stored payload with one value replaced; with ``...`` removed."""
    stored: dict[str, Any] = to_json({"course_passing_status": factories.passing_status()})
    place = stored
    for name in path[:-1]:
        place = place[name]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return stored


STATUS = "course_passing_status"


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        ([], "must be a JSON object"),
        ({}, "lacks: course_passing_status"),
        (changed(STATUS, value=5), '"course_passing_status" must be an object'),
        (changed(STATUS, "is_passing", value="yes"), '"course_passing_status.is_passing" must be of type bool'),
        (changed(STATUS, "is_passing", value=None), '"course_passing_status.is_passing" must not be null'),
        (changed(STATUS, "user", "id", value=True), '"course_passing_status.user.id" must be of type int'),
        (changed(STATUS, "user", "pii", value=...), 'lacks "course_passing_status.user.pii"'),
        (
            changed(STATUS, "course", "course_key", value="x"),
            '"course_passing_status.course.course_key" is not a CourseKey',
        ),
        (
            changed(STATUS, "course", "course_key", value=7),
            '"course_passing_status.course.course_key" is not a CourseKey',
        ),
        (changed(STATUS, "course", "start", value="soon"), '"course_passing_status.course.start" is not a datetime'),
        (changed(STATUS, "course", "color", value="red"), '"course_passing_status.course" has no "color"'),
    ],
)
def test_a_payload_that_cannot_be_read_is_refused_with_its_place(stored: Any, reason: str) -> None:
    with pytest.raises(UnreadablePayload, match=reason):
        from_json(event_schema(PASSING), stored)


def test_what_json_cannot_hold_becomes_its_text() -> None:
    moment, identifier = datetime(2026, 1, 1, tzinfo=UTC), uuid.uuid4()

    assert to_json([moment, identifier, Level.EXPERT, CourseLocator("a", "b", "c"), (1, None)]) == [
        "2026-01-01T00:00:00+00:00",
        str(identifier),
        "expert",
        "course-v1:a+b+c",
        [1, None],
    ]
