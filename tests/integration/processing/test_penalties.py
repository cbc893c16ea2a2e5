"""Processing: what takes progress and badges away, and what does not."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from badges.models import Badge, BadgeProgress, Delivery, Fulfillment
from tests.factories import COURSE, BadgeTemplateFactory, PenaltyFactory, RequirementFactory, moment
from tests.integration.processing.helpers import OTHER_COURSE, PASSED, fails, passes, send

pytestmark = pytest.mark.django_db


def writes(queries: CaptureQueriesContext) -> list[str]:
    """The statements that change something."""
    return [query["sql"] for query in queries if query["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]


def test_a_penalty_revokes_a_badge_that_is_no_longer_complete() -> None:
    template = BadgeTemplateFactory()
    fails(template, passes(template))
    send(at=1)

    outcome = send(at=2, is_passing=False)

    badge = Badge.objects.get()
    assert (badge.status, badge.revoked_at) == (Badge.Status.REVOKED, moment(2))
    assert outcome.revoked == (badge.pk,)


def test_a_penalty_on_partial_progress_resets_it_and_revokes_nothing() -> None:
    template = BadgeTemplateFactory()
    requirement = passes(template)
    passes(template, OTHER_COURSE)
    fails(template, requirement)
    send(at=1)

    outcome = send(at=2, is_passing=False)

    assert (outcome.reset, outcome.revoked) == ((requirement.pk,), ())
    assert BadgeProgress.objects.get().ratio == 0
    assert not Badge.objects.exists()
    assert not Delivery.objects.exists()


def test_a_penalty_on_one_of_two_fulfilled_alternatives_keeps_the_badge() -> None:
    template = BadgeTemplateFactory()
    requirement = passes(template, COURSE, "A")
    passes(template, OTHER_COURSE, "A")
    fails(template, requirement)
    send(at=1, course=COURSE)
    send(at=2, course=OTHER_COURSE)

    outcome = send(at=3, course=COURSE, is_passing=False)

    assert outcome.reset == (requirement.pk,)
    assert Badge.objects.get().is_awarded


def test_a_penalty_that_leaves_its_group_fulfilled_keeps_a_badge_whose_template_grew_since() -> None:
    template = BadgeTemplateFactory()
    requirement = passes(template, COURSE, "A")
    passes(template, OTHER_COURSE, "A")
    fails(template, requirement)
    send(at=1, course=COURSE)
    send(at=2, course=OTHER_COURSE)
    passes(template, "course-v1:edX+New+2026", "B")

    send(at=3, is_passing=False)

    assert Badge.objects.get().is_awarded


def test_a_penalty_of_an_inactive_template_does_nothing() -> None:
    template = BadgeTemplateFactory()
    fails(template, passes(template))
    send(at=1)
    template.is_active = False
    template.save()

    assert not send(at=2, is_passing=False)
    assert Badge.objects.get().is_awarded


def test_a_reset_says_which_event_it_comes_from_and_what_that_held() -> None:
    template = BadgeTemplateFactory()
    fails(template, passes(template))
    send(at=1)

    send(at=2, is_passing=False)

    row = Fulfillment.objects.get()
    assert (row.is_fulfilled, row.event_time) == (False, moment(2))
    assert row.evidence == {"is_passing": False, "course.course_key": COURSE}


def test_an_event_that_fulfils_one_requirement_and_takes_another_back_does_both() -> None:
    template = BadgeTemplateFactory()
    kept, taken = passes(template, COURSE, "A"), passes(template, COURSE, "B")
    PenaltyFactory(template=template, rules=[PASSED], resets=[taken])

    outcome = send(at=1)

    assert outcome.fulfilled == (kept.pk,)
    assert [row.requirement for row in Fulfillment.objects.all()] == [kept]


def test_a_penalty_resets_all_its_requirements() -> None:
    template = BadgeTemplateFactory()
    requirements = [passes(template, COURSE, "A"), passes(template, OTHER_COURSE, "B")]
    fails(template, *requirements)
    send(at=1, course=COURSE)
    send(at=2, course=OTHER_COURSE)

    send(at=3, is_passing=False)

    assert BadgeProgress.objects.get().ratio == 0


def test_a_penalty_reaches_no_requirement_of_another_template() -> None:
    other = BadgeTemplateFactory()
    foreign = passes(other)
    fails(BadgeTemplateFactory(), foreign)
    send(at=1)

    assert not send(at=2, is_passing=False)
    assert Badge.objects.get(template=other).is_awarded


def test_a_penalty_fires_only_when_all_its_rules_match() -> None:
    template = BadgeTemplateFactory()
    fails(template, passes(template), course=OTHER_COURSE)
    send(at=1)

    send(at=2, is_passing=False)

    assert Badge.objects.get().is_awarded


def test_a_penalty_without_rules_fires_at_every_event_of_its_type() -> None:
    template = BadgeTemplateFactory()
    PenaltyFactory(template=template, resets=[passes(template)])
    send(at=1)

    assert not Badge.objects.exists()


def test_a_penalty_of_the_same_event_undoes_what_the_event_fulfilled() -> None:
    template = BadgeTemplateFactory()
    requirement = RequirementFactory(template=template, rules=[PASSED])
    PenaltyFactory(template=template, rules=[PASSED], resets=[requirement])

    outcome = send()

    assert not outcome
    assert not Badge.objects.exists()
    assert not BadgeProgress.objects.exists()


def test_a_revoked_badge_is_not_awarded_again() -> None:
    template = BadgeTemplateFactory()
    fails(template, passes(template))
    send(at=1)
    send(at=2, is_passing=False)

    outcome = send(at=3)

    assert outcome.fulfilled
    assert not outcome.awarded
    assert BadgeProgress.objects.get().is_complete
    assert Badge.objects.get().status == Badge.Status.REVOKED


def test_a_late_penalty_does_not_undo_a_newer_fulfilment() -> None:
    template = BadgeTemplateFactory()
    fails(template, passes(template))
    send(at=5)

    assert not send(at=4, is_passing=False)
    assert Badge.objects.get().is_awarded


def test_a_late_requirement_event_does_not_undo_a_newer_reset() -> None:
    template = BadgeTemplateFactory()
    fails(template, passes(template))
    send(at=1)
    send(at=5, is_passing=False)

    assert not send(at=4)
    assert not BadgeProgress.objects.get().is_complete


def test_a_repeat_moves_the_time_forward_where_a_penalty_could_undo_it() -> None:
    template = BadgeTemplateFactory()
    fails(template, passes(template))
    send(at=1)
    send(at=9)

    send(at=5, is_passing=False)

    assert Fulfillment.objects.get().event_time == moment(9)
    assert Badge.objects.get().is_awarded


def test_the_same_event_twice_has_the_effect_of_one() -> None:
    template = BadgeTemplateFactory()
    fails(template, passes(template))
    for _ in range(2):
        send(at=1)
    for _ in range(2):
        send(at=2, is_passing=False)

    assert Fulfillment.objects.count() == BadgeProgress.objects.count() == Badge.objects.count() == 1
    assert sorted(Delivery.objects.values_list("action", flat=True)) == ["announce_awarded", "announce_revoked"]


@pytest.mark.parametrize(
    ("case", "payload"),
    [
        ("a repeat that no penalty can undo", {"course": OTHER_COURSE}),
        ("a penalty of a learner without progress", {"username": "ben", "is_passing": False}),
        ("a penalty of an unfulfilled requirement", {"username": "cleo", "is_passing": False}),
        ("an event that matches nothing", {"course": "course-v1:edX+Nothing+2026"}),
    ],
)
def test_events_that_change_nothing_write_nothing(case: str, payload: dict[str, Any]) -> None:
    template = BadgeTemplateFactory()
    fails(template, passes(template))
    passes(template, OTHER_COURSE)
    send("anna", at=1, course=OTHER_COURSE)
    send("cleo", at=1, course=OTHER_COURSE)

    with CaptureQueriesContext(connection) as queries:
        assert not send(at=2, **payload)

    assert writes(queries) == []
    assert len(queries) <= 3
