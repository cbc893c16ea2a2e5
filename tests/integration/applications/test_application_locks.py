"""Whatever is done with applications, the application is locked first; see docs/locking.rst."""

from __future__ import annotations

import pytest
from attrs import evolve
from django.db import transaction

from badges.applications import applying, reviewing
from badges.applications.external import store_review
from badges.applications.reviewing import Judgement
from badges.changes import ReviewChange, ReviewItemData
from badges.models import Badge, BadgeKitSystem, BadgeKitTemplate, BadgeTemplate, Callback
from badges.privacy.retirement import retire
from tests.factories import (
    BadgeTemplateFactory,
    CallbackEndpointFactory,
    CriterionFactory,
    EmployeeBadgeFactory,
    EmployeeRecordFactory,
    UserFactory,
    moment,
)
from tests.integration.applications.helpers import link, manager, reviewer
from tests.integration.test_lock_order import Locks, in_the_order
from tests.integration.test_lock_order import locks as _locks

pytestmark = pytest.mark.django_db(transaction=True)
locks = _locks
ISSUED = ["badging_badge", "badging_delivery", "badging_callback"]


@pytest.fixture
def template() -> BadgeTemplate:
    CallbackEndpointFactory()
    criterion = CriterionFactory(template__awards_on_approval=True)
    found: BadgeTemplate = criterion.template
    return found


def seen(locks: Locks) -> list[list[str]]:
    """What was locked with applications, without what belongs to them."""
    return [one[1:] for one in in_the_order(locks) if one[0] == "badging_application"]


def test_handed_in_reviewed_and_awarded_at_once(template: BadgeTemplate, locks: Locks) -> None:
    criterion = template.review_criteria.get()
    people = (reviewer(), UserFactory(), UserFactory())
    author, learner, other = people
    locks.transactions.clear()

    application = applying.submit(template, learner, statement="I did it.", evidence=[link()])
    reviewing.assign(application, author, author)
    reviewing.review(application, author, comment="Show more.", approves=False)
    application = applying.resubmit(application, statement="Here.", evidence=[link()])
    reviewing.review(application, author, items=[Judgement(criterion.pk, is_satisfied=True)], approves=True)
    applying.withdraw(applying.submit(template, other, statement="I did it."))

    assert Badge.objects.count() == 1
    told = [[], [], ["badging_callback", "badging_delivery"], [], ISSUED, [], []]
    assert seen(locks) == told


def test_awarded_and_closed_by_staff(locks: Locks) -> None:
    CallbackEndpointFactory()
    template = BadgeTemplateFactory(takes_applications=True)
    staff, learner, other = manager(), UserFactory(), UserFactory()
    first, second = (applying.submit(template, one, statement="I did it.") for one in (learner, other))
    reviewing.review(first, staff, approves=True)
    locks.transactions.clear()

    reviewing.award(first, staff)
    reviewing.close(second, "Nothing came.", staff)

    assert seen(locks) == [ISSUED, []]


def test_reviewed_at_a_badgekit_system(locks: Locks) -> None:
    CallbackEndpointFactory()
    system = BadgeKitSystem.objects.create(name="BadgeKit")
    BadgeKitTemplate.objects.create(
        account=system, external_id="badge-slug", name="Python", is_active=True, awards_on_approval=True
    )
    UserFactory(email="anna@example.com")
    locks.transactions.clear()

    for change in (
        evolve(REVIEW, is_approved=False),
        evolve(REVIEW, at=moment(20)),
        evolve(REVIEW, at=moment(30), is_approved=False),
    ):
        with transaction.atomic():
            store_review(change, system)

    assert Badge.objects.count() == 1
    assert seen(locks) == [[], ISSUED, []]


def test_of_a_learner_who_retires_an_application_is_locked_before_what_belongs_to_it(
    template: BadgeTemplate, locks: Locks
) -> None:
    learner = UserFactory()
    application = applying.submit(template, learner, statement="I did it.", evidence=[link()])
    reviewing.review(application, reviewer(), comment="Show more.", approves=False)
    EmployeeBadgeFactory(employee=EmployeeRecordFactory(user=learner))
    locks.transactions.clear()

    retire(learner)

    assert not Callback.objects.exists()
    deletions = [one for one in locks.transactions if "badging_reviewitem" in one]
    assert [one[0] for one in deletions] == ["badging_application"]
    locks.transactions[:] = [one for one in locks.transactions if one not in deletions]
    assert ["badging_employeerecord", "badging_employeebadge"] in in_the_order(locks)


REVIEW = ReviewChange(
    application_slug="abcdefg1234567",
    application_id=123,
    learner_email="anna@example.com",
    template_external_id="badge-slug",
    applied_at=moment(0),
    review_slug="abc",
    review_id=1,
    author_email="staff@example.com",
    comment="Good.",
    items=(ReviewItemData(1, is_satisfied=True),),
    is_approved=True,
    at=moment(10),
    evidence=(("https://example.com/work", "link", ""),),
)
