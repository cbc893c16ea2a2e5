"""What reconciling does with each difference between our badges and the provider's."""

from __future__ import annotations

import pytest
from django.utils import timezone

from badges.issuing import awards
from badges.issuing.deliveries import run_due
from badges.models import Badge, BadgeTemplate, Delivery
from tests.factories import BadgeFactory, DeliveryFactory, moment
from tests.integration.issuing.helpers import issue_of
from tests.integration.issuing.reconcile.helpers import applied, compared, finish, statuses
from tests.integration.issuing.reconcile.listing import ListingProvider

pytestmark = pytest.mark.django_db
Action, Status = Delivery.Action, Delivery.Status


def test_an_accepted_badge_is_adopted(badge: Badge) -> None:
    ListingProvider.put(badge.external_id, "accepted")

    assert applied() == ["different_state: applied"]
    assert Badge.objects.get().state == "accepted"
    assert compared() == []


def test_a_badge_that_was_revoked_at_the_provider_is_revoked_here_and_announced(badge: Badge) -> None:
    ListingProvider.put(badge.external_id, "revoked")

    assert applied() == ["revoked_there: applied"]
    badge.refresh_from_db()
    assert (badge.status, badge.state) == (Badge.Status.REVOKED, "revoked")
    assert statuses(badge)[Action.ANNOUNCE_REVOKED] == Status.PENDING
    run_due(badge.pk)
    assert "revoke" not in ListingProvider.calls
    assert compared() == []


def test_a_badge_that_the_learner_rejected_stays_awarded_here(badge: Badge) -> None:
    ListingProvider.put(badge.external_id, "rejected")

    assert applied() == ["different_state: applied"]
    badge.refresh_from_db()
    assert (badge.status, badge.state) == (Badge.Status.AWARDED, "rejected")
    assert compared() == []


def test_a_revoked_badge_that_is_valid_at_the_provider_is_revoked_there(badge: Badge) -> None:
    awards.revoke([badge], moment(9))
    finish(badge, Status.DONE, Action.REVOKE)

    assert applied() == ["valid_there: applied"]
    assert compared() == []
    run_due(badge.pk)
    assert ListingProvider.rows[badge.external_id].badge.is_revoked
    assert compared() == []


@pytest.mark.parametrize("status", [Status.DEAD, None])
def test_a_revocation_that_never_went_out_is_queued(badge: Badge, status: str | None) -> None:
    awards.revoke([badge], moment(9))
    badge.deliveries.filter(action=Action.REVOKE).delete()
    if status:
        finish(badge, status, Action.REVOKE)

    applied()

    assert statuses(badge)[Action.REVOKE] == Status.PENDING


def test_a_revocation_that_somebody_cancelled_is_left_alone(badge: Badge) -> None:
    awards.revoke([badge], moment(9))
    finish(badge, Status.CANCELLED, Action.REVOKE)

    assert applied() == []


def test_a_badge_with_a_delivery_under_way_is_left_alone(badge: Badge) -> None:
    awards.revoke([badge], moment(9))

    assert applied() == []


def test_an_issue_that_was_given_up_although_the_provider_did_it_is_done(badge: Badge) -> None:
    finish(badge, Status.DEAD)
    Badge.objects.update(external_id="", state="", url="")

    assert applied() == ["done_there: applied"]
    assert issue_of(badge).status == Status.DONE
    assert "provider has it" in issue_of(badge).note
    assert Badge.objects.get().external_id == badge.external_id
    assert compared() == []


@pytest.mark.parametrize("status", [Status.DONE, Status.DEAD])
def test_a_badge_that_the_provider_does_not_hold_is_issued_again(badge: Badge, status: str) -> None:
    finish(badge, status)
    ListingProvider.rows.clear()

    assert applied() == ["missing_there: applied"]
    assert compared() == []
    run_due(badge.pk)
    badge.refresh_from_db()
    assert ListingProvider.valid(badge) == [badge.external_id]
    assert compared() == []


def test_a_badge_without_an_issue_gets_one(template: BadgeTemplate) -> None:
    badge = BadgeFactory(template=template)

    assert applied() == ["missing_there: applied"]
    run_due(badge.pk)
    assert len(ListingProvider.valid(badge)) == 1


def test_an_issue_that_somebody_cancelled_is_left_alone(badge: Badge) -> None:
    finish(badge, Status.CANCELLED)
    ListingProvider.rows.clear()

    assert applied() == []


@pytest.mark.parametrize("status", [Status.DONE, None])
def test_a_badge_that_appears_at_the_provider_before_it_is_issued_again_is_not_issued_twice(
    badge: Badge, status: str | None
) -> None:
    issue_of(badge).delete()
    if status:
        # Somebody marked it as done, and nothing was ever attempted.
        DeliveryFactory(badge=badge, status=status, finished_at=timezone.now())
    rows = dict(ListingProvider.rows)
    ListingProvider.rows.clear()
    applied()
    ListingProvider.rows.update(rows)

    run_due(badge.pk)

    assert ListingProvider.valid(badge) == [badge.external_id]
    assert "issue" not in ListingProvider.calls


def test_a_revocation_before_the_new_issue_went_out_leaves_nothing_at_the_provider(badge: Badge) -> None:
    ListingProvider.rows.clear()
    applied()
    # The issue goes out, and its worker is killed before the answer is written down.
    ListingProvider.hold(badge)
    badge.refresh_from_db()
    awards.revoke([badge], moment(9))

    run_due(badge.pk)

    assert ListingProvider.valid(badge) == []
