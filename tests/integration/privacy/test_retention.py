"""What names learners is deleted after its time, and nothing that somebody still needs."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import Settings

from badges.models import (
    DeadEvent,
    Delivery,
    DeliveryAttempt,
    EmployeeBadge,
    EmployeeRecord,
    ProviderBadge,
    WebhookEvent,
)
from badges.privacy.retention import KINDS, purge
from tests import factories
from tests.integration.commands import run

pytestmark = pytest.mark.django_db
NOW = timezone.now()
NOTHING = dict.fromkeys(KINDS, 0)


@pytest.fixture(autouse=True)
def ten_days(settings: Settings) -> None:
    settings.BADGES_CONFIG = {"retention": dict.fromkeys(KINDS, 10)}


def days(number: float) -> Any:
    """So many days ago."""
    return NOW - timedelta(days=number)


def aged(row: Any, number: float, *fields: str) -> Any:
    """Make a row so many days old."""
    type(row)._base_manager.filter(pk=row.pk).update(**dict.fromkeys(fields or ("modified",), days(number)))
    return row


def webhook(status: str, age: float, last: float | None = None) -> Any:
    row = aged(factories.WebhookEventFactory(status=status), age, "received_at", "last_received_at")
    if row.finished_at is not None:
        aged(row, age, "finished_at")
    return row if last is None else aged(row, last, "last_received_at")


def attempt(status: str, age: float) -> DeliveryAttempt:
    delivery = factories.DeliveryFactory(status=status)
    if delivery.finished_at is not None:
        Delivery.objects.filter(pk=delivery.pk).update(finished_at=days(age))
    return DeliveryAttempt.objects.create(
        delivery=delivery, number=1, started_at=days(age), duration_ms=1, outcome="done"
    )


@pytest.mark.parametrize("status", ["processed", "ignored", "discarded"])
def test_webhook_events_that_ended_are_deleted(status: str) -> None:
    webhook(status, 11)
    young = webhook(status, 9)

    assert purge(NOW) == {**NOTHING, "webhooks": 1}
    assert WebhookEvent.objects.get() == young


@pytest.mark.parametrize("status", ["received", "failed", "dead"])
def test_webhook_events_that_wait_for_a_worker_or_a_person_stay(status: str) -> None:
    webhook(status, 1000)

    assert purge(NOW) == NOTHING


def test_a_webhook_event_that_was_told_of_again_lately_stays_known() -> None:
    webhook("processed", 1000, last=9)

    assert purge(NOW) == NOTHING


@pytest.mark.parametrize("status", ["replayed", "discarded"])
def test_dead_events_that_were_settled_are_deleted(status: str) -> None:
    aged(factories.DeadEventFactory(status=status), 11)
    young = aged(factories.DeadEventFactory(status=status), 9)
    waiting = aged(factories.DeadEventFactory(), 1000)

    assert purge(NOW) == {**NOTHING, "dead_events": 1}
    assert set(DeadEvent.objects.all()) == {young, waiting}


def test_badges_of_which_the_provider_tells_nothing_more_are_deleted() -> None:
    aged(factories.ProviderBadgeFactory(), 11)
    young = aged(factories.ProviderBadgeFactory(), 9)

    assert purge(NOW) == {**NOTHING, "provider_badges": 1}
    assert ProviderBadge.objects.get() == young


def test_employees_that_are_not_shown_any_more_are_deleted_with_their_badges() -> None:
    gone = aged(factories.EmployeeRecordFactory(is_minimal=True, deleted_at=days(50)), 11)
    factories.EmployeeBadgeFactory(employee=gone)
    young = aged(factories.EmployeeRecordFactory(is_minimal=True), 9)
    shown = aged(factories.EmployeeRecordFactory(), 1000)

    assert purge(NOW) == {**NOTHING, "employees": 1}
    assert set(EmployeeRecord.objects.all()) == {young, shown}
    assert not EmployeeBadge.objects.exists()


def test_attempts_of_deliveries_that_ended_are_deleted_and_the_deliveries_stay() -> None:
    for status in ("done", "cancelled"):
        attempt(status, 11)
    young = attempt("done", 9)
    kept = {young, *(attempt(status, 1000) for status in ("dead", "pending", "in_progress"))}

    assert purge(NOW) == {**NOTHING, "attempts": 2}
    assert set(DeliveryAttempt.objects.all()) == kept
    assert Delivery.objects.count() == 6


def test_the_defaults_are_those_of_the_settings(settings: Settings) -> None:
    settings.BADGES_CONFIG = {}
    webhook("processed", 89)
    webhook("processed", 91)

    assert purge(NOW) == {**NOTHING, "webhooks": 1}


def test_a_dry_run_tells_the_same_and_deletes_nothing() -> None:
    webhook("processed", 11)
    aged(factories.ProviderBadgeFactory(), 11)

    told = purge(NOW, is_dry_run=True)

    assert (WebhookEvent.objects.count(), ProviderBadge.objects.count()) == (1, 1)
    assert told == purge(NOW)


@pytest.mark.parametrize(("size", "batches"), [(1, [1, 1, 1, 1, 1]), (2, [2, 2, 1]), (500, [5])])
def test_no_transaction_deletes_more_than_it_may(size: int, batches: list[int]) -> None:
    for _ in range(5):
        webhook("processed", 11)
    told: list[int] = []

    purge(NOW, batch_size=size, on_batch=lambda kind, deleted: told.append(deleted))

    assert told == batches


def test_what_was_begun_goes_on_where_it_was_ended() -> None:
    for _ in range(5):
        webhook("processed", 11)
    done: list[int] = []

    first = purge(
        NOW, batch_size=2, on_batch=lambda kind, deleted: done.append(deleted), is_stopping=lambda: len(done) == 1
    )

    assert (first["webhooks"], WebhookEvent.objects.count()) == (2, 3)
    assert purge(NOW)["webhooks"] == 3


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no locks on rows")
def test_a_row_that_somebody_works_on_is_left_for_the_next_time() -> None:
    busy, idle = webhook("processed", 11), webhook("processed", 12)
    is_locked, may_end = threading.Event(), threading.Event()

    def work() -> None:
        try:
            with transaction.atomic():
                WebhookEvent.objects.select_for_update().get(pk=busy.pk)
                is_locked.set()
                may_end.wait(30)
        finally:
            connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    try:
        assert is_locked.wait(30)
        assert purge(NOW)["webhooks"] == 1
        assert list(WebhookEvent.objects.all()) == [busy]
    finally:
        may_end.set()
        worker.join()
    assert purge(NOW)["webhooks"] == 1
    assert idle.pk != busy.pk


@pytest.mark.parametrize("number", [2, 40])
def test_the_number_of_queries_does_not_grow_with_the_rows(number: int) -> None:
    for _ in range(number):
        webhook("processed", 11)
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as queries:
        purge(NOW)

    assert len(queries) <= 14


class TestCommand:
    def test_it_tells_what_it_deleted(self) -> None:
        webhook("processed", 11)
        webhook("ignored", 11)
        aged(factories.DeadEventFactory(status="replayed"), 11)

        ended = run("purge_badges")

        assert (ended.status, ended.errors) == (0, "")
        assert ended.out == "2 webhook events deleted.\n1 dead event deleted.\n"

    def test_it_is_silent_where_there_is_nothing_as_cron_mails_what_is_said(self) -> None:
        assert run("purge_badges").out == ""
        assert run("purge_badges", terminal=True).out.strip() == "Nothing deleted: nothing is old enough."

    def test_a_dry_run_tells_what_it_would_delete(self) -> None:
        webhook("processed", 11)

        assert run("purge_badges", "--dry-run").out == "1 webhook event would be deleted.\n"
        assert run("purge_badges", "--dry-run").out == "1 webhook event would be deleted.\n"

    def test_it_shows_on_a_terminal_how_far_it_is(self) -> None:
        webhook("processed", 11)

        assert "1/1" in run("purge_badges", terminal=True).out

    def test_it_links_employees_to_learners_who_came_since(self) -> None:
        employee = factories.EmployeeRecordFactory()
        learner = factories.UserFactory(email=employee.email)

        assert run("purge_badges").out == "1 employee linked to a learner.\n"
        assert EmployeeRecord.objects.get().user == learner

    def test_it_works_while_the_feature_is_off(self, settings: Settings) -> None:
        settings.BADGES_ENABLED = False
        webhook("processed", 11)

        assert run("purge_badges").status == 0
        assert not WebhookEvent.objects.exists()

    def test_a_wrong_setting_is_told(self, settings: Settings) -> None:
        settings.BADGES_CONFIG = {"retention": {"webhooks": -1}}

        ended = run("purge_badges")

        assert ended.status == 1
        assert 'BADGES_CONFIG["retention"]["webhooks"] must be a positive number.' in ended.errors

    def test_a_database_that_is_away_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from django.db import OperationalError

        def fail(*args: object, **kwargs: object) -> None:
            raise OperationalError("server closed the connection: password secret")

        monkeypatch.setattr("badges.management.commands.purge_badges.purge", fail)
        ended = run("purge_badges")

        assert ended.status == 1
        assert ended.errors == (
            "The database cannot be used (OperationalError). What was deleted stays so; run it again."
        )

    @pytest.mark.parametrize("size", ["0", "-1", "x", "10001", "1.5", ""])
    def test_a_batch_size_that_is_none_is_refused(self, size: str) -> None:
        assert run("purge_badges", f"--batch-size={size}").status != 0
