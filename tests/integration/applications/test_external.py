"""Reviews of a BadgeKit system: kept as copies, newest word last, awarded once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve
from django.db import transaction

from badges.applications import reviewing
from badges.applications.errors import NotNow
from badges.applications.external import store_review
from badges.changes import ReviewChange, ReviewItemData
from badges.exceptions import BadgesError
from badges.models import (
    Application,
    Badge,
    BadgeKitSystem,
    BadgeKitTemplate,
    BadgeTemplate,
    Callback,
    CallbackEndpoint,
    Criterion,
    Delivery,
    Review,
    ReviewItem,
)
from tests.factories import BadgeFactory, CriterionFactory, UserFactory, moment
from tests.integration.applications.helpers import manager

pytestmark = pytest.mark.django_db
Status = Application.Status


@pytest.fixture
def template() -> BadgeTemplate:
    system = BadgeKitSystem.objects.create(name="BadgeKit")
    made: BadgeTemplate = BadgeKitTemplate.objects.create(
        account=system, external_id="badge-slug", name="Python", is_active=True, awards_on_approval=True
    )
    return made


@pytest.fixture
def store(template: BadgeTemplate) -> Callable[..., str]:
    """Stores a review as the inbox does."""

    def act(**values: Any) -> str:
        assert template.account is not None
        with transaction.atomic():
            return store_review(evolve(REVIEW, **values), template.account)

    return act


REVIEW = ReviewChange(
    application_slug="abcdefg1234567",
    application_id=123,
    learner_email="anna@example.com",
    template_external_id="badge-slug",
    applied_at=moment(0),
    review_slug="1234567abcdefg",
    review_id=456,
    author_email="reviewer@example.com",
    comment="Comment from reviewer to earner.",
    items=(ReviewItemData(221, is_satisfied=True, comment="Exactly right."),),
    is_approved=True,
    at=moment(10),
)


def test_an_approved_review_is_kept_and_awards_the_badge(template: BadgeTemplate, store: Callable[..., str]) -> None:
    learner = UserFactory(email="Anna@example.com")
    criterion = CriterionFactory(template=template, external_id=221, description="It works")

    said = store(evidence=(("https://example.com/work", "link", "My work."),))

    assert said == "A review was stored. The badge was awarded."
    application = Application.objects.get()
    assert (application.slug, application.external_id, application.user) == ("abcdefg1234567", 123, learner)
    assert (application.status, application.submitted_at) == (Status.AWARDED, moment(0))
    review, item, piece = Review.objects.get(), ReviewItem.objects.get(), application.evidence.get()
    assert (review.slug, review.author_email, review.reviewed_at) == (
        "1234567abcdefg",
        "reviewer@example.com",
        moment(10),
    )
    assert (item.criterion, item.description, item.comment) == (criterion, "It works", "Exactly right.")
    assert (piece.url, piece.reflection) == ("https://example.com/work", "My work.")
    assert Badge.objects.get().user == learner
    assert Delivery.objects.filter(action=Delivery.Action.ANNOUNCE_AWARDED).count() == 1


def test_the_same_review_again_changes_nothing(store: Callable[..., str]) -> None:
    UserFactory(email="anna@example.com")
    store()

    assert store(at=moment(20)) == ""
    assert (Review.objects.count(), Badge.objects.count(), Delivery.objects.filter(action="issue").count()) == (1, 1, 1)


def test_updates_of_a_review_are_one_review(store: Callable[..., str]) -> None:
    UserFactory(email="anna@example.com")
    store(is_approved=False, items=())
    assert Application.objects.get().status == Status.RETURNED

    said = store(at=moment(20), comment="Now it is right.")

    assert said == "A review was updated. The badge was awarded."
    review = Review.objects.get()
    assert (review.comment, review.is_approved, review.items.count()) == ("Now it is right.", True, 1)


def test_an_older_update_does_not_overwrite_a_newer_one(store: Callable[..., str]) -> None:
    store(comment="New.")

    assert store(comment="Old.", at=moment(5)) == ""
    assert Review.objects.get().comment == "New."


def test_an_approval_that_is_taken_back_leaves_the_badge_and_says_so(store: Callable[..., str]) -> None:
    UserFactory(email="anna@example.com")
    store()

    said = store(is_approved=False, at=moment(20))

    assert (
        said == "A review was updated. It does not approve the application any more. The badge was awarded, and stays."
    )
    assert Badge.objects.get().is_awarded
    assert Application.objects.get().status == Status.AWARDED


def test_an_approval_that_was_not_awarded_can_be_taken_back(template: BadgeTemplate, store: Callable[..., str]) -> None:
    UserFactory(email="anna@example.com")
    template.awards_on_approval = False
    template.save()

    assert store() == "A review was stored. The application is approved; staff awards the badge."
    assert Application.objects.get().status == Status.APPROVED
    store(is_approved=False, at=moment(20))

    application = Application.objects.get()
    assert application.status == Status.RETURNED
    with pytest.raises(NotNow):
        reviewing.award(application, manager())


def test_of_two_reviews_the_newer_one_counts(store: Callable[..., str]) -> None:
    store(is_approved=False, at=moment(20))
    store(review_slug="another", at=moment(10))

    assert Application.objects.get().status == Status.RETURNED
    store(review_slug="third", at=moment(30))
    assert Application.objects.get().status == Status.APPROVED
    assert Review.objects.count() == 3


@pytest.mark.parametrize("accounts", [0, 2])
def test_a_learner_who_is_not_known_for_sure_is_kept_by_address(store: Callable[..., str], accounts: int) -> None:
    for _ in range(accounts):
        UserFactory(email="anna@example.com")

    said = store()

    assert said.endswith("its learner is not known here: nothing was awarded.")
    application = Application.objects.get()
    assert (application.user, application.learner_email, application.status) == (
        None,
        "anna@example.com",
        Status.APPROVED,
    )
    assert not Badge.objects.exists()


def test_a_learner_who_comes_later_is_found_by_the_next_message_or_by_staff(store: Callable[..., str]) -> None:
    store()
    store(application_slug="other")
    other = Application.objects.get(slug="other")
    learner = UserFactory(email="anna@example.com")

    assert store() == "The badge was awarded."
    assert reviewing.award(other, manager()).note.startswith("The learner has had this badge already")
    assert Badge.objects.get().user == learner


def test_staff_who_are_the_learner_do_not_award_themselves(store: Callable[..., str]) -> None:
    store()
    staff = manager(email="anna@example.com")

    with pytest.raises(Exception, match="own application"):
        reviewing.award(Application.objects.get(), staff)

    assert not Badge.objects.exists()


def test_a_badge_that_was_taken_away_is_not_awarded_again(template: BadgeTemplate, store: Callable[..., str]) -> None:
    BadgeFactory(user=UserFactory(email="anna@example.com"), template=template, status="revoked")

    assert "not awarded again" in store()
    assert Application.objects.get().status == Status.CLOSED
    assert not Delivery.objects.exists()
    assert store(is_approved=False, at=moment(20)).endswith("The application is closed, and stays so.")


def test_a_template_that_is_not_active_awards_nothing(template: BadgeTemplate, store: Callable[..., str]) -> None:
    UserFactory(email="anna@example.com")
    template.is_active = False
    template.save()

    assert store().endswith("its badge template is not active: nothing was awarded.")
    assert Application.objects.get().status == Status.APPROVED


@pytest.mark.parametrize(
    "values",
    [
        {"application_slug": ""},
        {"application_slug": "a" * 256},
        {"review_slug": ""},
        {"review_slug": "a" * 256},
    ],
)
def test_what_belongs_to_nothing_is_left_out_and_says_why(store: Callable[..., str], values: dict[str, Any]) -> None:
    assert store(**values).startswith("The review was left out: ")
    assert not Application.objects.exists()


@pytest.mark.parametrize("slug", ["other", ""])
def test_a_review_of_a_badge_that_is_not_known_is_tried_again(store: Callable[..., str], slug: str) -> None:
    with pytest.raises(BadgesError, match="sync_badgekit_badges"):
        store(template_external_id=slug)
    assert not Application.objects.exists()


def test_another_systems_template_of_the_same_slug_is_another(template: BadgeTemplate) -> None:
    other = BadgeKitSystem.objects.create(name="Other")

    with pytest.raises(BadgesError, match='system "Other" has no badge template'):
        store_review(REVIEW, other)


def test_two_systems_may_have_the_same_slugs(template: BadgeTemplate, store: Callable[..., str]) -> None:
    other = BadgeKitSystem.objects.create(name="Other")
    BadgeKitTemplate.objects.create(account=other, external_id="badge-slug", name="Other")
    store()

    store_review(REVIEW, other)

    assert Application.objects.values("account").distinct().count() == 2


def test_a_learner_may_have_several_applications_there_and_one_here(
    template: BadgeTemplate, store: Callable[..., str]
) -> None:
    learner = UserFactory(email="anna@example.com")
    Application.objects.create(template=template, user=learner, submitted_at=moment(0))

    for slug in ("one", "two"):
        store(application_slug=slug, is_approved=False)

    assert Application.objects.filter(user=learner).count() == 3


def test_what_no_database_can_hold_is_kept_without_it(store: Callable[..., str]) -> None:
    store(
        comment="a\x00\ud800",
        learner_email="[email protected]\x00",
        author_email="x" * 300 + "@example.com",
        application_id=-1,
        review_id=2**70,
        items=(ReviewItemData(2**70, is_satisfied=False, comment="\x00"), ReviewItemData(None, is_satisfied=True)),
        evidence=(("javascript:alert(1)", "x", ""), ("https://example.com/\x00" + "a" * 2000, "", ""), ("", "", "")),
    )

    review, application = Review.objects.get(), Application.objects.get()
    assert (review.comment, review.author_email, review.external_id) == ("a\ufffd?", "", None)
    assert (application.learner_email, application.external_id) == ("", None)
    assert list(review.items.values_list("criterion_external_id", "is_satisfied")) == [(None, False), (None, True)]
    assert not application.evidence.exists()


def test_criteria_that_are_not_known_are_kept_by_their_numbers(
    template: BadgeTemplate, store: Callable[..., str]
) -> None:
    Criterion.objects.create(template=template, description="Made here")

    store()

    item = ReviewItem.objects.get()
    assert (item.criterion, item.criterion_external_id, item.is_satisfied) == (None, 221, True)


def test_a_review_that_came_from_a_badgekit_system_is_not_sent_on(store: Callable[..., str]) -> None:
    UserFactory(email="anna@example.com")
    CallbackEndpoint.objects.create(name="Portal", url="https://portal.example.com/")

    store()

    assert list(Callback.objects.values_list("action", flat=True)) == ["award"]
