"""The ceiling of calls to an account, with a clock that the tests move."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from badges.conf import RateSettings
from badges.data import Award
from badges.issuing import awards, health
from badges.issuing.deliveries import run_due
from badges.issuing.gate import take_slot
from badges.issuing.sweep import sweep
from badges.models import AccountHealth, Badge, BadgeTemplate, Delivery
from badges.providers import traffic
from tests.factories import UserFactory
from tests.integration.issuing.helpers import issue_of
from tests.integration.issuing.scripted import SETTINGS, ScriptedProvider

pytestmark = pytest.mark.django_db
Status = Delivery.Status
SLOW = {"calls": 5, "seconds": 300}


class Clock:
    """The hands of the clock."""

    def __init__(self) -> None:
        # The defaults of columns ask the real clock, and must not be ahead of this one.
        self._began = timezone.now() + timedelta(hours=1)
        self.passed = 0.0

    @contextmanager
    def rules(self) -> Iterator[None]:
        """Within the block it is the time."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(timezone, "now", lambda: self._began + timedelta(seconds=self.passed))
            yield


@pytest.fixture
def clock(badge: Badge) -> Iterator[Clock]:
    """A clock that stands, from when the badge was awarded."""
    hands = Clock()
    with hands.rules():
        yield hands


@pytest.fixture
def account_id(template: BadgeTemplate) -> int:
    """The account whose calls are counted."""
    account_id: int = health.of(template.account_id or 0).pk
    return account_id


def most_in_a_period(times: list[float], period: float) -> int:
    """The most calls that a period sees, wherever it begins; one that ends as another call is made sees it not."""
    # Clocks count microseconds.
    seen = [sum(begin <= one < begin + period - 1e-5 for one in times) for begin in times]
    return max(seen, default=0)


@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    calls=st.integers(1, 30),
    seconds=st.sampled_from([0.5, 30.0, 300.0]),
    pattern=st.lists(st.tuples(st.floats(0, 0.7), st.integers(1, 12), st.booleans()), min_size=1, max_size=25),
)
def test_no_period_wherever_it_begins_sees_more_calls_than_the_ceiling(
    account_id: int, calls: int, seconds: float, pattern: list[tuple[float, int, bool]]
) -> None:
    AccountHealth.objects.update(slots_used_until=0)
    rate, clock, made = RateSettings(calls=calls, seconds=seconds), Clock(), list[float]()
    with clock.rules():
        for pause, wanted, is_patient in pattern:
            clock.passed += pause * seconds
            for _ in range(wanted):
                while (wait := take_slot(account_id, rate)) > 0 and is_patient:
                    clock.passed += wait
                made += [clock.passed] if wait == 0 else []

    assert 1 <= most_in_a_period(made, seconds) <= calls


@pytest.mark.parametrize(("calls", "seconds"), [(1, 10), (2, 10), (5, 300), (20, 60), (150, 30)])
def test_who_calls_as_soon_as_there_is_a_place_gets_at_least_half_of_the_ceiling(
    account_id: int, calls: int, seconds: int
) -> None:
    rate, clock, made = RateSettings(calls=calls, seconds=seconds), Clock(), 0
    with clock.rules():
        while clock.passed < 4 * seconds:
            wait = take_slot(account_id, rate)
            made += wait == 0
            clock.passed += wait

    assert made >= 4 * calls * 0.5


def asks(times: int) -> Any:
    """A delivery that takes so many calls."""

    def act(award: Award) -> None:
        for _ in range(times):
            traffic.before()

    return act


def places(account_id: int, rate: RateSettings) -> int:
    """How many calls may be made at once now."""
    return sum(take_slot(account_id, rate) == 0 for _ in range(20))


@pytest.mark.parametrize("calls", [1, 2, 3, 7])
def test_every_call_of_an_attempt_counts(
    clock: Clock, badge: Badge, provider: type[ScriptedProvider], account_id: int, settings: Any, calls: int
) -> None:
    settings.BADGES_CONFIG = {**SETTINGS, "rate": {"calls": 50, "seconds": 1000}}
    provider.script.append(asks(calls))

    run_due(badge.pk)

    assert places(account_id, RateSettings(calls=50, seconds=1000)) == 10 - calls


def test_work_that_reports_no_call_counts_as_one(clock: Clock, badge: Badge, account_id: int, settings: Any) -> None:
    settings.BADGES_CONFIG = {**SETTINGS, "rate": {"calls": 50, "seconds": 1000}}

    run_due(badge.pk)

    assert places(account_id, RateSettings(calls=50, seconds=1000)) == 9


def test_work_under_way_is_not_broken_off_by_the_ceiling(
    clock: Clock, badge: Badge, provider: type[ScriptedProvider], settings: Any
) -> None:
    settings.BADGES_CONFIG = {**SETTINGS, "rate": SLOW}
    provider.script.append(asks(4))

    run_due(badge.pk)

    assert issue_of(badge).status == Status.DONE


def test_who_comes_after_work_in_debt_waits_longer(
    clock: Clock, badge: Badge, provider: type[ScriptedProvider], account_id: int, settings: Any
) -> None:
    settings.BADGES_CONFIG = {**SETTINGS, "rate": SLOW}
    provider.script.append(asks(4))

    run_due(badge.pk)

    assert take_slot(account_id, RateSettings(**SLOW)) == pytest.approx(4 * 75, abs=0.1)


def test_the_average_stays_below_the_ceiling_also_where_all_work_goes_in_debt(
    clock: Clock, badge: Badge, provider: type[ScriptedProvider], settings: Any
) -> None:
    settings.BADGES_CONFIG = {**SETTINGS, "rate": SLOW}
    for _ in range(20):
        awards.award(UserFactory(), {badge.template.pk: timezone.now()})
    made: list[float] = []

    def act(award: Award) -> None:
        for _ in range(3):
            traffic.before()
            made.append(clock.passed)

    provider.script.extend([act] * 21)
    while clock.passed < 3000:
        sweep(patience=0)
        clock.passed += 20

    assert 3 <= len(made) <= 50 + 3


def test_deliveries_of_several_calls_are_not_starved_by_a_slow_ceiling(
    clock: Clock, badge: Badge, provider: type[ScriptedProvider], settings: Any
) -> None:
    settings.BADGES_CONFIG = {**SETTINGS, "rate": SLOW}
    for _ in range(3):
        awards.award(UserFactory(), {badge.template.pk: timezone.now()})
    provider.script.extend([asks(3)] * 4)

    for _ in range(20):
        sweep(patience=0)
        clock.passed += 60

    issues = Delivery.objects.filter(action=Delivery.Action.ISSUE)
    assert set(issues.values_list("status", "failures")) == {(Status.DONE, 0)}


def test_a_delivery_that_takes_more_calls_than_a_whole_period_has_is_done_too(
    clock: Clock, badge: Badge, provider: type[ScriptedProvider], settings: Any
) -> None:
    settings.BADGES_CONFIG = {**SETTINGS, "rate": SLOW}
    provider.script.append(asks(12))

    sweep(patience=0)

    assert issue_of(badge).status == Status.DONE


@pytest.mark.parametrize("ahead", [timedelta(days=2), timedelta(days=3650)])
@pytest.mark.parametrize("rate", [SLOW, {"calls": 150, "seconds": 30}])
def test_a_clock_that_was_wrong_blocks_nobody(
    clock: Clock,
    badge: Badge,
    provider: type[ScriptedProvider],
    account_id: int,
    settings: Any,
    ahead: timedelta,
    rate: dict[str, int],
) -> None:
    settings.BADGES_CONFIG = {**SETTINGS, "rate": rate}
    AccountHealth.objects.filter(pk=account_id).update(slots_used_until=(timezone.now() + ahead).timestamp())

    run_due(badge.pk)

    assert issue_of(badge).status == Status.DONE


def test_after_a_clock_that_was_wrong_the_ceiling_holds_again(clock: Clock, account_id: int) -> None:
    AccountHealth.objects.filter(pk=account_id).update(slots_used_until=timezone.now().timestamp() + 1e9)

    assert 1 <= places(account_id, RateSettings(calls=20, seconds=3600)) <= 4


def test_what_the_ceiling_postpones_tells_nothing_of_the_account(
    clock: Clock, badge: Badge, provider: type[ScriptedProvider], account_id: int, settings: Any
) -> None:
    settings.BADGES_CONFIG = {**SETTINGS, "rate": SLOW}
    places(account_id, RateSettings(**SLOW))
    AccountHealth.objects.filter(pk=account_id).update(failures=4)

    run_due(badge.pk)

    row = AccountHealth.objects.get(pk=account_id)
    assert (row.failures, row.paused_until, row.last_error_at, row.last_success_at) == (4, None, None, None)
    assert provider.calls == []
