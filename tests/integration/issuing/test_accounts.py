"""What the deliveries learn of an account: stopped, resting, probed, and its ceiling of calls."""

from __future__ import annotations

import logging
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.utils import timezone

from badges.conf import RateSettings, get_config
from badges.data import Award, Exchange
from badges.exceptions import (
    CeilingReached,
    ProviderAuthError,
    ProviderError,
    ProviderRateLimited,
    ProviderRejected,
    ProviderUnavailable,
)
from badges.issuing import awards, health
from badges.issuing.deliveries import run_due
from badges.issuing.gate import calls_of, gate_of, take_slot
from badges.issuing.sweep import sweep
from badges.models import AccountHealth, Badge, Delivery, ProviderAccount
from badges.providers import traffic
from tests.factories import UserFactory, moment
from tests.integration.issuing.helpers import issue_of, let_the_rest_end, make_due
from tests.integration.issuing.scripted import SETTINGS, ScriptedProvider, killed

pytestmark = pytest.mark.django_db
Status = Delivery.Status


def others(badge: Badge, number: int) -> list[Badge]:
    """Other learners' badges of the same template."""
    return [awards.award(UserFactory(), {badge.template.pk: moment(5)})[0] for _ in range(number)]


def account_of(badge: Badge) -> ProviderAccount:
    return ProviderAccount.objects.get(templates=badge.template)


@pytest.fixture
def refused(badge: Badge, provider: type[ScriptedProvider]) -> Badge:
    """A badge whose account was stopped, because its key was refused."""
    provider.script.append(ProviderAuthError("Credly refused the key.", status_code=401))
    run_due(badge.pk)
    return badge


def test_a_refused_key_stops_the_account_with_its_reason(refused: Badge) -> None:
    row = AccountHealth.objects.get()

    assert row.stopped_at is not None
    assert (row.stop_reason, row.last_error) == ("Credly refused the key.", "Credly refused the key.")


def test_a_delivery_waits_for_a_stopped_account_and_nothing_is_burnt(refused: Badge) -> None:
    delivery = issue_of(refused)

    assert (delivery.status, delivery.failures, delivery.give_up_at) == (Status.PENDING, 0, None)
    assert delivery.last_error == "Credly refused the key."
    assert delivery.history.get().outcome == "wait"


def test_a_stopped_account_is_not_called(refused: Badge, provider: type[ScriptedProvider]) -> None:
    for badge in others(refused, 3):
        run_due(badge.pk)

    assert provider.calls == ["issue"]


def test_one_log_line_tells_of_a_stop(
    badge: Badge, provider: type[ScriptedProvider], caplog: pytest.LogCaptureFixture
) -> None:
    account = account_of(badge)
    with caplog.at_level(logging.WARNING, "badges"):
        for _ in range(3):
            health.failed(account, ProviderAuthError("Credly refused the key."))

    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "is stopped, and its deliveries wait" in caplog.text


def test_a_new_key_lets_the_deliveries_go_on(refused: Badge, provider: type[ScriptedProvider]) -> None:
    account = account_of(refused)
    account.api_key = "another-key"
    account.save()

    sweep()

    assert issue_of(refused).status == Status.DONE


def test_a_new_key_in_the_settings_counts_too(refused: Badge, provider: type[ScriptedProvider], settings: Any) -> None:
    ProviderAccount.objects.update(external_id="org")
    settings.BADGES_CONFIG = {**SETTINGS, "scripted": {"ORGANIZATIONS": {"org": "a-key-of-the-settings"}}}

    sweep()

    assert issue_of(refused).status == Status.DONE


def test_a_stopped_account_is_checked_from_time_to_time(refused: Badge, provider: type[ScriptedProvider]) -> None:
    sweep()
    assert provider.calls == ["issue"]
    AccountHealth.objects.update(next_check_at=timezone.now())

    sweep()

    assert provider.calls == ["issue", "check", "find", "issue"]
    assert issue_of(refused).status == Status.DONE


def test_a_key_that_passes_the_check_and_is_refused_again_is_checked_less_and_less(
    refused: Badge, provider: type[ScriptedProvider]
) -> None:
    pauses = []
    for _ in range(3):
        provider.script.append(ProviderAuthError("It may read, and not issue."))
        AccountHealth.objects.update(next_check_at=timezone.now())
        sweep()
        next_check_at = AccountHealth.objects.get().next_check_at
        assert next_check_at is not None
        pauses.append(next_check_at - timezone.now())

    assert all(pause.total_seconds() > 1.9 * former.total_seconds() for former, pause in pairwise(pauses))
    assert issue_of(refused).status == Status.PENDING


def test_the_time_of_a_stop_counts_against_no_delivery(badge: Badge, provider: type[ScriptedProvider]) -> None:
    provider.script.extend([ProviderUnavailable("Down."), ProviderAuthError("Refused.")])
    run_due(badge.pk)
    make_due(issue_of(badge))
    run_due(badge.pk)
    Delivery.objects.filter(failures=1).update(give_up_at=timezone.now() - timedelta(days=1))

    health.resume(account_of(badge).pk)
    provider.script.append(ProviderUnavailable("Down again."))
    run_due(badge.pk)

    assert (issue_of(badge).status, issue_of(badge).failures) == (Status.PENDING, 1)


def test_an_account_without_a_key_is_stopped_too(badge: Badge, provider: type[ScriptedProvider]) -> None:
    ProviderAccount.objects.update(api_key="")

    run_due(badge.pk)

    assert "has no API key" in AccountHealth.objects.get().stop_reason


def test_failures_in_a_row_let_an_account_rest(badge: Badge, provider: type[ScriptedProvider]) -> None:
    provider.script.extend([ProviderUnavailable("Down.")] * 9)

    for one in others(badge, 8):
        run_due(one.pk)

    assert provider.calls == ["issue"] * 5


def test_a_success_begins_the_count_anew(badge: Badge, provider: type[ScriptedProvider]) -> None:
    failure = ProviderUnavailable("Down.")
    provider.script.extend([failure, failure, failure, failure, None, failure, failure])

    for one in others(badge, 7):
        run_due(one.pk)

    assert AccountHealth.objects.get().failures == 2
    assert AccountHealth.objects.get().paused_until is None


def test_a_refusal_for_good_shows_that_the_provider_is_well(badge: Badge, provider: type[ScriptedProvider]) -> None:
    provider.script.extend([ProviderUnavailable("Down.")] * 4 + [ProviderRejected("No.")])

    for one in others(badge, 5):
        run_due(one.pk)

    assert AccountHealth.objects.get().failures == 0


def rest(account: ProviderAccount) -> None:
    """Bring an account to rest, and let the rest be over."""
    for _ in range(5):
        health.failed(account, ProviderUnavailable("Down."))
    let_the_rest_end()


def test_after_its_rest_one_call_at_a_time_tries_the_account(badge: Badge, provider: type[ScriptedProvider]) -> None:
    [other] = others(badge, 1)
    rest(account_of(badge))
    seen: list[object] = []
    provider.script.append(lambda award: seen.append(run_due(other.pk)[1:]))

    run_due(badge.pk)

    assert seen == [[]]
    assert provider.calls == ["issue"]


def test_a_probe_that_fails_lets_the_account_rest_longer(badge: Badge, provider: type[ScriptedProvider]) -> None:
    account = account_of(badge)
    rest(account)
    provider.script.append(ProviderUnavailable("Down."))

    run_due(badge.pk)

    until = AccountHealth.objects.get().paused_until
    assert until is not None
    assert until - timezone.now() > timedelta(seconds=get_config().deliveries.pause * 1.9)


def test_a_probe_that_was_not_needed_is_left_to_the_next_worker(badge: Badge, provider: type[ScriptedProvider]) -> None:
    rest(account_of(badge))
    Badge.objects.filter(pk=badge.pk).update(status=Badge.Status.REVOKED, revoked_at=moment(9))
    [other] = others(badge, 1)

    run_due(badge.pk)
    run_due(other.pk)

    assert issue_of(badge).status == Status.CANCELLED
    assert issue_of(other).status == Status.DONE


def test_a_probe_that_succeeds_opens_the_account_for_all(badge: Badge, provider: type[ScriptedProvider]) -> None:
    rest(account_of(badge))
    others(badge, 3)

    sweep()

    assert len(provider.held) == 4


def test_a_probe_whose_worker_was_killed_is_followed_by_another(badge: Badge, provider: type[ScriptedProvider]) -> None:
    rest(account_of(badge))
    provider.script.append(killed)
    with pytest.raises(SystemExit):
        run_due(badge.pk)
    [other] = others(badge, 1)
    run_due(other.pk)
    assert issue_of(other).status == Status.PENDING
    let_the_rest_end()

    run_due(other.pk)

    assert issue_of(other).status == Status.DONE


@pytest.mark.parametrize(
    ("error", "seconds"), [(ProviderRateLimited("Slow."), 60), (ProviderRateLimited("Slow.", retry_after=300), 300)]
)
def test_a_rate_limit_is_one_for_the_whole_account(
    badge: Badge, provider: type[ScriptedProvider], error: ProviderError, seconds: int
) -> None:
    [other] = others(badge, 1)
    provider.script.append(error)

    run_due(badge.pk)
    run_due(other.pk)

    until = AccountHealth.objects.get().paused_until
    assert until is not None
    assert seconds - 5 < (until - timezone.now()).total_seconds() <= seconds
    assert provider.calls == ["issue"]


def test_an_answer_to_a_call_that_was_under_way_does_not_end_the_pause_that_another_was_asked_for(
    badge: Badge, provider: type[ScriptedProvider]
) -> None:
    error = ProviderRateLimited("Slow down.", retry_after=60)
    provider.script.append(lambda award: health.failed(account_of(badge), error))

    run_due(badge.pk)

    until = AccountHealth.objects.get().paused_until
    assert until is not None
    assert until - timezone.now() > timedelta(seconds=50)


def test_no_period_sees_more_calls_than_the_ceiling(badge: Badge) -> None:
    rate = RateSettings(calls=20, seconds=3600)
    gate = gate_of(account_of(badge))

    taken = sum(take_slot(gate.account_id, rate) == 0 for _ in range(30))

    assert 1 <= taken <= 20


def test_the_ceiling_is_one_for_all_workers_and_tells_how_long_to_wait(badge: Badge) -> None:
    rate = RateSettings(calls=5, seconds=100)
    gate = gate_of(account_of(badge))
    while (wait := take_slot(gate.account_id, rate)) == 0:
        pass

    assert 0 < wait <= 25
    assert take_slot(gate_of(account_of(badge)).account_id, rate) > 0


def test_a_delivery_beyond_the_ceiling_waits_for_its_turn_and_it_is_no_attempt(
    badge: Badge, provider: type[ScriptedProvider], settings: Any
) -> None:
    settings.BADGES_CONFIG = {**SETTINGS, "rate": {"calls": 1, "seconds": 100}}
    [other] = others(badge, 1)
    run_due(badge.pk)

    outcomes = [attempt.outcome for attempt in run_due(other.pk)]

    delivery = issue_of(other)
    assert outcomes == ["done", "postponed"]
    assert (delivery.status, delivery.attempts, delivery.failures) == (Status.PENDING, 0, 0)
    assert delivery.next_attempt_at > timezone.now()
    assert not delivery.history.exists()


def test_a_delivery_with_patience_waits_for_its_turn(badge: Badge, settings: Any) -> None:
    settings.BADGES_CONFIG = {**SETTINGS, "rate": {"calls": 1, "seconds": 0.2}}
    [other] = others(badge, 1)
    run_due(badge.pk)

    run_due(other.pk, patience=10)

    assert issue_of(other).status == Status.DONE


def test_a_ceiling_reached_after_the_provider_was_asked_to_do_something_is_an_attempt(
    badge: Badge, provider: type[ScriptedProvider]
) -> None:
    def asked(award: Award) -> None:
        traffic.after(Exchange("issuing a badge", "POST", "badges", "", 422, "duplicate", 3, changes=True))
        raise CeilingReached("Wait.", retry_after=5)

    provider.script.append(asked)

    run_due(badge.pk)

    delivery = issue_of(badge)
    assert (delivery.attempts, delivery.failures) == (1, 0)
    assert delivery.history.get().outcome == "retry"


def test_the_attempt_keeps_what_was_asked_and_answered(badge: Badge, provider: type[ScriptedProvider]) -> None:
    exchange = Exchange("issuing a badge", "POST", "organizations/1/badges", "{}", 201, "{}", 12, changes=True)
    provider.script.append(lambda award: traffic.after(exchange))

    run_due(badge.pk)

    assert issue_of(badge).history.get().exchanges == [
        {
            "doing": "issuing a badge",
            "method": "POST",
            "path": "organizations/1/badges",
            "asked": "{}",
            "status": 201,
            "answered": "{}",
            "duration_ms": 12,
            "changes": True,
        }
    ]


def test_work_that_somebody_asked_for_teaches_about_the_account_too(badge: Badge) -> None:
    account = account_of(badge)

    with pytest.raises(ProviderAuthError), calls_of(account):
        raise ProviderAuthError("Refused.")
    assert AccountHealth.objects.get().stopped_at is not None
    with calls_of(account):
        traffic.after(Exchange("asking", "GET", "x", "", 200, "{}", 1, changes=False))

    assert AccountHealth.objects.get().last_success_at is not None
