"""Events of the inbox are processed under leases, with the care that an account and its provider need."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from badges.changes import ProviderEvent
from badges.data import Notice
from badges.exceptions import NoSuchEvent, ProviderAuthError, ProviderRejected, ProviderUnavailable
from badges.issuing import health
from badges.models import AccountHealth, EmployeeRecord, ProviderAccount, WebhookEvent
from badges.webhooks.processing import process, process_due
from tests.factories import moment
from tests.integration.test_races import at_once
from tests.integration.webhooks.scripted import (
    CONFIG,
    ScriptedWebhooks,
    employee,
    make_account,
    received,
    told,
)

pytestmark = pytest.mark.django_db
Status = WebhookEvent.Status


def make_due() -> None:
    """As if the time of everything that waits had come."""
    WebhookEvent.objects.filter(status__in=(Status.RECEIVED, Status.FAILED)).update(next_attempt_at=moment(0))


def test_what_the_provider_says_counts(scripted_account: ProviderAccount, webhooks: type[ScriptedWebhooks]) -> None:
    row = received(scripted_account, event_type="claimed", occurred_at=moment(5))
    webhooks.script.append(ProviderEvent("EVENT-1", "employee", moment(7), (employee(),)))

    assert process(row.pk) == "processed"

    row.refresh_from_db()
    assert (row.event_type, row.occurred_at, row.attempts) == ("employee", moment(7), 1)
    assert row.finished_at is not None
    assert (row.lease_token, row.leased_until) == (None, None)


def test_an_event_that_changes_nothing_is_ignored_with_the_reason(
    scripted_account: ProviderAccount, webhooks: type[ScriptedWebhooks]
) -> None:
    webhooks.script.append(ProviderEvent("event-1", "odd", moment(1), note="Nobody needs it."))
    webhooks.script.append(ProviderEvent("event-2", "odd", moment(1)))
    received(scripted_account), received(scripted_account, 2)

    assert process_due() == {"ignored": 2}

    assert set(WebhookEvent.objects.values_list("status", "note")) == {
        ("ignored", "Nobody needs it."),
        ("ignored", "It changes nothing here."),
    }


def test_proven_events_come_first_and_then_the_oldest(
    scripted_account: ProviderAccount, webhooks: type[ScriptedWebhooks]
) -> None:
    received(scripted_account, 1, is_proven=False)
    received(scripted_account, 4, occurred_at=None)
    received(scripted_account, 3)
    received(scripted_account, 2)

    process_due(limit=2)
    assert webhooks.asked == ["event-2", "event-3"]
    process_due()
    assert webhooks.asked == ["event-2", "event-3", "event-4", "event-1"]


def test_of_what_says_no_time_it_is_known_when_it_came(
    scripted_account: ProviderAccount, webhooks: type[ScriptedWebhooks]
) -> None:
    row, seen = received(scripted_account, occurred_at=None, received_at=moment(9)), []

    def look(notice: Notice) -> ProviderEvent:
        seen.append(notice.occurred_at)
        return told(notice)

    webhooks.script.append(look)
    process(row.pk)

    assert seen == [moment(9)]


def test_an_event_that_is_not_due_is_left_alone(scripted_account: ProviderAccount) -> None:
    later = timezone.now() + timedelta(minutes=1)
    rows = [
        received(scripted_account, 1, next_attempt_at=later),
        received(scripted_account, 2, status=Status.PROCESSED),
        received(scripted_account, 3, status=Status.DEAD),
        received(scripted_account, 4, status=Status.DISCARDED),
    ]

    assert [process(row.pk) for row in rows] == [""] * 4
    assert process_due() == {}


def test_with_the_feature_off_nothing_is_processed(scripted_account: ProviderAccount, settings: Any) -> None:
    received(scripted_account)
    settings.BADGES_ENABLED = False

    assert process_due() == {}


# Accounts.
def test_a_key_that_is_refused_stops_the_account_and_burns_no_event(
    scripted_account: ProviderAccount, webhooks: type[ScriptedWebhooks]
) -> None:
    received(scripted_account, 1), received(scripted_account, 2)
    webhooks.script.append(ProviderAuthError("The key was refused.", status_code=401))

    assert process_due() == {"wait": 1}
    assert process_due() == {}

    assert set(WebhookEvent.objects.values_list("status", "attempts", "give_up_at")) == {("received", 0, None)}
    assert webhooks.asked == ["event-1"]
    health.resume(scripted_account.pk)
    assert process_due() == {"processed": 1, "ignored": 1}


def test_a_key_that_may_not_read_events_stops_nothing(
    scripted_account: ProviderAccount, webhooks: type[ScriptedWebhooks]
) -> None:
    row = received(scripted_account)
    webhooks.script.append(ProviderAuthError("It may not read events.", status_code=403))

    assert process(row.pk) == "retry"

    row.refresh_from_db()
    assert (row.status, row.last_error) == ("failed", "It may not read events.")
    assert not AccountHealth.objects.filter(stopped_at__isnull=False).exists()


def test_an_account_rests_after_failures_and_one_event_tries_it(
    scripted_account: ProviderAccount, webhooks: type[ScriptedWebhooks], settings: Any
) -> None:
    settings.BADGES_CONFIG = {**CONFIG, "deliveries": {"failures": 2}}
    for number in range(1, 5):
        received(scripted_account, number)
    webhooks.script += [ProviderUnavailable("Down.")] * 2

    assert process_due() == {"retry": 2}
    make_due()
    assert process_due() == {}

    AccountHealth.objects.update(paused_until=timezone.now())
    webhooks.script.append(ProviderUnavailable("Down."))
    assert process_due() == {"retry": 1}
    AccountHealth.objects.update(paused_until=timezone.now())
    make_due()
    assert process_due().total() == 4
    assert AccountHealth.objects.values_list("failures", "paused_until").get() == (0, None)


def test_what_the_ceiling_has_no_place_for_comes_later_and_is_no_failure(
    scripted_account: ProviderAccount, webhooks: type[ScriptedWebhooks], settings: Any
) -> None:
    settings.BADGES_CONFIG = {**CONFIG, "rate": {"calls": 1, "seconds": 3600}}
    for number in (1, 2, 3):
        received(scripted_account, number)

    assert process_due(patience=0) == {"processed": 1, "postponed": 1}

    waiting = WebhookEvent.objects.filter(status=Status.RECEIVED).order_by("pk")
    assert list(waiting.values_list("attempts", "last_error")) == [(0, ""), (0, "")]
    first = waiting.values_list("next_attempt_at", flat=True)[0]
    assert first > timezone.now() + timedelta(minutes=30)


def test_nobody_waits_for_the_turn_of_what_is_not_proven(
    scripted_account: ProviderAccount, webhooks: type[ScriptedWebhooks], settings: Any
) -> None:
    settings.BADGES_CONFIG = {**CONFIG, "rate": {"calls": 1, "seconds": 3600}}
    received(scripted_account, 1)
    made_up = received(scripted_account, 2, is_proven=False)

    assert process_due(limit=1, patience=7200) == {"processed": 1}
    assert process(made_up.pk, patience=7200) == "postponed"


def test_the_ceiling_does_not_put_off_the_end_of_what_fails(
    scripted_account: ProviderAccount, webhooks: type[ScriptedWebhooks], settings: Any
) -> None:
    settings.BADGES_CONFIG = {**CONFIG, "rate": {"calls": 1, "seconds": 3600}}
    ends = timezone.now().replace(microsecond=0) + timedelta(hours=1)
    received(scripted_account, 1)
    row = received(scripted_account, 2, status=Status.FAILED, attempts=3, give_up_at=ends, last_error="Down.")

    process_due(patience=0)

    row.refresh_from_db()
    assert (row.status, row.attempts, row.give_up_at, row.last_error) == (Status.FAILED, 3, ends, "Down.")


def test_a_provider_that_is_not_asked_does_not_wait_for_its_account(webhooks: type[ScriptedWebhooks]) -> None:
    account = make_account("signing", api_key="")
    received(account)
    health.stop(account, "It has no key.")

    assert process_due() == {"processed": 1}


def test_one_that_is_not_asked_and_fails_does_not_hold_up_the_others(
    scripted_account: ProviderAccount, webhooks: type[ScriptedWebhooks]
) -> None:
    """Each of its events may take the whole of a timeout, and its account never rests."""
    failing = make_account("signing", api_key="")
    for number in range(1, 11):
        received(failing, number, occurred_at=moment(0))
    received(scripted_account, 100, occurred_at=moment(1))
    webhooks.script.extend(ProviderUnavailable("Down.") for _ in range(5))

    assert process_due() == {"retry": 5, "processed": 1}


def test_an_account_without_a_key_keeps_its_events_waiting(webhooks: type[ScriptedWebhooks]) -> None:
    account = make_account(api_key="")
    received(account)

    assert process_due() == {"wait": 1}

    assert WebhookEvent.objects.values_list("status", "attempts").get() == ("received", 0)
    assert AccountHealth.objects.get().stopped_at is not None


# Failures.
def test_a_failure_is_tried_again_for_days_and_then_given_up(
    scripted_account: ProviderAccount, webhooks: type[ScriptedWebhooks], caplog: pytest.LogCaptureFixture
) -> None:
    row = received(scripted_account)
    webhooks.script += [ProviderUnavailable("Down.")] * 6

    for _ in range(5):
        WebhookEvent.objects.update(next_attempt_at=moment(0))
        AccountHealth.objects.update(failures=0, paused_until=None)
        assert process(row.pk) == "retry"
    row.refresh_from_db()
    assert row.next_attempt_at > timezone.now() + timedelta(minutes=4)

    WebhookEvent.objects.update(next_attempt_at=moment(0), give_up_at=timezone.now())
    AccountHealth.objects.update(failures=0, paused_until=None)
    assert process(row.pk) == "dead"
    row.refresh_from_db()
    assert (row.status, row.last_error, row.attempts) == ("dead", "Down.", 6)
    assert row.finished_at is not None
    assert "was given up" in caplog.text


def test_what_the_provider_refuses_for_good_is_given_up_at_once(
    scripted_account: ProviderAccount, webhooks: type[ScriptedWebhooks]
) -> None:
    webhooks.script.append(ProviderRejected("It is gone.", status_code=410))

    assert process(received(scripted_account).pk) == "dead"


def test_another_event_than_the_one_asked_for_is_not_believed(
    scripted_account: ProviderAccount, webhooks: type[ScriptedWebhooks]
) -> None:
    webhooks.script.append(ProviderEvent("another", "employee", moment(1), (employee(),)))

    assert process(received(scripted_account).pk) == "retry"
    assert not EmployeeRecord.objects.exists()


def test_an_event_that_fails_half_way_leaves_nothing(
    scripted_account: ProviderAccount, webhooks: type[ScriptedWebhooks]
) -> None:
    row, nonsense = received(scripted_account), object()
    webhooks.script.append(ProviderEvent("event-1", "employee", moment(1), (employee(), nonsense)))  # type: ignore[arg-type]

    assert process(row.pk) == "retry"

    assert not EmployeeRecord.objects.exists()
    row.refresh_from_db()
    assert row.status == "failed"
    assert row.last_error.startswith("TypeError at ")


def test_an_unproven_event_that_is_proven_while_it_is_asked_for_is_kept(
    scripted_account: ProviderAccount, webhooks: type[ScriptedWebhooks]
) -> None:
    row = received(scripted_account, is_proven=False, received_at=moment(0))

    def prove(notice: Notice) -> ProviderEvent:
        WebhookEvent.objects.update(is_proven=True)
        raise NoSuchEvent("Unknown.")

    webhooks.script.append(prove)

    process(row.pk)

    assert WebhookEvent.objects.values_list("status", "is_proven").get() == ("failed", True)


def test_a_provider_that_is_not_registered_any_more_fails_no_sweep(
    scripted_account: ProviderAccount, settings: Any
) -> None:
    row = received(scripted_account)
    settings.BADGES_CONFIG = {}

    assert process_due() == {"retry": 1}

    row.refresh_from_db()
    assert "is not registered" in row.last_error


# Leases.
def test_what_a_killed_worker_had_is_taken_up_after_its_lease(
    scripted_account: ProviderAccount, webhooks: type[ScriptedWebhooks]
) -> None:
    row = received(scripted_account)

    def be_killed(notice: Notice) -> ProviderEvent:
        raise SystemExit

    webhooks.script.append(be_killed)
    with pytest.raises(SystemExit):
        process(row.pk)

    assert process_due() == {}
    WebhookEvent.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    assert process_due() == {"processed": 1}


def test_who_has_lost_the_lease_changes_nothing(
    scripted_account: ProviderAccount, webhooks: type[ScriptedWebhooks], caplog: pytest.LogCaptureFixture
) -> None:
    row = received(scripted_account)

    def be_slow(notice: Notice) -> ProviderEvent:
        WebhookEvent.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
        webhooks.script.append(ProviderEvent("event-1", "by the second", moment(2), (employee("e2"),)))
        assert process(row.pk) == "processed"
        return ProviderEvent("event-1", "by the first", moment(1), (employee("e1"),))

    webhooks.script.append(be_slow)

    assert process(row.pk) == "lost"

    row.refresh_from_db()
    assert (row.status, row.event_type) == ("processed", "by the second")
    assert list(EmployeeRecord.objects.values_list("employment_id", flat=True)) == ["e2"]
    assert "took longer than its lease" in caplog.text


def test_a_failure_of_who_has_lost_the_lease_is_not_written(
    scripted_account: ProviderAccount, webhooks: type[ScriptedWebhooks]
) -> None:
    row = received(scripted_account)

    def be_slow(notice: Notice) -> ProviderEvent:
        WebhookEvent.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
        assert process(row.pk) == "processed"
        raise ProviderUnavailable("Down.")

    webhooks.script.append(be_slow)

    assert process(row.pk) == "lost"
    assert WebhookEvent.objects.values_list("status", "last_error").get() == ("processed", "")


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets one writer in at a time: nothing races")
def test_workers_at_the_same_events_process_each_once(
    scripted_account: ProviderAccount, webhooks: type[ScriptedWebhooks]
) -> None:
    for number in range(20):
        received(scripted_account, number)

    outcomes = at_once(*[process_due] * 4)

    assert sum(counter.total() for counter in outcomes) == 20
    assert sorted(webhooks.asked) == sorted(f"event-{number}" for number in range(20))
    assert not WebhookEvent.objects.exclude(status__in=(Status.PROCESSED, Status.IGNORED)).exists()


def test_a_sweep_ends_when_it_is_asked_to(scripted_account: ProviderAccount) -> None:
    for number in range(5):
        received(scripted_account, number)
    seen: list[int] = []

    process_due(on_event=lambda attempt: seen.append(attempt.event_id), is_stopping=lambda: len(seen) >= 2)

    assert len(seen) == 2
