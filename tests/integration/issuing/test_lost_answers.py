"""What a provider may hold already: looked up before anything is issued again, adopted, or taken back."""

from __future__ import annotations

import uuid

import pytest

from badges.data import Award, IssuedBadge
from badges.exceptions import (
    DuplicateBadge,
    ProviderRejected,
    ProviderUnavailable,
)
from badges.issuing import awards
from badges.issuing.deliveries import retry_now, run_due
from badges.models import Badge, Delivery
from tests.factories import moment
from tests.integration.issuing.helpers import issue_of, make_due
from tests.integration.issuing.scripted import ScriptedProvider

pytestmark = pytest.mark.django_db
Status = Delivery.Status


def test_an_issue_that_died_is_not_retried_for_a_badge_that_was_revoked_since(
    badge: Badge, provider: type[ScriptedProvider]
) -> None:
    provider.script.append(ProviderRejected("No."))
    run_due(badge.pk)
    dead = issue_of(badge)

    awards.revoke([badge], moment(6))
    run_due(badge.pk)

    assert not retry_now(dead)
    assert issue_of(badge).status == Status.CANCELLED
    assert provider.held == {}


def test_an_issue_that_fails_while_the_badge_is_revoked_is_not_tried_again(
    badge: Badge, provider: type[ScriptedProvider]
) -> None:
    def revoked_meanwhile(award: Award) -> None:
        awards.revoke([Badge.objects.get()], moment(6))
        raise ProviderUnavailable("Down.")

    provider.script.append(revoked_meanwhile)
    run_due(badge.pk)
    make_due(issue_of(badge))

    run_due(badge.pk)

    assert issue_of(badge).status == Status.CANCELLED
    assert provider.held == {}
    assert not badge.deliveries.filter(status__in=Delivery.OPEN).exists()


def test_a_look_up_that_outlasts_the_lease_does_not_issue(badge: Badge, provider: type[ScriptedProvider]) -> None:
    provider.script.append(ProviderUnavailable("Down."))
    run_due(badge.pk)
    make_due(issue_of(badge))
    find = provider.find_issued

    def slow(self: ScriptedProvider, award: Award) -> IssuedBadge | None:
        Delivery.objects.filter(pk=issue_of(badge).pk).update(lease_token=uuid.uuid4())
        return find(self, award)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(provider, "find_issued", slow)
        outcomes = [attempt.outcome for attempt in run_due(badge.pk)]

    assert outcomes == ["lost"]
    assert provider.calls == ["issue", "find"]


def test_a_learner_who_lost_the_email_can_still_lose_the_badge(badge: Badge, provider: type[ScriptedProvider]) -> None:
    run_due(badge.pk)
    badge.user.email = ""
    badge.user.save()

    awards.revoke([Badge.objects.get()], moment(6))
    run_due(badge.pk)

    assert not provider.held[badge.uuid].is_valid


def test_an_answer_that_got_lost_is_looked_up_and_adopted(badge: Badge, provider: type[ScriptedProvider]) -> None:
    provider.lose_answers.append(ProviderUnavailable("The connection was dropped.", outcome_unknown=True))
    run_due(badge.pk)
    make_due(issue_of(badge))

    run_due(badge.pk)

    badge.refresh_from_db()
    assert provider.calls == ["issue", "find"]
    assert (badge.external_id, len(provider.held)) == ("ext-1", 1)


def test_a_badge_that_the_provider_holds_already_is_adopted(badge: Badge, provider: type[ScriptedProvider]) -> None:
    provider.held[badge.uuid] = IssuedBadge("by-hand", "accepted")

    run_due(badge.pk)

    badge.refresh_from_db()
    assert (badge.external_id, badge.state) == ("by-hand", "accepted")


def test_a_badge_that_is_revoked_at_the_provider_is_not_adopted(badge: Badge, provider: type[ScriptedProvider]) -> None:
    provider.held[badge.uuid] = IssuedBadge("by-hand", "revoked", is_valid=False)

    run_due(badge.pk)

    badge.refresh_from_db()
    assert (badge.external_id, issue_of(badge).status) == ("", Status.DEAD)


def test_a_duplicate_that_the_provider_does_not_show_yet_is_looked_up_again(
    badge: Badge, provider: type[ScriptedProvider]
) -> None:
    provider.script.append(DuplicateBadge("The learner has this badge already."))
    run_due(badge.pk)
    assert issue_of(badge).status == Status.PENDING
    provider.held[badge.uuid] = IssuedBadge("by-hand", "accepted")
    make_due(issue_of(badge))

    run_due(badge.pk)

    badge.refresh_from_db()
    assert badge.external_id == "by-hand"


def test_a_revocation_after_a_failed_issue_asks_what_the_provider_holds(
    badge: Badge, provider: type[ScriptedProvider]
) -> None:
    provider.lose_answers.append(ProviderUnavailable("Lost.", outcome_unknown=True))
    run_due(badge.pk)

    awards.revoke([badge], moment(6))
    run_due(badge.pk)

    assert provider.calls == ["issue", "find", "revoke"]
    assert not provider.held[badge.uuid].is_valid
    assert not Delivery.objects.filter(badge=badge, status__in=Delivery.OPEN).exists()


def test_a_revocation_of_what_the_provider_never_got_needs_nothing(
    badge: Badge, provider: type[ScriptedProvider]
) -> None:
    provider.script.append(ProviderUnavailable("Down."))
    run_due(badge.pk)

    awards.revoke([badge], moment(6))
    run_due(badge.pk)

    assert provider.calls == ["issue", "find"]
    assert badge.deliveries.get(action=Delivery.Action.REVOKE).status == Status.DONE
