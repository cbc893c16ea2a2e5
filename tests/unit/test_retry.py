"""The retry policy: a decision from the attempt, the error and the age."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from badges.conf import DeliverySettings
from badges.exceptions import (
    ProviderError,
    ProviderRateLimited,
    ProviderRejected,
    ProviderUnavailable,
)
from badges.issuing.retry import (
    AFTER_RATE_LIMIT,
    LEAST_FAILURES,
    SHORTEST_PAUSE,
    GiveUp,
    Retry,
    RetryPolicy,
    rate_limit_pause,
    resting_time,
)

SETTINGS = DeliverySettings()
POLICY = RetryPolicy(SETTINGS)
attempts = st.integers(1, 10_000)
chances = st.floats(0, 1)


def delay(error: Exception, attempt: int = 1, chance: float = 0.0) -> float:
    """The seconds until the next attempt."""
    decision = POLICY.decide(error, failures=attempt, failing_for=timedelta(), chance=chance)
    assert isinstance(decision, Retry)
    return decision.delay.total_seconds()


@given(attempts, chances)
def test_the_wait_has_a_ceiling_and_a_floor(attempt: int, chance: float) -> None:
    assert SETTINGS.first_retry <= delay(ProviderUnavailable("Down."), attempt, chance) <= SETTINGS.longest_retry


@given(attempts)
def test_the_wait_never_shrinks_from_one_attempt_to_the_next(attempt: int) -> None:
    error = ProviderUnavailable("Down.")

    assert delay(error, attempt) <= delay(error, attempt + 1)


@given(attempts, chances, chances)
def test_more_chance_is_more_wait(attempt: int, one: float, other: float) -> None:
    error = ProviderUnavailable("Down.")

    assert (delay(error, attempt, one) <= delay(error, attempt, other)) or one > other


@given(st.floats(0, SETTINGS.longest_retry), chances)
def test_what_a_rate_limit_asks_for_is_waited(seconds: float, chance: float) -> None:
    assert delay(ProviderRateLimited("Slow down.", retry_after=seconds), chance=chance) >= seconds - 0.001


@pytest.mark.parametrize("error", [ProviderRateLimited, ProviderUnavailable])
@given(seconds=st.floats(0, 1e12), attempt=attempts)
def test_no_provider_can_ask_for_more_than_the_ceiling(
    error: type[ProviderError], seconds: float, attempt: int
) -> None:
    assert delay(error("Wait.", retry_after=seconds), attempt) <= SETTINGS.longest_retry


def test_a_rate_limit_that_does_not_say_how_long_is_a_minute() -> None:
    assert delay(ProviderRateLimited("Slow down.")) == AFTER_RATE_LIMIT


def test_a_provider_that_asks_for_a_longer_wait_gets_it() -> None:
    assert delay(ProviderUnavailable("Maintenance.", retry_after=900)) == 900


@pytest.mark.parametrize("age", [timedelta(), timedelta(days=30)])
def test_what_is_refused_for_good_is_given_up_at_once(age: timedelta) -> None:
    assert isinstance(POLICY.decide(ProviderRejected("No."), failures=1, failing_for=age, chance=0), GiveUp)


@pytest.mark.parametrize("error", [ProviderUnavailable("Down."), ValueError()])
def test_after_the_configured_time_it_is_given_up(error: Exception) -> None:
    limit = timedelta(seconds=SETTINGS.give_up_after)

    assert isinstance(POLICY.decide(error, failures=9, failing_for=limit - timedelta(seconds=1), chance=0), Retry)
    assert isinstance(POLICY.decide(error, failures=9, failing_for=limit, chance=0), GiveUp)


@pytest.mark.parametrize("failures", [1, 40])
@pytest.mark.parametrize(
    "error", [ProviderUnavailable("Down."), ProviderRateLimited("Slow down."), ProviderRejected("No.")]
)
def test_each_decision_says_why(error: Exception, failures: int) -> None:
    assert POLICY.decide(error, failures=failures, failing_for=timedelta(), chance=0).reason.endswith(".")


@given(st.integers(1, 10_000), st.floats(0.001, 3600), st.floats(1, 1e6))
def test_an_account_rests_longer_each_time_up_to_a_limit(times: int, first: float, more: float) -> None:
    longest = first * more

    assert first <= resting_time(times, first=first, longest=longest).total_seconds() + 1e-6
    assert resting_time(times, first=first, longest=longest) <= resting_time(times + 1, first=first, longest=longest)
    assert resting_time(times, first=first, longest=longest).total_seconds() <= longest + 1e-6


def test_every_provider_error_says_whether_a_retry_can_help() -> None:
    assert ProviderError.retryable
    assert not ProviderRejected.retryable


@given(st.integers(1, LEAST_FAILURES - 1), st.floats(0, 1e8), chances)
def test_nothing_is_given_up_before_the_fifth_failure_however_old_the_first_one_is(
    failures: int, seconds: float, chance: float
) -> None:
    age = timedelta(seconds=seconds)

    assert isinstance(
        POLICY.decide(ProviderUnavailable("Down."), failures=failures, failing_for=age, chance=chance), Retry
    )


@given(st.floats(0, SHORTEST_PAUSE))
def test_a_rate_limit_is_a_pause_of_at_least_a_second(seconds: float) -> None:
    error = ProviderRateLimited("Slow down.", retry_after=seconds)

    assert rate_limit_pause(error, SETTINGS).total_seconds() == SHORTEST_PAUSE


@given(st.floats(SETTINGS.longest_retry, 1e12))
def test_a_rate_limit_pauses_an_account_no_longer_than_the_ceiling(seconds: float) -> None:
    error = ProviderRateLimited("Slow down.", retry_after=seconds)

    assert rate_limit_pause(error, SETTINGS).total_seconds() == SETTINGS.longest_retry
