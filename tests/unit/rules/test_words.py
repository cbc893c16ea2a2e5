"""Requirements as learners read them."""

from __future__ import annotations

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st
from openedx_events.tooling import OpenEdxPublicSignal

from badges.rules.ruleset import Rule
from badges.rules.words import alternatives_words, is_personal, requirement_words

PASSING = "org.openedx.learning.course.passing.status.updated.v1"
CCX = "org.openedx.learning.ccx.course.passing.status.updated.v1"
ENROLLED = "org.openedx.learning.course.enrollment.created.v1"
CERTIFICATE = "org.openedx.learning.certificate.created.v1"
PROGRAM = "org.openedx.learning.program.certificate.awarded.v1"
REGISTERED = "org.openedx.learning.student.registration.completed.v1"
COURSE = "course-v1:edX+DemoX+2026"
CCX_COURSE = "ccx-v1:edX+DemoX+2026+ccx@1"
SOMEBODY = "a condition on the account of the learner is met"


@pytest.mark.parametrize(
    ("event_type", "rules", "words"),
    [
        (PASSING, [("is_passing", "eq", "true")], "Pass any course"),
        (PASSING, [("is_passing", "eq", "yes"), ("course.course_key", "eq", COURSE)], f"Pass the course {COURSE}"),
        (
            PASSING,
            [("is_passing", "eq", "true"), ("course.course_key", "ne", COURSE)],
            f"Pass any course (course: not {COURSE})",
        ),
        (
            PASSING,
            [("is_passing", "eq", "false"), ("course.course_key", "eq", COURSE)],
            f'The event "course passing status updated" happens (passed: no, course: {COURSE})',
        ),
        (PASSING, [], 'The event "course passing status updated" happens'),
        (
            CCX,
            [("is_passing", "eq", "true"), ("course.ccx_course_key", "eq", CCX_COURSE)],
            f"Pass the custom course {CCX_COURSE}",
        ),
        (
            ENROLLED,
            [("course.course_key", "eq", COURSE), ("mode", "eq", "verified"), ("is_active", "eq", "+")],
            f"Enroll in the course {COURSE} (mode: verified, is active: yes)",
        ),
        (CERTIFICATE, [], "Earn a certificate of any course"),
        (PROGRAM, [("program.title", "eq", "Data")], "Earn a certificate of the program Data"),
        (
            ENROLLED,
            [("creation_date", "eq", "2026-11-21T08:30:00Z")],
            "Enroll in any course (date of enrollment: 2026-11-21 08:30 UTC)",
        ),
        (
            "org.openedx.learning.thing.done.v2",
            [("a.b_c", "eq", "1")],
            'The event "thing done" happens (a b c: 1)',
        ),
        ("strange", [], 'The event "strange" happens'),
        (
            PASSING,
            [("is_passing", "eq", "perhaps")],
            'The event "course passing status updated" happens (passed: perhaps)',
        ),
    ],
)
def test_a_requirement_is_a_sentence(event_type: str, rules: list[tuple[str, str, str]], words: str) -> None:
    assert requirement_words(event_type, [Rule(*rule) for rule in rules]) == words


@pytest.mark.parametrize(
    ("event_type", "path"),
    [
        (PASSING, "user.pii.email"),
        (PASSING, "user.pii.username"),
        (PASSING, "user.id"),
        (CCX, "course.coach_email"),
        (ENROLLED, "created_by.pii.username"),
        (CERTIFICATE, "name"),
        (REGISTERED, "pii.username"),
        (REGISTERED, "id"),
        ("org.openedx.learning.lti_provider.launch.success.v1", "launch_params.user_id"),
        ("an.event.that.is.gone", "user.pii.email"),
        ("an.event.that.is.gone", "email"),
    ],
)
def test_a_value_that_concerns_a_person_is_never_told(event_type: str, path: str) -> None:
    told = requirement_words(event_type, [Rule(path, "eq", "ben-the-coach")])

    assert "ben" not in told
    assert SOMEBODY in told


def test_no_key_path_of_any_event_tells_of_people() -> None:
    for signal in OpenEdxPublicSignal.all_events():
        for path in ("user.pii.name", "student_user.pii.email", "requesting_user.id"):
            assert is_personal(signal.event_type, path)
    assert not is_personal("org.openedx.learning.cohort_membership.changed.v1", "name")
    assert not is_personal(PASSING, "course.course_key")


def test_alternatives_are_one_text() -> None:
    assert alternatives_words(["Pass the course A"]) == "Pass the course A"
    assert alternatives_words(["Pass A", "Pass B"]) == "One of these: Pass A / Pass B"


def test_another_language_has_other_words() -> None:
    with translation.override("de"):
        assert requirement_words(PASSING, [Rule("is_passing", "eq", "true")])


words = st.text(max_size=20)
paths = st.one_of(words, st.sampled_from(["is_passing", "course.course_key", "course.start", "user.pii.email"]))


@given(st.one_of(words, st.sampled_from([PASSING, ENROLLED])), st.lists(st.tuples(paths, words, words), max_size=4))
def test_whatever_is_stored_there_is_a_sentence(event_type: str, rules: list[tuple[str, str, str]]) -> None:
    told = requirement_words(event_type, [Rule(*rule) for rule in rules])

    assert told
