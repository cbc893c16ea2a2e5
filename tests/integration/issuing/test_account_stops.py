"""Accounts that are stopped: by which refusals, how they are checked, and how their deliveries go on."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import DataError
from django.utils import timezone

from badges.data import AccountInfo, Award
from badges.exceptions import CeilingReached, ProviderAuthError, ProviderError, ProviderRejected, ProviderUnavailable
from badges.issuing import awards, health
from badges.issuing.deliveries import run_due
from badges.issuing.sweep import sweep
from badges.models import AccountHealth, Badge, Delivery, ProviderAccount
from badges.models.deliveries import DeliveryQuerySet
from tests.factories import BadgeFactory, BadgeTemplateFactory, DeliveryFactory, UserFactory, moment
from tests.integration.issuing.helpers import issue_of, make_due
from tests.integration.issuing.scripted import ScriptedProvider

pytestmark = pytest.mark.django_db
Action, Status = Delivery.Action, Delivery.Status
FORBIDDEN = ProviderAuthError("It may not issue this template.", status_code=403)


class Calls(list[Any]):
    """Which awards the provider was asked to issue, in order."""


@pytest.fixture
def issued(provider: type[ScriptedProvider], monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Remembers the awards that the provider is asked for."""
    calls, play = Calls(), provider._play

    def remember(self: ScriptedProvider, call: str, award: Award) -> None:
        calls.append(award.uuid)
        play(self, call, award)

    monkeypatch.setattr(provider, "_play", remember)
    return calls


@pytest.fixture
def others(badge: Badge) -> list[Badge]:
    """Other learners' badges of the same account."""
    return [awards.award(UserFactory(), {badge.template.pk: moment(5)})[0] for _ in range(3)]


def refuse(monkeypatch: pytest.MonkeyPatch, provider: type[ScriptedProvider], *badges: Badge) -> None:
    """Let the provider answer 403 to these badges, whenever it is asked."""
    play, refused = provider._play, {badge.uuid for badge in badges}

    def answer(self: ScriptedProvider, call: str, award: Award) -> None:
        play(self, call, award)
        if award.uuid in refused:
            raise FORBIDDEN

    monkeypatch.setattr(provider, "_play", answer)


def refuse_checks(monkeypatch: pytest.MonkeyPatch, provider: type[ScriptedProvider], error: ProviderError) -> None:
    def refused(self: ScriptedProvider) -> AccountInfo:
        self.calls.append("check")
        raise error

    monkeypatch.setattr(provider, "check_account", refused)


def let_the_check_be_due() -> None:
    AccountHealth.objects.update(next_check_at=timezone.now())


def stops() -> int:
    return AccountHealth.objects.get().stops


def is_stopped() -> bool:
    return AccountHealth.objects.get().stopped_at is not None


@pytest.fixture
def one_refused(
    badge: Badge, others: list[Badge], provider: type[ScriptedProvider], issued: Calls, monkeypatch: pytest.MonkeyPatch
) -> Badge:
    """Of four badges the first is always refused (403); its account was stopped for that, and is to be checked."""
    refuse(monkeypatch, provider, badge)
    sweep()
    let_the_check_be_due()
    return badge


def test_a_403_stops_the_account(one_refused: Badge, issued: Calls) -> None:
    assert (is_stopped(), stops()) == (True, 1)
    assert issued == [one_refused.uuid]


def test_after_a_passing_check_the_others_go_out_first(one_refused: Badge, others: list[Badge], issued: Calls) -> None:
    sweep()

    assert issued[1:] == [*(badge.uuid for badge in others), one_refused.uuid]


def test_after_a_passing_check_all_of_the_others_go_out(one_refused: Badge, others: list[Badge]) -> None:
    sweep()

    assert [issue_of(badge).status for badge in others] == [Status.DONE] * 3


def test_the_one_that_is_refused_again_is_treated_alone(one_refused: Badge) -> None:
    sweep()

    delivery = issue_of(one_refused)
    assert (delivery.status, delivery.failures) == (Status.PENDING, 1)
    assert delivery.next_attempt_at > timezone.now() + timedelta(seconds=20)
    assert not is_stopped()


def test_the_one_that_is_refused_alone_is_tried_with_growing_pauses_and_stops_nobody(one_refused: Badge) -> None:
    pauses = []
    for _ in range(4):
        sweep()
        pauses.append((issue_of(one_refused).next_attempt_at - timezone.now()).total_seconds())
        make_due(issue_of(one_refused))

    assert all(later > 1.5 * former for former, later in pairwise(pauses))
    assert not is_stopped()


def test_the_one_that_is_refused_alone_is_given_up_in_the_end(one_refused: Badge) -> None:
    sweep()
    Delivery.objects.filter(badge=one_refused).update(failures=9, give_up_at=timezone.now() - timedelta(days=1))
    make_due(issue_of(one_refused))

    sweep()

    assert issue_of(one_refused).status == Status.DEAD


@pytest.mark.parametrize("status_code", [401, None])
def test_only_a_403_is_one_of_the_delivery_alone(
    badge: Badge, others: list[Badge], provider: type[ScriptedProvider], status_code: int | None
) -> None:
    error = ProviderAuthError("Refused.", status_code=status_code)
    provider.script.extend([error, None, None, None, error])
    sweep()
    let_the_check_be_due()

    sweep()

    assert is_stopped()


def test_a_403_of_what_was_never_refused_before_stops_the_account_though_the_key_worked_for_others(
    badge: Badge, others: list[Badge], provider: type[ScriptedProvider]
) -> None:
    provider.script.extend([None, FORBIDDEN])

    sweep()

    assert is_stopped()


def test_a_key_that_reads_and_never_issues_is_checked_less_and_less(
    badge: Badge, others: list[Badge], provider: type[ScriptedProvider], monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, provider, badge, *others)
    pauses = []
    for _ in range(5):
        sweep()
        assert is_stopped()
        next_check_at = AccountHealth.objects.get().next_check_at
        assert next_check_at is not None
        pauses.append((next_check_at - timezone.now()).total_seconds())
        let_the_check_be_due()

    assert all(later > 1.9 * former for former, later in pairwise(pauses))


def test_a_key_that_reads_and_never_issues_costs_one_issue_a_check(
    badge: Badge, others: list[Badge], provider: type[ScriptedProvider], issued: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, provider, badge, *others)
    for _ in range(4):
        sweep()
        let_the_check_be_due()

    assert len(issued) == 4


def test_a_passing_check_does_not_begin_the_count_of_stops_anew(badge: Badge, provider: type[ScriptedProvider]) -> None:
    provider.script.extend([FORBIDDEN, ProviderUnavailable("Down.")])
    run_due(badge.pk)
    let_the_check_be_due()

    sweep()

    assert (is_stopped(), stops()) == (False, 1)


def test_a_delivery_that_is_refused_for_good_does_not_begin_the_count_of_stops_anew(
    badge: Badge, provider: type[ScriptedProvider]
) -> None:
    provider.script.extend([FORBIDDEN, ProviderRejected("No.")])
    run_due(badge.pk)
    let_the_check_be_due()

    sweep()

    assert (issue_of(badge).status, stops()) == (Status.DEAD, 1)


def test_a_delivery_that_succeeds_begins_the_count_of_stops_anew(
    badge: Badge, provider: type[ScriptedProvider]
) -> None:
    provider.script.append(FORBIDDEN)
    run_due(badge.pk)
    let_the_check_be_due()

    sweep()

    assert (issue_of(badge).status, stops()) == (Status.DONE, 0)


@pytest.mark.parametrize("error", [ProviderAuthError("Refused.", status_code=401), ProviderUnavailable("Down.")])
def test_each_check_that_fails_puts_the_next_one_off_longer(
    badge: Badge, provider: type[ScriptedProvider], monkeypatch: pytest.MonkeyPatch, error: ProviderError
) -> None:
    provider.script.append(ProviderAuthError("Refused.", status_code=401))
    run_due(badge.pk)
    refuse_checks(monkeypatch, provider, error)
    pauses = []
    for _ in range(4):
        let_the_check_be_due()
        sweep()
        next_check_at = AccountHealth.objects.get().next_check_at
        assert next_check_at is not None
        pauses.append((next_check_at - timezone.now()).total_seconds())

    assert all(later > 1.9 * former for former, later in pairwise(pauses))


def test_a_check_that_our_own_ceiling_put_off_is_still_to_be_made_and_is_no_failed_one(
    badge: Badge, provider: type[ScriptedProvider], monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.script.append(ProviderAuthError("Refused."))
    run_due(badge.pk)
    let_the_check_be_due()
    refuse_checks(monkeypatch, provider, CeilingReached("Wait.", retry_after=5.0))

    sweep()

    row = AccountHealth.objects.get()
    assert row.next_check_at is not None
    assert (row.stops, row.next_check_at <= timezone.now()) == (1, True)


def test_a_stopped_account_tells_what_stands_in_the_way_now(
    stopped: ProviderAccount, provider: type[ScriptedProvider], monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_checks(monkeypatch, provider, ProviderAuthError("The new key is refused, too.", status_code=401))
    let_the_check_be_due()

    sweep()

    row = AccountHealth.objects.get()
    assert (row.stop_reason, row.last_error) == ("The new key is refused, too.",) * 2


def test_a_check_that_fails_leaves_the_account_stopped_with_its_reason(
    badge: Badge, provider: type[ScriptedProvider], monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.script.append(ProviderAuthError("Refused as it issued.", status_code=401))
    run_due(badge.pk)
    refuse_checks(monkeypatch, provider, ProviderUnavailable("Down."))
    let_the_check_be_due()

    sweep()

    assert AccountHealth.objects.get().stop_reason == "Refused as it issued."


@pytest.fixture
def stopped(badge: Badge, others: list[Badge], provider: type[ScriptedProvider]) -> ProviderAccount:
    """A stopped account whose deliveries have failed before, one of them at a worker that is gone or still at it."""
    account = ProviderAccount.objects.get(templates=badge.template)
    health.stop(account, "Refused.")
    later = timezone.now() + timedelta(hours=5)
    waiting = Delivery.objects.filter(action=Action.ISSUE)
    waiting.update(failures=4, give_up_at=timezone.now() - timedelta(days=1), next_attempt_at=later)
    taken = Delivery.objects.filter(pk=issue_of(others[0]).pk)
    taken.move(Status.IN_PROGRESS, lease_token="7" * 32, leased_until=timezone.now() + timedelta(minutes=4))
    return account


def test_whatever_waited_for_a_stopped_account_begins_anew_and_is_due(stopped: ProviderAccount) -> None:
    health.resume(stopped.pk)

    now = timezone.now()
    found = Delivery.objects.filter(action=Action.ISSUE).values_list("status", "failures", "give_up_at")
    assert sorted(found) == [(Status.IN_PROGRESS, 0, None), *[(Status.PENDING, 0, None)] * 3]
    assert not Delivery.objects.filter(next_attempt_at__gt=now).exists()


def test_what_a_worker_has_keeps_its_lease_when_the_account_goes_on(
    stopped: ProviderAccount, others: list[Badge]
) -> None:
    lease = issue_of(others[0]).leased_until

    health.resume(stopped.pk)

    assert issue_of(others[0]).leased_until == lease
    assert str(issue_of(others[0]).lease_token).replace("-", "") == "7" * 32


def test_what_waits_for_other_accounts_is_left_alone_when_one_goes_on(stopped: ProviderAccount) -> None:
    elsewhere = ProviderAccount.objects.create(provider="scripted", name="Another", api_key="key")
    template = BadgeTemplateFactory(account=elsewhere)
    later = timezone.now() + timedelta(hours=5)
    delivery = DeliveryFactory(badge=BadgeFactory(template=template), failures=2, next_attempt_at=later)

    health.resume(stopped.pk)

    delivery.refresh_from_db()
    assert (delivery.failures, delivery.next_attempt_at) == (2, later)


@pytest.mark.parametrize("changed", ["failures", "next_attempt_at"])
def test_an_account_whose_deliveries_cannot_all_be_reset_stays_stopped(
    stopped: ProviderAccount, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    update = DeliveryQuerySet.update

    def failing(self: DeliveryQuerySet, **values: Any) -> int:
        if changed in values:
            raise DataError
        return update(self, **values)

    monkeypatch.setattr(DeliveryQuerySet, "update", failing)

    with pytest.raises(DataError):
        health.resume(stopped.pk)

    assert is_stopped()
    assert set(Delivery.objects.filter(action=Action.ISSUE).values_list("failures", flat=True)) == {4}


def test_an_account_that_was_not_stopped_resets_nothing(badge: Badge) -> None:
    account = ProviderAccount.objects.get()
    health.of(account.pk)
    Delivery.objects.filter(badge=badge).update(failures=3)

    assert not health.resume(account.pk)
    assert issue_of(badge).failures == 3
