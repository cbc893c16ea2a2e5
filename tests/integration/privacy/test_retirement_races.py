"""A learner retires while others work on what names the learner: nothing comes back behind the retirement."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet

from badges.changes import EmploymentChange, EmploymentData, ProviderEvent
from badges.data import Notice
from badges.exceptions import UnreadablePayload
from badges.issuing.erasure import AtProvider
from badges.models import Badge, DeadEvent, EmployeeRecord, ProviderAccount, ProviderBadge, WebhookEvent
from badges.privacy import retirement
from badges.privacy.retirement import retire
from badges.privacy.rows import Rows
from badges.processing.dead_events import incoming, park
from badges.processing.replaying import replay
from badges.webhooks.processing import process, process_due
from tests import factories
from tests.integration.privacy.leaving import EMAIL, NAME, everything
from tests.integration.privacy.retired_signal import EVENTS
from tests.integration.processing.helpers import passes
from tests.integration.test_races import at_once
from tests.integration.webhooks import conftest as of_webhooks
from tests.integration.webhooks.scripted import CONFIG, ScriptedWebhooks, received

pytestmark = pytest.mark.django_db(transaction=True)
races = pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets one writer in at a time: nothing races")
webhooks, scripted_account = of_webhooks.webhooks, of_webhooks.scripted_account
BODY = json.dumps({"email": EMAIL})


@pytest.fixture
def anna(transactional_db: None) -> Any:
    return factories.UserFactory(username="anna", email=EMAIL, full_name=NAME)


def told_of_anna(notice: Notice) -> ProviderEvent:
    """What leaves an employee's record with her address."""
    said = EmploymentData(notice.event_id, email=EMAIL, full_name=NAME)
    return ProviderEvent(
        notice.event_id, "employee", factories.moment(5), (EmploymentChange(said, factories.moment(5)),)
    )


def park_one() -> DeadEvent:
    told = incoming(factories.metadata(), {"course_passing_status": factories.passing_status("anna")})
    return park(told, UnreadablePayload("It was too early."))


@pytest.fixture
def behind(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """What somebody else does as soon as what the provider told of the learner is removed."""
    actions: list[Any] = []

    class Watched(Rows):
        def delete(self, rows: QuerySet[Any]) -> int:
            number = super().delete(rows)
            while actions and rows.model is ProviderBadge:
                actions.pop(0)()
            return number

    monkeypatch.setattr(retirement, "Rows", Watched)
    yield actions
    assert not actions


def test_a_webhook_that_waits_is_not_applied_any_more_when_what_it_would_make_is_removed(
    anna: Any, scripted_account: ProviderAccount, webhooks: type[ScriptedWebhooks], behind: list[Any]
) -> None:
    received(scripted_account, body=BODY)
    webhooks.script.append(told_of_anna)
    behind.append(process_due)
    retire(anna)
    assert EMAIL not in everything()


def test_a_dead_event_that_waits_is_not_replayed_any_more_when_badges_are_taken_away(
    anna: Any, behind: list[Any]
) -> None:
    passes(factories.BadgeTemplateFactory())
    dead = park_one()

    def replay_it() -> None:
        with pytest.raises(Exception, match="retired"):
            replay(dead)

    behind.append(replay_it)
    retire(anna, at_provider=AtProvider.REVOKE)
    assert not Badge.objects.exists()


def test_a_worker_that_asks_the_provider_meanwhile_writes_nothing_and_is_not_called_slow(
    anna: Any,
    scripted_account: ProviderAccount,
    webhooks: type[ScriptedWebhooks],
    caplog: pytest.LogCaptureFixture,
) -> None:
    row = received(scripted_account, body=BODY)

    def retire_meanwhile(notice: Notice) -> ProviderEvent:
        retire(anna)
        return told_of_anna(notice)

    webhooks.script.append(retire_meanwhile)
    assert process(row.pk) == "lost"
    assert not EmployeeRecord.objects.exists()
    assert EMAIL not in everything()
    assert "lease" not in caplog.text


@races
def test_a_webhook_that_is_applied_at_the_same_moment_leaves_nothing(
    anna: Any, scripted_account: ProviderAccount, webhooks: type[ScriptedWebhooks]
) -> None:
    for number in range(30):
        received(scripted_account, number, body=BODY)
    webhooks.script.extend([told_of_anna] * 60)
    at_once(partial(retire, anna), process_due, process_due)
    assert EMAIL not in everything()
    assert not WebhookEvent.objects.filter(status="processing").exists()


@races
def test_two_retirements_at_once_do_it_together(anna: Any, scripted_account: ProviderAccount) -> None:
    for number in range(20):
        received(scripted_account, number, body=BODY)
        factories.EmployeeRecordFactory(email=EMAIL, full_name=NAME)
        factories.ProviderBadgeFactory(email=EMAIL)
        factories.BadgeFactory(user=anna)
        park_one()
    counts = at_once(*[partial(retire, anna, at_provider=AtProvider.DELETE)] * 3)
    for key in ("badges_revoked", "webhooks", "employees", "provider_badges", "dead_events"):
        assert sum(one[key] for one in counts) == 20, key
    assert EMAIL not in everything()


def test_a_replay_of_a_retirement_that_ends_in_the_middle_can_be_replayed(
    anna: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.BADGES_CONFIG = {**CONFIG, "retirement": {"events": EVENTS}}
    told = incoming(factories.metadata(EVENTS[0]), {"user": factories.user_data("anna")})
    dead = park(told, UnreadablePayload("It was too early."))
    factories.EmployeeRecordFactory(email=EMAIL)

    def killed(*_: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(retirement, "empty_employee", killed)
        with pytest.raises(SystemExit):
            replay(dead)
    dead.refresh_from_db()
    assert dead.status == "waiting"
    replay(dead)
    assert dead.status == "replayed"
    assert EMAIL not in everything()
