"""What a provider reviews applications against comes with its templates, and makes older reviews readable."""

from __future__ import annotations

from typing import Any

import pytest

from badges.data import ReviewCriterion
from badges.models import BadgeTemplate, Criterion, ProviderAccount, ReviewItem
from tests.factories import ApplicationFactory, CriterionFactory, moment
from tests.integration.fake_provider import Answers
from tests.integration.sync.helpers import listed, numbers, told_by

pytestmark = pytest.mark.django_db

MUSEUMS = ReviewCriterion(221, "Five museums.", is_required=True, note="Ask for photos.")
PARKS = ReviewCriterion(222, "Two parks.")


def sync(answers: Answers, account: ProviderAccount, *criteria: ReviewCriterion, **values: Any) -> tuple[int, ...]:
    told = {"review_criteria": criteria, **values}
    answers.pages = [[listed("explorer", **told)]]
    return numbers(told_by(account)[0])


def stored() -> list[tuple[Any, ...]]:
    return list(Criterion.objects.values_list("external_id", "description", "is_required", "note", "position"))


def test_criteria_come_with_a_new_template(answers: Answers, account: ProviderAccount) -> None:
    assert sync(answers, account, MUSEUMS, PARKS) == (1, 0, 0, 0)
    assert stored() == [(221, "Five museums.", True, "Ask for photos.", 0), (222, "Two parks.", False, "", 1)]


def test_the_same_again_changes_nothing(answers: Answers, account: ProviderAccount) -> None:
    sync(answers, account, MUSEUMS, PARKS)
    before = list(Criterion.objects.values())

    assert sync(answers, account, MUSEUMS, PARKS) == (0, 0, 1, 0)
    assert list(Criterion.objects.values()) == before


def test_they_follow_the_provider_and_their_template_counts_as_updated(
    answers: Answers, account: ProviderAccount
) -> None:
    sync(answers, account, MUSEUMS, PARKS)

    assert sync(answers, account, ReviewCriterion(222, "Three parks.", is_required=True)) == (0, 1, 0, 0)
    assert stored() == [(222, "Three parks.", True, "", 0)]


def test_those_that_staff_made_here_stay_and_one_that_was_copied_is_the_providers(
    answers: Answers, account: ProviderAccount
) -> None:
    sync(answers, account)
    template = BadgeTemplate.objects.get()
    own = CriterionFactory(template=template, description="Our own.")
    copied = CriterionFactory(template=template, description="Five museums.")

    sync(answers, account, MUSEUMS)

    assert set(Criterion.objects.values_list("pk", "external_id")) == {(own.pk, None), (copied.pk, 221)}


def test_a_provider_that_reviews_nothing_takes_none_away(answers: Answers, account: ProviderAccount) -> None:
    sync(answers, account, MUSEUMS)

    sync(answers, account, review_criteria=None)

    assert [row[0] for row in stored()] == [221]


def test_what_was_said_of_a_criterion_by_its_number_gets_its_text(answers: Answers, account: ProviderAccount) -> None:
    sync(answers, account)
    application = ApplicationFactory(template=BadgeTemplate.objects.get())
    review = application.reviews.create(reviewed_at=moment(1))
    item = ReviewItem.objects.create(review=review, criterion_external_id=221, is_satisfied=True)

    sync(answers, account, MUSEUMS)

    item.refresh_from_db()
    assert (item.description, item.is_required, item.is_satisfied) == ("Five museums.", True, True)


def test_what_no_row_can_hold_is_left_out(answers: Answers, account: ProviderAccount) -> None:
    sync(answers, account, ReviewCriterion(2**63, "Too large."), ReviewCriterion(1, "  "), PARKS, PARKS)

    assert [row[:2] for row in stored()] == [(222, "Two parks.")]
