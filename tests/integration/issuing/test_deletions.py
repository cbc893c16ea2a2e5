"""Badges of learners who leave are deleted at their providers, and nothing here leads to them any more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from attrs import evolve
from django.db import transaction
from django.utils import timezone

from badges.data import IssuedBadge
from badges.exceptions import ProviderAuthError, ProviderRejected, ProviderUnavailable
from badges.issuing import awards, by_hand, erasure, health
from badges.issuing.deliveries import run_due
from badges.issuing.erasure import AtProvider, parting
from badges.issuing.following import follow
from badges.issuing.reconcile_match import ours_of
from badges.issuing.reconcile_rules import Kind, compare
from badges.models import Badge, BadgeTemplate, Delivery, ProviderBadge
from tests.factories import BadgeFactory, ProviderBadgeFactory, UserFactory, moment
from tests.integration.issuing.erasing import ErasingProvider
from tests.integration.issuing.helpers import make_due

pytestmark = pytest.mark.django_db
Action, Status = Delivery.Action, Delivery.Status


@pytest.fixture
def provider(settings: Any) -> Iterator[type[ErasingProvider]]:
    yield from ErasingProvider.registered(settings)


@pytest.fixture
def badge(template: BadgeTemplate) -> Badge:
    """Issued at the provider."""
    found = awards.award(UserFactory(), {template.pk: moment(5)})[0]
    run_due(found.pk)
    return Badge.objects.get(pk=found.pk)


def part(badge: Badge, way: AtProvider = AtProvider.DELETE) -> erasure.Parting:
    with transaction.atomic():
        erasure.hold(badge.user)
        return erasure.carry_out(badge.user, way)


def statuses(badge: Badge) -> dict[str, str]:
    return dict(badge.deliveries.exclude(action__startswith="announce").values_list("action", "status"))


def test_a_badge_is_deleted_at_the_provider_and_what_leads_to_it_is_forgotten(
    badge: Badge, provider: type[ErasingProvider]
) -> None:
    beside = ProviderBadgeFactory(account=badge.template.account, badge=badge, external_id=badge.external_id)
    assert part(badge).deleted == (badge.pk,)
    run_due(badge.pk)

    badge.refresh_from_db()
    assert (badge.status, badge.state, badge.external_id, badge.url) == ("revoked", "deleted", "", "")
    assert statuses(badge) == {"issue": "done", "revoke": "cancelled", "delete": "done"}
    assert provider.held == {}
    assert "revoke" not in provider.calls
    assert not ProviderBadge.objects.filter(pk=beside.pk).exists()


def test_the_change_is_kept_with_its_reason(badge: Badge) -> None:
    part(badge)
    change = badge.changes.get()
    assert (change.action, change.by, change.reason) == ("revoked", None, "The learner was retired.")


def test_a_badge_that_was_revoked_long_ago_is_deleted_too(badge: Badge, provider: type[ErasingProvider]) -> None:
    awards.revoke([badge], timezone.now())
    run_due(badge.pk)
    done = part(badge)
    run_due(badge.pk)
    assert (done.revoked, done.deleted, provider.held) == ((), (badge.pk,), {})


def test_a_badge_whose_issue_never_went_out_is_not_looked_for(
    template: BadgeTemplate, provider: type[ErasingProvider]
) -> None:
    badge = awards.award(UserFactory(), {template.pk: moment(5)})[0]
    done = part(badge)
    run_due(badge.pk)
    assert (done.revoked, done.deleted) == ((badge.pk,), ())
    assert statuses(badge) == {"issue": "cancelled"}
    assert provider.calls == []


def test_a_badge_whose_answer_was_lost_is_looked_for_and_deleted(
    template: BadgeTemplate, provider: type[ErasingProvider]
) -> None:
    badge = awards.award(UserFactory(), {template.pk: moment(5)})[0]
    provider.lose_answers.append(ProviderUnavailable("No answer.", outcome_unknown=True))
    run_due(badge.pk)
    assert provider.held
    part(badge)
    run_due(badge.pk)
    assert provider.calls == ["issue", "find", "delete"]
    assert (provider.held, statuses(badge)["delete"]) == ({}, "done")


def test_a_badge_that_the_provider_never_got_is_done_after_one_look(
    template: BadgeTemplate, provider: type[ErasingProvider]
) -> None:
    badge = awards.award(UserFactory(), {template.pk: moment(5)})[0]
    provider.script.append(ProviderUnavailable("No answer.", outcome_unknown=True))
    run_due(badge.pk)
    part(badge)
    run_due(badge.pk)
    deletion = badge.deliveries.get(action=Action.DELETE)
    assert deletion.note == "The provider does not hold this badge, so there is nothing to delete."
    assert part(badge) == erasure.Parting()


def test_a_lost_answer_is_asked_for_again(badge: Badge, provider: type[ErasingProvider]) -> None:
    part(badge)
    provider.lose_answers.append(ProviderUnavailable("No answer.", outcome_unknown=True))
    run_due(badge.pk)
    badge.refresh_from_db()
    assert badge.external_id
    make_due(badge.deliveries.get(action=Action.DELETE))
    health.forget([badge.template.account_id or 0])
    run_due(badge.pk)
    assert provider.calls.count("delete") == 2
    assert statuses(badge)["delete"] == "done"


def test_again_there_is_nothing_to_do(badge: Badge) -> None:
    part(badge)
    assert part(badge) == erasure.Parting()
    run_due(badge.pk)
    assert part(badge) == erasure.Parting()


def test_a_deletion_that_was_given_up_is_tried_again(badge: Badge, provider: type[ErasingProvider]) -> None:
    part(badge)
    provider.script.append(ProviderRejected("No right to delete.", status_code=403))
    run_due(badge.pk)
    assert statuses(badge)["delete"] == "dead"
    assert part(badge).deleted == (badge.pk,)
    run_due(badge.pk)
    assert (statuses(badge)["delete"], provider.held) == ("done", {})


def test_one_that_somebody_cancelled_stays_cancelled(badge: Badge) -> None:
    part(badge)
    deletion = badge.deliveries.get(action=Action.DELETE)
    by_hand.end([deletion.pk], Status.CANCELLED, "We keep it.")
    assert part(badge) == erasure.Parting()


def test_one_that_somebody_did_at_the_provider_is_forgotten_here(badge: Badge) -> None:
    part(badge)
    deletion = badge.deliveries.get(action=Action.DELETE)
    by_hand.end([deletion.pk], Status.DONE, "Deleted on the provider's pages.")
    badge.refresh_from_db()
    assert (badge.state, badge.external_id, badge.url) == ("deleted", "", "")


def test_a_revocation_that_failed_does_not_hold_up_the_deletion(badge: Badge, provider: type[ErasingProvider]) -> None:
    awards.revoke([badge], timezone.now())
    provider.script.append(ProviderUnavailable("Down."))
    run_due(badge.pk)
    part(badge)
    run_due(badge.pk)
    assert statuses(badge) == {"issue": "done", "revoke": "cancelled", "delete": "done"}


def test_a_stopped_account_keeps_it_waiting_and_goes_on_with_it(badge: Badge, provider: type[ErasingProvider]) -> None:
    part(badge)
    provider.script.append(ProviderAuthError("Wrong key.", status_code=401))
    run_due(badge.pk)
    assert statuses(badge)["delete"] == "pending"
    health.resume(badge.template.account_id or 0)
    run_due(badge.pk)
    assert statuses(badge)["delete"] == "done"


def test_revoking_leaves_the_page_and_is_sent_to_the_provider(badge: Badge, provider: type[ErasingProvider]) -> None:
    assert part(badge, AtProvider.REVOKE) == erasure.Parting(revoked=(badge.pk,))
    run_due(badge.pk)
    badge.refresh_from_db()
    assert (badge.status, badge.state) == ("revoked", "revoked")
    assert badge.external_id
    assert list(provider.held.values()) == [IssuedBadge(badge.external_id, "revoked", is_valid=False)]


def test_after_a_revocation_a_deletion_can_follow(badge: Badge, provider: type[ErasingProvider]) -> None:
    part(badge, AtProvider.REVOKE)
    run_due(badge.pk)
    part(badge)
    run_due(badge.pk)
    assert statuses(badge) == {"issue": "done", "revoke": "done", "delete": "done"}
    assert provider.held == {}


@pytest.mark.parametrize("way", [AtProvider.REVOKE, AtProvider.DELETE])
def test_a_badge_that_another_learner_holds_is_not_taken_from_the_other(
    template: BadgeTemplate, badge: Badge, provider: type[ErasingProvider], way: AtProvider
) -> None:
    """Two share an address, and a provider that knows learners by it has one badge for both."""
    other = awards.award(UserFactory(), {template.pk: moment(5)})[0]
    provider.script.append(ProviderUnavailable("No answer.", outcome_unknown=True))
    run_due(other.pk)
    provider.held[other.uuid] = provider.held[badge.uuid]
    calls = list(provider.calls)
    part(other, way)
    run_due(other.pk)
    assert provider.calls == [*calls, "find"]
    assert other.deliveries.get(action=way).note.startswith("Another learner holds this badge at the provider")
    assert part(badge, way).revoked == (badge.pk,)
    run_due(badge.pk)
    assert provider.calls[-1] == way


def test_a_revocation_that_was_given_up_is_begun_again(badge: Badge, provider: type[ErasingProvider]) -> None:
    awards.revoke([badge], timezone.now())
    provider.script.append(ProviderRejected("Not now.", status_code=422))
    run_due(badge.pk)
    assert statuses(badge)["revoke"] == "dead"
    assert part(badge, AtProvider.REVOKE) == erasure.Parting(again=(badge.pk,))
    run_due(badge.pk)
    assert statuses(badge)["revoke"] == "done"
    assert part(badge, AtProvider.REVOKE) == erasure.Parting()


def test_where_nothing_can_be_deleted_it_is_revoked(badge: Badge, settings: Any) -> None:
    settings.BADGES_CONFIG = {"providers": {"scripted": "tests.integration.issuing.scripted.ScriptedProvider"}}
    done = part(badge)
    run_due(badge.pk)
    badge.refresh_from_db()
    assert done == erasure.Parting(revoked=(badge.pk,), left=(badge.pk,))
    assert statuses(badge) == {"issue": "done", "revoke": "done"}
    assert badge.external_id


def test_an_account_that_only_tells_us_of_its_badges_is_told_nothing(badge: Badge) -> None:
    account = badge.template.account
    assert account is not None
    type(account).objects.filter(pk=account.pk).update(is_issuing=False)
    assert part(badge) == erasure.Parting(revoked=(badge.pk,), left=(badge.pk,))
    assert "delete" not in statuses(badge)


def test_a_badge_without_a_provider_is_only_revoked(db: None) -> None:
    badge = BadgeFactory()
    assert part(badge) == erasure.Parting(revoked=(badge.pk,))


def test_what_would_be_done_is_what_is_done(badge: Badge) -> None:
    planned = parting(erasure.badges_of(badge.user), AtProvider.DELETE)
    assert part(badge) == evolve(planned, replaced=())


def test_late_news_of_a_deleted_badge_change_nothing(badge: Badge) -> None:
    held = IssuedBadge(badge.external_id, "accepted", "https://provider.example.com/1", state_at=timezone.now())
    part(badge)
    run_due(badge.pk)
    badge.refresh_from_db()
    assert not follow(badge, evolve(held, state_at=timezone.now()), timezone.now())
    badge.refresh_from_db()
    assert (badge.external_id, badge.url) == ("", "")


def test_one_that_a_reconciliation_finds_valid_is_deleted_and_not_written_down(badge: Badge) -> None:
    held = IssuedBadge(badge.external_id, "accepted", "https://provider.example.com/1")
    part(badge)
    assert compare(ours_of(badge), held) is None
    run_due(badge.pk)
    badge = Badge.objects.get(pk=badge.pk)
    assert compare(ours_of(badge), held) is Kind.VALID_THERE
    assert compare(ours_of(badge), evolve(held, state="revoked", is_valid=False)) is None
