"""Progress and fulfilments of the built-in module, with what is wrong in them."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext

from badges.host.adoption import progress as words
from badges.host.adoption import tables
from badges.host.adoption.context import Stopped
from badges.host.adoption.learners import NO_USER
from badges.host.adoption.leftovers import TEMPLATE_GONE, report_orphans
from badges.host.adoption.outcome import Outcome, Report
from badges.host.adoption.progress import DUPLICATE, FULFILMENTS, PROGRESS
from badges.models import Badge, BadgeProgress, BadgeRequirement, Delivery, Fulfillment
from tests.factories import EPOCH, BadgeProgressFactory, FulfillmentFactory, UserFactory
from tests.integration.host.adopting import Adoption, adoption, everything, told
from tests.integration.host.built_in import EARNED, MADE, BuiltIn

CREATE, MERGE, SKIP, CANNOT = Outcome


@pytest.fixture
def template(built_in: BuiltIn) -> Adoption:
    """A Credly template without requirements."""
    return adoption(built_in)


def fulfilled(user: Any) -> set[int]:
    """The requirements that a learner has fulfilled here."""
    rows = Fulfillment.objects.filter(progress__user=user, is_fulfilled=True)
    return set(rows.values_list("requirement_id", flat=True))


def test_progress_becomes_a_record_of_the_user(template: Adoption) -> None:
    anna, requirement = UserFactory(username="anna"), template.requirement()
    template.built_in.progress(template.there, "anna", [requirement])

    report = template.run()

    [row] = Fulfillment.objects.select_related("progress")
    assert (row.progress.user, row.progress.template, row.is_fulfilled) == (anna, template.here, True)
    assert told(report, PROGRESS) == {(CREATE, ""): 1}
    assert told(report, FULFILMENTS) == {(CREATE, ""): 1}


def test_a_fulfilment_says_where_it_comes_from_and_is_older_than_any_event(template: Adoption) -> None:
    UserFactory(username="anna")
    template.built_in.progress(template.there, "anna", [template.requirement()])
    source = tables.Fulfillment.objects.get()

    template.run()

    row = Fulfillment.objects.get()
    assert row.evidence == {"adopted_from": f"badges_fulfillment {source.pk}"}
    assert row.event_type == template.requirements[source.requirement_id].event_type
    assert row.event_time == MADE
    assert row.event_id.version == 5


def test_what_earned_a_badge_is_as_old_as_the_badge(template: Adoption) -> None:
    UserFactory(username="anna")
    template.built_in.progress(template.there, "anna", [template.requirement()])
    template.badge("anna")

    template.run()

    assert Fulfillment.objects.get().event_time == EARNED


def test_duplicates_become_one_record_with_what_all_of_them_fulfil(template: Adoption) -> None:
    anna = UserFactory(username="anna")
    first, second = template.requirement("A"), template.requirement("B")
    template.built_in.progress(template.there, "anna", [first])
    template.built_in.progress(template.there, "anna", [first, second, second])

    report = template.run()

    assert BadgeProgress.objects.get().user == anna
    assert fulfilled(anna) == {one.id for one in template.requirements.values()}
    assert told(report, PROGRESS) == {(CREATE, ""): 1, (MERGE, words.DUPLICATE): 1}
    assert told(report, FULFILMENTS) == {(CREATE, ""): 2, (MERGE, words.SAME_FULFILMENT): 2}


def test_progress_without_a_fulfilment_is_left_out(template: Adoption) -> None:
    UserFactory(username="anna")
    template.built_in.progress(template.there, "anna")

    report = template.run()

    assert not BadgeProgress.objects.exists()
    assert told(report, PROGRESS) == {(SKIP, words.NOTHING_FULFILLED): 1}


def test_progress_of_nobody_is_counted_with_examples(template: Adoption) -> None:
    requirement = template.requirement()
    rows = [template.built_in.progress(template.there, f"gone{number}", [requirement]) for number in range(7)]

    report = template.run()

    [line] = [line for line in report.lines() if line.kind == PROGRESS]
    assert (line.outcome, line.reason, line.number) == (CANNOT, NO_USER, 7)
    assert line.examples == tuple(str(row.pk) for row in rows[:5])
    assert not BadgeProgress.objects.exists()
    assert template.advanced == 7


def test_a_fulfilment_whose_requirement_is_gone_is_left_out(template: Adoption) -> None:
    anna, requirement = UserFactory(username="anna"), template.requirement()
    template.built_in.progress(template.there, "anna", [requirement, None])

    report = template.run()

    assert fulfilled(anna) == {template.requirements[requirement.pk].id}
    assert told(report, FULFILMENTS) == {(CREATE, ""): 1, (CANNOT, words.REQUIREMENT_GONE): 1}


def test_progress_with_nothing_else_than_lost_requirements_is_left_out(template: Adoption) -> None:
    UserFactory(username="anna")
    other = template.built_in.requirement(template.there)
    template.built_in.progress(template.there, "anna", [None])
    template.built_in.progress(template.there, "anna", [other])

    report = template.run()

    assert not BadgeProgress.objects.exists()
    assert told(report, PROGRESS) == {(SKIP, words.NOTHING_USABLE): 2}
    assert (CANNOT, words.REQUIREMENT_NOT_HERE) in told(report, FULFILMENTS)


def test_a_learners_record_of_here_is_added_to(template: Adoption) -> None:
    anna = UserFactory(username="anna")
    first, second = template.requirement("A"), template.requirement("B")
    mine = BadgeProgressFactory(user=anna, template=template.here)
    FulfillmentFactory(progress=mine, requirement=template.here.requirements.get(group="A"), event_time=EPOCH)
    template.built_in.progress(template.there, "anna", [first, second])

    report = template.run()

    assert BadgeProgress.objects.get() == mine
    assert fulfilled(anna) == {one.id for one in template.requirements.values()}
    assert Fulfillment.objects.get(requirement=template.requirements[first.pk].id).event_time == EPOCH
    assert told(report, PROGRESS) == {(MERGE, words.COMPLETED): 1}
    assert told(report, FULFILMENTS) == {(CREATE, ""): 1, (SKIP, words.HERE): 1}


def test_what_was_reset_here_stays_reset(template: Adoption) -> None:
    anna, requirement = UserFactory(username="anna"), template.requirement()
    mine = BadgeProgressFactory(user=anna, template=template.here)
    FulfillmentFactory(progress=mine, requirement=template.here.requirements.get(), is_fulfilled=False)
    template.built_in.progress(template.there, "anna", [requirement])

    report = template.run()

    assert not fulfilled(anna)
    assert told(report, FULFILMENTS) == {(SKIP, words.RESET_HERE): 1}
    assert report.changes == 0


def test_usernames_are_taken_exactly(template: Adoption) -> None:
    anna, requirement = UserFactory(username="anna"), template.requirement()
    for name in ("änna", "anna "):
        template.built_in.progress(template.there, name, [requirement])
    template.built_in.progress(template.there, "anna", [requirement])

    report = template.run()

    assert BadgeProgress.objects.get().user == anna
    assert told(report, PROGRESS) == {(CREATE, ""): 1, (CANNOT, NO_USER): 2}


def test_another_case_is_another_user_only_where_the_database_says_so(template: Adoption) -> None:
    """MySQL has one user of these, whom the module found by both, and so do events here."""
    anna, requirement = UserFactory(username="anna"), template.requirement()
    for name in ("anna", "ANNA"):
        template.built_in.progress(template.there, name, [requirement])
    is_one = get_user_model().objects.filter(username="ANNA").exists()

    report = template.run()

    assert BadgeProgress.objects.get().user == anna
    assert told(report, PROGRESS) == {(CREATE, ""): 1, ((MERGE, DUPLICATE) if is_one else (CANNOT, NO_USER)): 1}


def test_a_second_run_finds_nothing_to_do_and_locks_nothing(template: Adoption) -> None:
    for name in ("anna", "berta"):
        UserFactory(username=name)
        requirement = template.requirement()
        template.built_in.progress(template.there, name, [requirement])
        template.built_in.progress(template.there, name, [requirement])
        template.badge(name)
    template.run()
    before = list(Fulfillment.objects.values()), list(Badge.objects.values()), list(Delivery.objects.values())

    with CaptureQueriesContext(connection) as statements:
        report = template.run()

    assert report.changes == 0
    begun = ("SELECT", "SAVEPOINT", "RELEASE SAVEPOINT")
    assert not [one["sql"] for one in statements if "FOR UPDATE" in one["sql"] or not one["sql"].startswith(begun)]
    assert before == (list(Fulfillment.objects.values()), list(Badge.objects.values()), list(Delivery.objects.values()))


def test_a_plan_says_what_an_adoption_then_does_and_writes_nothing(template: Adoption) -> None:
    first, second = template.requirement("A"), template.requirement("B")
    for name in ("anna", "berta", "clara"):
        UserFactory(username=name)
        template.built_in.progress(template.there, name, [first, None])
        template.built_in.progress(template.there, name, [first, second])
        template.badge(name, external_uuid=None, state="error")
    template.built_in.progress(template.there, "gone", [first])

    plans = [list(template.run(apply=False, is_here=is_here).lines()) for is_here in (False, True)]

    assert not BadgeProgress.objects.exists()
    assert not Badge.objects.exists()
    assert plans == [list(template.run().lines())] * 2


def test_the_built_in_tables_stay_as_they_are(template: Adoption) -> None:
    UserFactory(username="anna")
    template.built_in.progress(template.there, "anna", [template.requirement()])
    template.badge("anna")
    before = everything()

    template.run()

    assert everything() == before


def test_it_ends_when_it_is_asked_to_and_leaves_nothing_behind(template: Adoption) -> None:
    UserFactory(username="anna")
    template.built_in.progress(template.there, "anna", [template.requirement()])

    with pytest.raises(Stopped):
        template.run(is_stopping=lambda: True)

    assert not BadgeProgress.objects.exists()


def test_progress_of_a_template_that_is_gone_is_told_of_once(built_in: BuiltIn) -> None:
    template = adoption(built_in)
    built_in.progress(template.there, "anna")
    lost = tables.BadgeProgress.objects.create(template=None, username="anna")
    dangling = tables.BadgeProgress.objects.create(template_id=template.there.pk + 1, username="anna")
    report = Report()

    report_orphans(report)

    [line] = report.lines()
    assert (line.kind, line.outcome, line.reason, line.number) == (PROGRESS, CANNOT, TEMPLATE_GONE, 2)
    assert line.examples == (str(lost.pk), str(dangling.pk))


def test_requirements_that_staff_added_here_do_not_matter(template: Adoption) -> None:
    anna, requirement = UserFactory(username="anna"), template.requirement()
    BadgeRequirement.objects.create(template=template.here, event_type="org.example.v1", group="Z")
    template.built_in.progress(template.there, "anna", [requirement])
    template.badge("anna")

    template.run()

    assert fulfilled(anna) == {template.requirements[requirement.pk].id}
    assert template.premature == []
