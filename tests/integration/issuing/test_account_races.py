"""Workers that learn of an account at the same time. Only databases whose threads really race are asked."""

from __future__ import annotations

import logging
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection
from django.utils import timezone

from badges.conf import RateSettings
from badges.exceptions import ProviderAuthError, ProviderUnavailable
from badges.issuing import awards, health
from badges.issuing.deliveries import run_due
from badges.issuing.gate import take_slot
from badges.issuing.health import Admission, Probe
from badges.models import AccountHealth, BadgeTemplate, Delivery
from tests.factories import UserFactory, moment
from tests.integration.issuing.scripted import ScriptedProvider
from tests.integration.test_races import at_once

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets one writer in at a time: nothing races"),
]
WORKERS = 8


def test_all_workers_together_stay_below_the_ceiling(template: BadgeTemplate) -> None:
    rate = RateSettings(calls=50, seconds=3600)
    account_id = health.of(template.account_id or 0).pk

    def take() -> int:
        return sum(take_slot(account_id, rate) == 0 for _ in range(20))

    assert sum(at_once(*[take] * WORKERS)) == 10


def test_one_of_all_workers_probes_a_rested_account(template: BadgeTemplate) -> None:
    account = template.account
    assert account is not None
    for _ in range(5):
        health.failed(account, ProviderUnavailable("Down."))
    AccountHealth.objects.update(paused_until=timezone.now() - timedelta(seconds=1))

    admissions = at_once(*[partial(health.admission, account)] * WORKERS)

    assert sum(isinstance(one, Probe) for one in admissions) == 1
    assert sum(one is Admission.BLOCKED for one in admissions) == WORKERS - 1


def test_all_workers_together_stop_an_account_once(template: BadgeTemplate, caplog: pytest.LogCaptureFixture) -> None:
    account = template.account
    assert account is not None
    with caplog.at_level(logging.ERROR, "badges"):
        at_once(*[partial(health.failed, account, ProviderAuthError("Refused."))] * WORKERS)

    assert len(caplog.records) == 1
    assert AccountHealth.objects.get().stops == 1


def test_failures_of_all_workers_are_counted(template: BadgeTemplate) -> None:
    account = template.account
    assert account is not None

    at_once(*[partial(health.failed, account, ProviderUnavailable("Down."))] * 4)

    assert AccountHealth.objects.get().failures == 4


def test_one_of_all_workers_carries_a_delivery_out(
    template: BadgeTemplate, provider: type[ScriptedProvider], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(awards, "enqueue_on_commit", lambda *badge_ids: None)
    for _ in range(5):
        [badge] = awards.award(UserFactory(), {template.pk: moment(5)})
        at_once(*[partial(run_due, badge.pk)] * WORKERS)

    issues = Delivery.objects.filter(action=Delivery.Action.ISSUE)
    assert set(issues.values_list("status", "attempts")) == {("done", 1)}
    assert provider.calls == ["issue"] * 5
