"""A bad night with the default settings and a clock that is moved: each minute of it the sweep runs."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from django.utils import timezone

from badges.data import AccountInfo, Award, IssuedBadge
from badges.exceptions import ProviderAuthError, ProviderError, ProviderUnavailable
from badges.issuing import awards, gate
from badges.issuing.summary import AccountState, AccountSummary, summary
from badges.issuing.sweep import sweep
from badges.models import Badge, BadgeTemplate, Delivery, ProviderAccount
from tests.factories import UserFactory
from tests.integration.issuing.scripted import ScriptedProvider, scripted_template

pytestmark = pytest.mark.django_db
BACK, GOOD = 60, 180
"""In which minute the provider is back, and in which one its key is good again."""
FAILURES = 5
KEY_CHECKS = (15, 30, 60, 120)
"""Minutes between the checks of a stopped account, by default."""


class NightlyProvider(ScriptedProvider):
    """Down for an hour, then without a valid key for two, then well."""

    minute: ClassVar[int] = 0

    def check_account(self) -> AccountInfo:
        self._answer("check")
        return AccountInfo(name="Nightly")

    def find_issued(self, award: Award) -> IssuedBadge | None:
        self._answer("find")
        return self.held.get(award.uuid)

    def _play(self, call: str, award: Award) -> None:
        self._answer(call)

    def _answer(self, call: str) -> None:
        self.calls.append(call)
        trouble: ProviderError | None = None
        if self.minute < BACK:
            trouble = ProviderUnavailable("It is out of order.", status_code=503, outcome_unknown=True)
        elif self.minute < GOOD:
            trouble = ProviderAuthError("It refused the key.", status_code=401)
        if trouble is not None:
            raise trouble


class Night:
    """The hands of the clock, and who earns a badge meanwhile."""

    def __init__(self, template: BadgeTemplate, monkeypatch: pytest.MonkeyPatch) -> None:
        self.template = template
        # The defaults of columns ask the real clock, and must not be ahead of this one.
        self._midnight: datetime = timezone.now() + timedelta(hours=1)
        self._passed = timedelta()
        monkeypatch.setattr(timezone, "now", lambda: self._midnight + self._passed)
        monkeypatch.setattr(gate, "time", SimpleNamespace(monotonic=self._seconds, sleep=self._wait))

    @property
    def minute(self) -> int:
        """How many minutes have passed."""
        return int(self._passed.total_seconds() // 60)

    def award(self, number: int) -> None:
        for _ in range(number):
            awards.award(UserFactory(), {self.template.pk: timezone.now()})

    def pass_minute(self) -> AccountSummary:
        """The sweep runs; then a minute passes. Gives what is said of the account between the two."""
        NightlyProvider.minute = self.minute
        sweep()
        [account] = summary().accounts
        self._passed = timedelta(minutes=self.minute + 1)
        return account

    def _seconds(self) -> float:
        return self._passed.total_seconds()

    def _wait(self, seconds: float) -> None:
        self._passed += timedelta(seconds=seconds)


@pytest.fixture
def night(provider: type[ScriptedProvider], settings: Any, monkeypatch: pytest.MonkeyPatch) -> Night:
    path = f"{__name__}.NightlyProvider"
    settings.BADGES_CONFIG = {"providers": {"scripted": path}}
    return Night(scripted_template(), monkeypatch)


def assert_all_is_delivered(number: int) -> None:
    assert len(NightlyProvider.held) == number
    assert NightlyProvider.calls.count("issue") <= number + 2 * FAILURES + 20
    assert set(Delivery.objects.values_list("status", flat=True)) == {Delivery.Status.DONE}
    ids = {badge.uuid: badge.external_id for badge in Badge.objects.all()}
    assert ids == {award_id: issued.external_id for award_id, issued in NightlyProvider.held.items()}


def test_an_hour_down_and_a_key_that_is_replaced_cost_no_award(night: Night, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, logger="badges")
    awarded = 0
    for minute in range(BACK):
        number = 1000 * (minute + 1) // BACK - awarded
        awarded += number
        night.award(number)
        account = night.pass_minute()
        assert account.state in (AccountState.RESTING, AccountState.TRYING)
        assert (account.queue.waiting, account.queue.dead, account.last_error) == (awarded, 0, "It is out of order.")
    # The rests grow to ten minutes: five failures, then a probe after 1, 2, 4, 8, 10, 10, 10 and 10 minutes.
    assert len(NightlyProvider.calls) <= FAILURES + 9

    seen = len(NightlyProvider.calls)
    account = night.pass_minute()
    while night.minute < GOOD:
        account = night.pass_minute()
        assert (account.queue.waiting, account.queue.dead) == (1000, 0)
    assert (account.state, account.reason) == (AccountState.STOPPED, "It refused the key.")
    assert len(NightlyProvider.calls) - seen <= 1 + len(KEY_CHECKS)
    [line] = [record.getMessage() for record in caplog.records]
    assert "is stopped, and its deliveries wait: It refused the key." in line

    stored = ProviderAccount.objects.get()
    stored.api_key = "the-new-key"
    stored.save()
    while night.pass_minute().queue.waiting:
        assert night.minute < GOOD + 60
    assert night.pass_minute().state is AccountState.WORKS
    assert_all_is_delivered(1000)


def test_a_key_that_works_again_by_itself_needs_nobody(night: Night) -> None:
    night.award(20)
    while night.pass_minute().queue.waiting:
        assert night.minute <= BACK + 10 + sum(KEY_CHECKS) + 10
    assert_all_is_delivered(20)
