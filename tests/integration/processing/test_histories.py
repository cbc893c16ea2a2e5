"""Any order, any repetition, any batches: what comes of a history is what comes of it in the order of its times.

One thing is needed for that: a penalty that finds nothing leaves no row (ADR 0003), so what it undoes must have been
fulfilled before, or the history must be taken twice. The consumer sees to it: it looks at the stream again.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import pytest
from attrs import frozen
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from badges.data import IncomingEvent
from badges.models import Badge, BadgeProgress, Delivery, Fulfillment
from badges.processing.dead_events import incoming
from badges.processing.pipeline import process_batch, process_event
from tests.factories import (
    BadgeTemplateFactory,
    PenaltyFactory,
    RequirementFactory,
    metadata,
    moment,
    passing_status,
)
from tests.integration.processing.helpers import PASSED, fails, in_course, passes

pytestmark = pytest.mark.django_db

COURSES = [f"course-v1:edX+C{number}+2026" for number in range(5)]
LEARNERS = ["anna", "ben"]
FIRST = -1.0
"""A time before all others."""
SETTINGS = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@frozen
class Deed:
    """A learner passes or fails a course; several may be at the same time."""

    learner: str
    course: str
    passes: bool
    time: float

    @property
    def takes_away(self) -> bool:
        """Whether it is a penalty, as configured below."""
        return self.course == COURSES[3] or (not self.passes and self.course in COURSES[1:3])

    @property
    def event(self) -> IncomingEvent:
        """As a bus brings it. The same deed is the same event."""
        name = f"{self.learner} {self.course} {self.passes} {self.time}"
        about = metadata(at=self.time, event_id=uuid.uuid5(uuid.NAMESPACE_OID, name))
        data = passing_status(self.learner, course=self.course, is_passing=self.passes)
        return incoming(about, {"course_passing_status": data})


deeds = st.builds(
    Deed, st.sampled_from(LEARNERS), st.sampled_from(COURSES), st.booleans(), st.integers(0, 6).map(float)
)
histories = st.lists(deeds, max_size=12, unique=True)
OPENING = [Deed(learner, course, True, FIRST) for learner in LEARNERS for course in COURSES]
"""Everything is fulfilled once, before all else."""


@pytest.fixture
def configured(db: None) -> set[int]:
    """AND and OR groups, penalties, one event that fulfils one thing and takes another. Gives what can be undone."""
    both = BadgeTemplateFactory(name="both")
    passes(both, COURSES[0], "A")
    passes(both, COURSES[1], "B")

    either = BadgeTemplateFactory(name="either")
    first, second = passes(either, COURSES[1], "A"), passes(either, COURSES[2], "A")
    fails(either, first, course=COURSES[1])
    fails(either, second, course=COURSES[2])

    mixed = BadgeTemplateFactory(name="mixed")
    kept, other = passes(mixed, COURSES[2], "A"), passes(mixed, COURSES[3], "B")
    passes(mixed, COURSES[4], "B")
    fails(mixed, kept, other, course=COURSES[3])

    swap = BadgeTemplateFactory(name="swap")
    gone = passes(swap, COURSES[0])
    RequirementFactory(template=swap, rules=[in_course(COURSES[4])])
    PenaltyFactory(template=swap, rules=[PASSED, in_course(COURSES[3])], resets=[gone])
    return {first.pk, second.pk, kept.pk, other.pk, gone.pk}


@contextlib.contextmanager
def forgotten() -> Iterator[None]:
    """What happens within leaves nothing."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def progress(resettable: set[int]) -> dict[tuple[str, int], tuple[bool, Any]]:
    """(learner, requirement) -> whether it is fulfilled, and since when where that decides anything."""
    rows = Fulfillment.objects.values_list("progress__user__username", "requirement_id", "is_fulfilled", "event_time")
    return {
        (learner, requirement): (fulfilled, time if requirement in resettable else None)
        for learner, requirement, fulfilled, time in rows
    }


def badges() -> list[tuple[Any, ...]]:
    """All badges, with what was to be delivered of them."""
    found = Badge.objects.values_list("user__username", "template__name", "status", "awarded_at", "revoked_at")
    lanes = Delivery.objects.values_list("badge__user__username", "badge__template__name", "action", "status")
    return [*sorted(found), *sorted(lanes)]


def in_order(history: Sequence[Deed]) -> list[Deed]:
    """By their times; at the same time, what takes something away comes last, and last of all what only does that."""
    return sorted(history, key=lambda deed: (deed.time, deed.takes_away, not deed.passes))


def one_by_one(history: Sequence[Deed]) -> None:
    """Process events in this order, each for itself."""
    for deed in history:
        process_event(deed.event)


def disordered(data: st.DataObject, history: Sequence[Deed]) -> list[list[Deed]]:
    """All of it, in any order, some of it more than once, in batches of any size."""
    repeats = data.draw(st.lists(st.sampled_from(history), max_size=6)) if history else []
    order = data.draw(st.permutations([*history, *repeats]))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(order)), max_size=6)) | {0, len(order)})
    return [list(order[start:end]) for start, end in pairwise(cuts)]


def in_batches(batches: Sequence[Sequence[Deed]]) -> None:
    """Process these batches."""
    for batch in batches:
        process_batch([deed.event for deed in batch])


def assert_badges_fit_progress() -> None:
    """At most one badge each, one where all is fulfilled, and none that is still held where it is not."""
    pairs = list(Badge.objects.values_list("user_id", "template_id"))
    assert len(pairs) == len(set(pairs))
    complete = {(one.user_id, one.template_id) for one in BadgeProgress.objects.all() if one.is_complete}
    awarded = set(Badge.objects.filter(status=Badge.Status.AWARDED).values_list("user_id", "template_id"))
    assert awarded <= complete <= set(pairs)


@given(data=st.data(), history=histories)
@SETTINGS
def test_one_batch_in_any_order_is_the_ordered_history_with_its_badges(
    data: st.DataObject, history: list[Deed], configured: set[int]
) -> None:
    with forgotten():
        one_by_one(in_order(history))
        expected, expected_badges = progress(configured), badges()
    repeats = data.draw(st.lists(st.sampled_from(history), max_size=4)) if history else []
    with forgotten():
        in_batches([data.draw(st.permutations([*history, *repeats]))])

        assert progress(configured) == expected
        assert badges() == expected_badges


@pytest.mark.parametrize("first_passes", [True, False])
def test_of_one_moment_an_event_that_only_takes_away_comes_after_one_that_also_fulfils(
    configured: set[int], first_passes: bool
) -> None:
    # Passing this course fulfils a requirement, takes another away, and failing it takes the first one away.
    in_batches([[Deed("anna", COURSES[3], passes, 1.0) for passes in (first_passes, not first_passes)]])

    assert list(progress(configured).values()) == [(False, moment(1))]


@given(data=st.data(), history=histories)
@SETTINGS
def test_batches_in_order_are_the_ordered_history_with_its_badges(
    data: st.DataObject, history: list[Deed], configured: set[int]
) -> None:
    ordered = in_order(history)
    with forgotten():
        one_by_one(ordered)
        expected, expected_badges = progress(configured), badges()
    size = data.draw(st.integers(1, 5))
    with forgotten():
        in_batches([ordered[start : start + size] for start in range(0, len(ordered), size)])

        assert progress(configured) == expected
        assert badges() == expected_badges


@given(data=st.data(), history=histories)
@SETTINGS
def test_any_order_any_repetition_and_any_batches_are_the_ordered_history_once_all_was_fulfilled(
    data: st.DataObject, history: list[Deed], configured: set[int]
) -> None:
    with forgotten():
        one_by_one([*OPENING, *in_order(history)])
        expected = progress(configured)
    with forgotten():
        in_batches([OPENING, *disordered(data, history)])

        assert progress(configured) == expected
        assert_badges_fit_progress()


@given(data=st.data(), history=histories)
@SETTINGS
def test_a_history_that_is_taken_twice_in_any_two_orders_is_the_ordered_history(
    data: st.DataObject, history: list[Deed], configured: set[int]
) -> None:
    with forgotten():
        one_by_one(in_order(history))
        expected = progress(configured)
    with forgotten():
        in_batches(disordered(data, history))
        in_batches(disordered(data, history))

        assert progress(configured) == expected
        assert_badges_fit_progress()


@given(data=st.data(), history=histories)
@SETTINGS
def test_whatever_is_repeated_afterwards_changes_nothing(
    data: st.DataObject, history: list[Deed], configured: set[int]
) -> None:
    with forgotten():
        one_by_one(in_order(history))
        before = progress(configured), badges()

        for batch in disordered(data, history):
            assert not process_batch([deed.event for deed in batch])

        assert (progress(configured), badges()) == before


def test_the_one_exception_a_penalty_that_comes_before_what_it_undoes_is_as_if_it_had_never_come(
    configured: set[int],
) -> None:
    newer, older = Deed("anna", COURSES[2], False, 2.0), Deed("anna", COURSES[2], True, 1.0)
    in_batches([[newer], [older]])
    assert (True, moment(1)) in progress(configured).values()

    in_batches([[newer]])
    assert set(progress(configured).values()) == {(False, moment(2)), (True, moment(1))}
