"""How an account rests: probes that come to no answer, pauses that meet, and what is no failure of an account."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Protocol

import pytest
from django.utils import timezone

from badges.conf import get_config
from badges.data import Award, Exchange
from badges.exceptions import (
    CeilingReached,
    NotSent,
    ProviderError,
    ProviderRateLimited,
    ProviderUnavailable,
    RefusedAlone,
)
from badges.issuing import awards, health
from badges.issuing.deliveries import run_due
from badges.issuing.gate import take_slot
from badges.issuing.health import Admission, Probe
from badges.models import AccountHealth, Badge, Delivery, ProviderAccount
from badges.providers import registry, traffic
from tests.factories import UserFactory, moment
from tests.integration.issuing.helpers import issue_of, let_the_rest_end
from tests.integration.issuing.scripted import ScriptedProvider

pytestmark = pytest.mark.django_db
Status = Delivery.Status
DOWN = ProviderUnavailable("Down.")


@pytest.fixture
def account(badge: Badge) -> ProviderAccount:
    """The account of the badge."""
    return ProviderAccount.objects.get(templates=badge.template)


@pytest.fixture
def other(badge: Badge) -> Badge:
    """Another learner's badge of the same account."""
    return awards.award(UserFactory(), {badge.template.pk: moment(5)})[0]


@pytest.fixture
def rested(account: ProviderAccount) -> ProviderAccount:
    """An account whose rest is over, so that the next delivery is its probe."""
    for _ in range(5):
        health.failed(account, DOWN)
    let_the_rest_end()
    return account


def rests_for() -> float:
    """The seconds that the account still rests."""
    until = AccountHealth.objects.get().paused_until
    return (until - timezone.now()).total_seconds() if until is not None else 0.0


class Obstacle(Protocol):
    """Something that keeps a probe from being answered."""

    def __call__(self, badge: Badge, provider: type[ScriptedProvider], patch: pytest.MonkeyPatch) -> None: ...


def no_place_left(badge: Badge, provider: type[ScriptedProvider], patch: pytest.MonkeyPatch) -> None:
    """Our own ceiling postpones the probe."""
    account = badge.template.account
    assert account is not None
    # A place an hour: none is free again while the test runs.
    patch.setattr(provider, "settings_defaults", {**provider.settings_defaults, "RATE": {"calls": 1, "seconds": 3600}})
    while take_slot(account.pk, registry.provider_settings("scripted").rate) == 0:
        pass


def outlasts_its_lease(badge: Badge, provider: type[ScriptedProvider], patch: pytest.MonkeyPatch) -> None:
    """The look-up before a second attempt takes too long, and another worker has the delivery."""

    def slow(self: ScriptedProvider, award: Award) -> None:
        Delivery.objects.filter(badge=badge).update(lease_token=uuid.uuid4())

    Delivery.objects.filter(badge=badge).update(attempts=1)
    patch.setattr(provider, "find_issued", slow)


def meets_a_bug(badge: Badge, provider: type[ScriptedProvider], patch: pytest.MonkeyPatch) -> None:
    """The plug-in breaks."""
    provider.script.append(KeyError("badge"))


def has_no_address(badge: Badge, provider: type[ScriptedProvider], patch: pytest.MonkeyPatch) -> None:
    """The learner has no e-mail address, so that the provider is not asked."""
    badge.user.email = ""
    badge.user.save()


OBSTACLES = [no_place_left, outlasts_its_lease, meets_a_bug, has_no_address]


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_a_probe_that_comes_to_no_answer_is_left_to_the_next_worker(
    rested: ProviderAccount,
    badge: Badge,
    provider: type[ScriptedProvider],
    monkeypatch: pytest.MonkeyPatch,
    obstacle: Obstacle,
) -> None:
    obstacle(badge, provider, monkeypatch)

    run_due(badge.pk)

    assert isinstance(health.admission(rested), Probe)


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_a_probe_that_comes_to_no_answer_does_not_open_the_account(
    rested: ProviderAccount,
    badge: Badge,
    provider: type[ScriptedProvider],
    monkeypatch: pytest.MonkeyPatch,
    obstacle: Obstacle,
) -> None:
    obstacle(badge, provider, monkeypatch)

    run_due(badge.pk)

    row = AccountHealth.objects.get()
    assert row.paused_until is not None
    assert row.failures == 5


@pytest.mark.parametrize(("first", "second"), [(60, 3600), (3600, 60)])
def test_of_two_pauses_the_longer_one_counts(account: ProviderAccount, first: int, second: int) -> None:
    for seconds in (first, second):
        health.failed(account, ProviderRateLimited("Slow down.", retry_after=seconds))

    assert 3590 < rests_for() <= 3600


def test_failures_in_a_row_do_not_shorten_a_pause_that_the_provider_asked_for(account: ProviderAccount) -> None:
    for _ in range(4):
        health.failed(account, DOWN)
    health.failed(account, ProviderRateLimited("Slow down.", retry_after=3600))

    health.failed(account, DOWN)

    assert rests_for() > 3590


def test_calls_that_were_under_way_do_not_lengthen_the_rest_when_they_fail(account: ProviderAccount) -> None:
    for _ in range(5):
        health.failed(account, DOWN)
    before = AccountHealth.objects.get()

    for _ in range(20):
        health.failed(account, DOWN)

    after = AccountHealth.objects.get()
    assert (after.paused_until, after.failures) == (before.paused_until, before.failures)


def test_a_call_that_was_under_way_does_not_end_the_lease_of_the_probe_when_it_fails(rested: ProviderAccount) -> None:
    probe = health.admission(rested)
    assert isinstance(probe, Probe)

    health.failed(rested, DOWN)

    row = AccountHealth.objects.get()
    assert (row.paused_until, row.probing_until) == (probe.paused_until, probe.ends)
    assert health.admission(rested) is Admission.BLOCKED


@pytest.mark.parametrize("seconds", [60, 3600])
def test_a_probe_that_succeeds_does_not_end_a_pause_that_another_was_asked_for_meanwhile(
    rested: ProviderAccount, badge: Badge, provider: type[ScriptedProvider], seconds: int
) -> None:
    error = ProviderRateLimited("Slow down.", retry_after=seconds)
    provider.script.append(lambda award: health.failed(rested, error))

    run_due(badge.pk)

    assert rests_for() > seconds - 10


def test_a_probe_that_is_rate_limited_rests_as_long_as_it_was_asked(
    rested: ProviderAccount, badge: Badge, provider: type[ScriptedProvider]
) -> None:
    provider.script.append(ProviderRateLimited("Slow down.", retry_after=20))

    run_due(badge.pk)

    assert 15 < rests_for() <= 20


def test_a_rate_limit_of_no_seconds_is_a_pause_of_one(
    badge: Badge, other: Badge, provider: type[ScriptedProvider]
) -> None:
    provider.script.append(ProviderRateLimited("Slow down.", retry_after=0))
    began = timezone.now()

    run_due(badge.pk)

    until = AccountHealth.objects.get().paused_until
    assert until is not None
    assert timedelta(seconds=1) <= until - began < timedelta(seconds=10)
    assert issue_of(badge).next_attempt_at - began >= timedelta(seconds=1)


@pytest.mark.parametrize("asked", [1e6, 1e12])
def test_no_rate_limit_pauses_an_account_or_a_delivery_for_ever(
    badge: Badge, provider: type[ScriptedProvider], asked: float
) -> None:
    provider.script.append(ProviderRateLimited("Slow down.", retry_after=asked))

    run_due(badge.pk)

    longest = get_config().deliveries.longest_retry
    assert longest - 10 < rests_for() <= longest
    assert issue_of(badge).next_attempt_at <= timezone.now() + timedelta(seconds=longest)


def test_an_account_that_is_to_be_tried_now_is_tried_by_one_probe(account: ProviderAccount) -> None:
    health.failed(account, ProviderRateLimited("Slow down.", retry_after=3600))

    health.forget([account.pk])

    admissions = [health.admission(account) for _ in range(4)]
    assert isinstance(admissions[0], Probe)
    assert admissions[1:] == [Admission.BLOCKED] * 3


def test_to_try_an_account_now_does_not_open_one_that_does_not_rest(account: ProviderAccount) -> None:
    health.of(account.pk)

    health.forget([account.pk])

    assert health.admission(account) is Admission.FREE


def test_to_try_an_account_now_that_is_tried_already_leaves_the_probe_its_rest_to_end(rested: ProviderAccount) -> None:
    probe = health.admission(rested)
    assert isinstance(probe, Probe)

    health.forget([rested.pk])
    health.succeeded(rested.pk, probe)

    assert health.admission(rested) is Admission.FREE


def test_to_try_an_account_now_forgets_no_failures(rested: ProviderAccount) -> None:
    health.forget([rested.pk])

    assert AccountHealth.objects.get().failures == 5


@pytest.mark.parametrize(
    "error",
    [
        CeilingReached("Wait.", retry_after=5),
        NotSent("There is no e-mail address."),
        RefusedAlone("It may not issue this template.", status_code=403),
    ],
)
def test_what_says_nothing_of_an_account_is_neither_its_failure_nor_its_success(
    account: ProviderAccount, error: ProviderError
) -> None:
    for _ in range(4):
        health.failed(account, DOWN)
    before = AccountHealth.objects.values().get()

    health.failed(account, error)

    assert AccountHealth.objects.values().get() == before


def test_our_own_ceiling_in_the_middle_of_an_attempt_is_no_failure_of_the_account(
    badge: Badge, provider: type[ScriptedProvider]
) -> None:
    def act(award: Award) -> None:
        traffic.after(Exchange("issuing a badge", "POST", "badges", "", 200, "", 3, changes=True))
        raise CeilingReached("Wait.", retry_after=5)

    provider.script.append(act)

    run_due(badge.pk)

    row = AccountHealth.objects.get()
    assert (row.failures, row.paused_until, row.last_error_at) == (0, None, None)


def test_a_learner_without_an_address_says_nothing_of_the_account(
    badge: Badge, account: ProviderAccount, provider: type[ScriptedProvider], monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        health.failed(account, DOWN)
    has_no_address(badge, provider, monkeypatch)

    run_due(badge.pk)

    row = AccountHealth.objects.get()
    assert issue_of(badge).status == Status.DEAD
    assert (row.failures, row.last_success_at, row.last_error) == (4, None, "Down.")
