"""What reconciling does where something fails, or changes while it compares."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import DatabaseError
from django.utils import timezone

from badges.exceptions import ProviderAuthError, ProviderRejected, ProviderUnavailable, UnexpectedAnswer
from badges.issuing import awards, reconcile_apply
from badges.issuing.reconcile import Finding, reconcile
from badges.models import AccountHealth, Badge, BadgeTemplate, Delivery, ProviderAccount
from tests.factories import BadgeFactory, DeliveryFactory, UserFactory, moment
from tests.integration.issuing.reconcile.helpers import applied, compared
from tests.integration.issuing.reconcile.listing import ListingProvider

pytestmark = pytest.mark.django_db
Action, Status = Delivery.Action, Delivery.Status


def test_a_badge_that_is_awarded_during_the_run_is_not_missed_by_it(
    badge: Badge, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = ListingProvider.issued_badges

    def slow(self: ListingProvider, since: Any = None) -> Iterator[Any]:
        yield from real(self, since)
        DeliveryFactory(badge=BadgeFactory(template=badge.template), status=Status.DONE, finished_at=timezone.now())

    monkeypatch.setattr(ListingProvider, "issued_badges", slow)

    assert compared() == []


def test_what_changed_between_comparing_and_settling_is_left_to_the_next_run(badge: Badge) -> None:
    ListingProvider.put(badge.external_id, "revoked")
    found: list[Finding] = []
    reconcile(ProviderAccount.objects.get(), on_finding=found.append)
    Badge.objects.update(state="something newer")

    assert not reconcile_apply.settle(found[0].difference)
    assert Badge.objects.get().is_awarded


def test_a_badge_that_an_event_awarded_meanwhile_is_not_made_twice(template: BadgeTemplate) -> None:
    learner = UserFactory()
    ListingProvider.hold(template_external_id=template.external_id, email=learner.email)
    found: list[Finding] = []
    reconcile(ProviderAccount.objects.get(), on_finding=found.append)
    awards.award(learner, {template.pk: moment(5)})

    assert not reconcile_apply.settle(found[0].difference)
    assert Badge.objects.count() == 1


def test_one_badge_that_cannot_be_settled_does_not_keep_the_others(
    template: BadgeTemplate, monkeypatch: pytest.MonkeyPatch
) -> None:
    badges = [BadgeFactory(template=template) for _ in range(2)]
    real = reconcile_apply._queue

    def broken(badge: Badge, action: Delivery.Action) -> None:
        if badge.pk == badges[0].pk:
            raise DatabaseError("anna@example.com")
        real(badge, action)

    monkeypatch.setattr(reconcile_apply, "_queue", broken)

    first, _, second = sorted(applied())
    assert first.startswith(f"Badge {badges[0].uuid} could not be settled, and nothing was changed: DatabaseError")
    assert "anna" not in first
    assert second == "missing_there: failed"


@pytest.mark.parametrize("error", [ProviderUnavailable("Down."), KeyError("anna@example.com")])
def test_where_the_list_breaks_off_what_was_found_is_told_and_nothing_counts_as_missing(
    badge: Badge, error: Exception
) -> None:
    ListingProvider.put(badge.external_id, "accepted")
    BadgeFactory(template=badge.template)
    ListingProvider.fails_after[1] = error

    difference, problem = compared()

    assert difference == "different_state: found"
    assert problem.startswith("The comparison ended before its end: ")
    assert "anna" not in problem


def test_a_refused_key_stops_the_account(badge: Badge) -> None:
    ListingProvider.fails_after[0] = ProviderAuthError("The key was refused.")

    compared()

    assert AccountHealth.objects.get().stopped_at is not None


@pytest.mark.parametrize("error", [ProviderRejected("No."), UnexpectedAnswer("Others.")])
def test_one_badge_that_cannot_be_looked_up_does_not_count_as_missing(badge: Badge, error: Exception) -> None:
    missing = BadgeFactory(template=badge.template)
    ListingProvider.rows.clear()
    ListingProvider.find_fails.append(error)

    problem, difference = applied()

    assert problem == f"Badge {badge.uuid} could not be looked up: {error}"
    assert difference == "missing_there: applied"
    assert missing.deliveries.count() == 1


def test_a_row_without_a_usable_identifier_is_told_of(template: BadgeTemplate) -> None:
    ListingProvider.rows[""] = ListingProvider.rows.pop(ListingProvider.hold(BadgeFactory(template=template)))
    object.__setattr__(ListingProvider.rows[""].badge, "external_id", "")

    problem, _ = compared()

    assert problem.startswith("A badge in the provider's list cannot be used: ")
