"""Reviewers judge, staff award: who may, what it takes, and what comes of it."""

from __future__ import annotations

from typing import Any

import pytest

from badges.applications import applying, reviewing
from badges.applications.errors import ApplicationRefused, NotAllowed, NotNow
from badges.applications.reviewing import Judgement
from badges.models import Application, Badge, Callback, CallbackEndpoint, Criterion, Delivery, Review
from tests.factories import (
    ApplicationFactory,
    BadgeFactory,
    CriterionFactory,
    UserFactory,
    moment,
)
from tests.integration.applications.helpers import manager, person, reviewer

pytestmark = pytest.mark.django_db
Status = Application.Status


@pytest.fixture
def application() -> Application:
    made: Application = ApplicationFactory()
    return made


def now(application: Application) -> Application:
    application.refresh_from_db()
    return application


def approve(application: Application, **values: Any) -> Review:
    return reviewing.review(application, values.pop("author", None) or reviewer(), approves=True, **values)


def awards_on_approval(application: Application, **values: Any) -> None:
    for name, value in {"awards_on_approval": True, **values}.items():
        setattr(application.template, name, value)
    application.template.save()


def test_a_review_keeps_what_was_said_of_each_criterion_as_it_was_then(application: Application) -> None:
    required = CriterionFactory(template=application.template, description="It works")
    optional = CriterionFactory(template=application.template, description="It is nice", is_required=False)
    author = reviewer()

    made = approve(application, author=author, comment="Good.", items=[Judgement(required.pk, True, "Exactly.")])
    Criterion.objects.update(description="Something else", is_required=True)
    required.delete()

    assert (made.author, made.comment, made.is_approved) == (author, "Good.", True)
    said = made.items.values_list("description", "is_required", "is_satisfied", "comment", "criterion")
    assert list(said) == [("It works", True, True, "Exactly.", None), ("It is nice", False, False, "", optional.pk)]
    assert now(application).status == Status.APPROVED


def test_nothing_is_approved_without_its_required_criteria(application: Application) -> None:
    first, second, _ = (
        CriterionFactory(template=application.template, description=name, is_required=name != "C") for name in "ABC"
    )

    with pytest.raises(ApplicationRefused, match=r"not satisfied: B$"):
        approve(application, items=[Judgement(first.pk, True), Judgement(second.pk, False)])

    assert not Review.objects.exists()
    assert now(application).status == Status.SUBMITTED


def test_more_is_asked_of_the_learner_who_hands_it_in_again(application: Application) -> None:
    reviewing.review(application, reviewer(), comment="Show the code.", approves=False)
    assert now(application).status == Status.RETURNED

    applying.resubmit(application, statement="Here it is.")
    approve(application)

    statuses = application.changes.values_list("status", flat=True)
    assert list(statuses) == [Status.RETURNED, Status.SUBMITTED, Status.APPROVED]
    assert list(application.reviews.values_list("is_approved", flat=True)) == [False, True]


def test_more_is_not_asked_without_a_word(application: Application) -> None:
    criterion = CriterionFactory(template=application.template)

    with pytest.raises(ApplicationRefused, match="Say what is missing"):
        reviewing.review(application, reviewer(), items=[Judgement(criterion.pk, False)], approves=False)

    said = [Judgement(criterion.pk, False, "The tests fail.")]
    assert not reviewing.review(application, reviewer(), items=said, approves=False).is_approved


def test_whoever_has_not_the_permission_does_not_review(application: Application) -> None:
    with pytest.raises(NotAllowed, match="no permission"):
        approve(application, author=person("change_application", "view_application"))


def test_nobody_decides_on_their_own_application() -> None:
    learner = manager()
    application = ApplicationFactory(user=learner)
    approved = ApplicationFactory(user=learner, status=Status.APPROVED)

    with pytest.raises(NotAllowed):
        approve(application, author=learner)
    with pytest.raises(NotAllowed):
        reviewing.award(approved, learner)
    with pytest.raises(NotAllowed):
        reviewing.close(application, "Enough.", learner)
    assert not Badge.objects.exists()


@pytest.mark.parametrize("status", sorted(set(Status.values) - {Status.SUBMITTED}))
@pytest.mark.parametrize("approves", [True, False])
def test_only_what_waits_for_a_review_is_reviewed(status: str, approves: bool) -> None:
    application = ApplicationFactory(status=status)

    with pytest.raises(NotNow):
        reviewing.review(application, reviewer(), comment="Hm.", approves=approves)

    assert not Review.objects.exists()


def test_what_was_handed_in_again_since_it_was_read_is_not_reviewed(application: Application) -> None:
    with pytest.raises(NotNow, match="meanwhile"):
        approve(application, seen_at=moment(-1))

    assert approve(application, seen_at=application.submitted_at).is_approved


@pytest.mark.parametrize("of_other", [True, False])
def test_criteria_of_another_badge_and_judgements_twice_are_refused(application: Application, of_other: bool) -> None:
    criterion = CriterionFactory() if of_other else CriterionFactory(template=application.template)
    items = [Judgement(criterion.pk, True)] * 2

    with pytest.raises(ApplicationRefused) as caught:
        approve(application, items=items)

    assert caught.value.field == ("items.0" if of_other else "items.1")


def test_an_approval_awards_where_the_template_says_so(application: Application) -> None:
    awards_on_approval(application)

    approve(application)

    badge = Badge.objects.get()
    assert (badge.user, badge.template, badge.is_awarded) == (application.user, application.template, True)
    assert list(badge.deliveries.values_list("action", flat=True)) == [Delivery.Action.ANNOUNCE_AWARDED]
    assert now(application).status == Status.AWARDED
    assert list(application.changes.values_list("status", flat=True)) == [Status.APPROVED, Status.AWARDED]


def test_elsewhere_staff_award(application: Application) -> None:
    approve(application)
    assert not Badge.objects.exists()
    staff = manager()

    awarded = reviewing.award(application, staff)

    assert awarded.status == Status.AWARDED
    assert awarded.processed_at is not None
    assert Badge.objects.get().user == application.user
    assert application.changes.last().by == staff  # type: ignore[union-attr]
    with pytest.raises(NotNow):
        reviewing.award(application, staff)
    assert Badge.objects.count() == 1


def test_staff_without_the_permission_award_nothing() -> None:
    with pytest.raises(NotAllowed):
        reviewing.award(ApplicationFactory(status=Status.APPROVED), reviewer())


@pytest.mark.parametrize("status", sorted(set(Status.values) - {Status.APPROVED}))
def test_what_is_not_approved_is_not_awarded(status: str) -> None:
    with pytest.raises(NotNow):
        reviewing.award(ApplicationFactory(status=status), manager())

    assert not Badge.objects.exists()


def test_a_template_that_is_not_active_any_more_awards_nothing(application: Application) -> None:
    awards_on_approval(application, is_active=False)

    approve(application)

    assert now(application).status == Status.APPROVED
    with pytest.raises(NotNow, match="not active"):
        reviewing.award(application, manager())
    awards_on_approval(application, is_active=True)
    assert reviewing.award(application, manager()).status == Status.AWARDED


@pytest.mark.parametrize("by_staff", [True, False])
def test_who_has_earned_the_badge_meanwhile_gets_no_second_one(application: Application, by_staff: bool) -> None:
    awards_on_approval(application, awards_on_approval=not by_staff)
    BadgeFactory(user=application.user, template=application.template)

    approve(application)
    if by_staff:
        reviewing.award(application, manager())

    assert now(application).status == Status.AWARDED
    assert "no second one" in application.note
    assert Badge.objects.count() == 1
    assert not Delivery.objects.exists()


@pytest.mark.parametrize("by_staff", [True, False])
def test_a_badge_that_was_taken_away_is_not_awarded_again(application: Application, by_staff: bool) -> None:
    awards_on_approval(application, awards_on_approval=not by_staff)
    badge = BadgeFactory(user=application.user, template=application.template, status="revoked")

    approve(application)
    if by_staff:
        reviewing.award(application, manager())

    assert now(application).status == Status.CLOSED
    assert "not awarded again" in application.note
    badge.refresh_from_db()
    assert not badge.is_awarded
    assert not Delivery.objects.exists()


def test_an_award_whose_review_fails_is_not_made(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    awards_on_approval(application)
    monkeypatch.setattr(reviewing, "award_now", lambda application: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        approve(application)

    assert now(application).status == Status.SUBMITTED
    assert not Review.objects.exists()


def test_an_endpoint_that_wants_reviews_is_told_of_each_once(application: Application) -> None:
    CallbackEndpoint.objects.create(name="Portal", url="https://portal.example.com/", sends_awards=False)

    reviewing.review(application, reviewer(), comment="More!", approves=False)
    applying.resubmit(application)
    approve(application)

    told = Callback.objects.order_by("pk").values_list("action", "review__is_approved")
    assert list(told) == [("review", False), ("review", True)]
    assert Delivery.objects.filter(action=Delivery.Action.CALLBACK).count() == 2


def test_an_application_is_closed_with_a_reason_by_staff(application: Application) -> None:
    with pytest.raises(ApplicationRefused, match="reason"):
        reviewing.close(application, "  ", manager())
    with pytest.raises(NotAllowed):
        reviewing.close(application, "A test.", reviewer())

    closed = reviewing.close(application, "A test.", manager())

    assert (closed.status, closed.note) == (Status.CLOSED, "A test.")
    with pytest.raises(NotNow):
        reviewing.close(application, "Again.", manager())


def test_an_application_is_assigned_to_who_may_review_it(application: Application) -> None:
    author = reviewer()

    assert reviewing.assign(application, author, author).assigned_to == author
    assert reviewing.assign(application, None, manager()).assigned_to is None
    for nobody in (UserFactory(), application.user):
        with pytest.raises(ApplicationRefused):
            reviewing.assign(application, nobody, author)
    with pytest.raises(NotAllowed):
        reviewing.assign(application, author, UserFactory())


def test_a_copy_of_a_badgekit_system_is_reviewed_there(application: Application) -> None:
    application.account_id = 1  # of a system that need not be there to be asked first

    with pytest.raises(NotAllowed, match="reviewed at the BadgeKit system"):
        approve(application)
    with pytest.raises(NotAllowed, match="changed at the BadgeKit system"):
        applying.withdraw(application)


def test_an_application_that_was_deleted_meanwhile_is_told_so(application: Application) -> None:
    Application.objects.all().delete()

    with pytest.raises(NotNow, match="deleted"):
        approve(application)
