"""Badges that somebody issued at the provider, beside ours or instead of them."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from badges.issuing import awards
from badges.issuing.deliveries import run_due
from badges.models import Badge, BadgeTemplate, Delivery
from tests.factories import BadgeFactory, BadgeTemplateFactory, UserFactory, moment
from tests.integration.issuing.reconcile.helpers import applied, compared, statuses
from tests.integration.issuing.reconcile.listing import ListingProvider

pytestmark = pytest.mark.django_db
Action, Status = Delivery.Action, Delivery.Status


def test_a_badge_that_was_issued_by_hand_to_a_learner_of_ours_is_adopted(template: BadgeTemplate) -> None:
    learner = UserFactory(email="Anna@Example.com")
    external_id = ListingProvider.hold(template_external_id=template.external_id, email="anna@example.COM")

    assert applied() == ["missing_here: applied"]
    badge = Badge.objects.get()
    assert (badge.user_id, badge.template_id, badge.external_id) == (learner.pk, template.pk, external_id)
    assert statuses(badge) == {Action.ANNOUNCE_AWARDED: Status.PENDING, Action.ISSUE: Status.DONE}
    assert compared() == []


def test_it_is_awarded_when_the_provider_says_it_was_and_never_in_the_future(template: BadgeTemplate) -> None:
    past, future = UserFactory(), UserFactory()
    for learner, issued_at in ((past, moment(3)), (future, timezone.now() + timedelta(days=9))):
        ListingProvider.hold(template_external_id=template.external_id, email=learner.email, issued_at=issued_at)

    applied()

    assert Badge.objects.get(user=past).awarded_at == moment(3)
    assert Badge.objects.get(user=future).awarded_at <= timezone.now()


def test_a_later_revocation_of_an_adopted_badge_reaches_the_provider(template: BadgeTemplate) -> None:
    learner = UserFactory()
    ListingProvider.hold(template_external_id=template.external_id, email=learner.email)
    applied()
    badge = Badge.objects.get()

    awards.revoke([badge], timezone.now())
    run_due(badge.pk)

    assert ListingProvider.valid(badge) == []


def test_a_later_revocation_of_a_badge_whose_issue_is_not_known_here_reaches_the_provider(
    template: BadgeTemplate,
) -> None:
    badge = BadgeFactory(template=template)
    ListingProvider.hold(badge)
    assert applied() == ["different_state: applied"]
    badge.refresh_from_db()

    awards.revoke([badge], timezone.now())
    run_due(badge.pk)

    assert ListingProvider.valid(badge) == []


def test_an_adopted_badge_keeps_the_identifier_that_travelled_with_it(template: BadgeTemplate) -> None:
    own = uuid.uuid4()
    ListingProvider.hold(own_id=str(own), template_external_id=template.external_id, email=UserFactory().email)

    applied()

    assert Badge.objects.get().uuid == own


@pytest.mark.parametrize("own_id", ["learner-7", "{}", ""])
def test_an_identifier_of_somebody_else_is_not_taken_for_ours(template: BadgeTemplate, own_id: str) -> None:
    ListingProvider.hold(own_id=own_id, template_external_id=template.external_id, email=UserFactory().email)

    assert applied() == ["missing_here: applied"]
    assert compared() == []


def test_an_identifier_that_a_badge_of_another_account_has_is_not_taken_twice(template: BadgeTemplate) -> None:
    other = BadgeFactory(template=BadgeTemplateFactory())
    ListingProvider.hold(own_id=str(other.uuid), template_external_id=template.external_id, email=UserFactory().email)

    assert applied() == ["missing_here: applied"]
    assert Badge.objects.filter(template=template).get().uuid != other.uuid


def test_two_badges_of_one_learner_that_are_missing_here_are_one_difference(template: BadgeTemplate) -> None:
    learner = UserFactory()
    for _ in range(3):
        ListingProvider.hold(template_external_id=template.external_id, email=learner.email)

    assert compared() == ["missing_here: found"]
    assert applied() == ["missing_here: applied"]
    assert compared() == []


def test_a_badge_issued_by_hand_beside_ours_changes_nothing(badge: Badge) -> None:
    ListingProvider.hold(badge, own=False)

    assert compared() == []


def test_a_badge_issued_by_hand_to_a_learner_whose_own_was_revoked_is_not_taken_away(badge: Badge) -> None:
    awards.revoke([badge], moment(9))
    run_due(badge.pk)
    by_hand = ListingProvider.hold(badge, own=False)

    assert applied() == []
    assert ListingProvider.valid(badge) == [by_hand]


def test_where_another_took_the_place_of_a_badge_it_is_adopted(badge: Badge) -> None:
    ListingProvider.put(badge.external_id, "replaced")
    successor = ListingProvider.hold(badge)

    assert applied() == ["different_state: applied"]
    assert Badge.objects.get().external_id == successor
    assert compared() == []


def test_a_badge_issued_by_hand_that_ours_adopted_and_that_is_revoked_there_is_revoked_here(badge: Badge) -> None:
    ListingProvider.rows.clear()
    Badge.objects.update(external_id=ListingProvider.hold(badge, own=False, state="revoked"))

    assert applied() == ["revoked_there: applied"]
