"""What is let into the inbox, what is kept of it, and what becomes of one event that comes again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import django
import pytest
from asgiref.sync import async_to_sync
from django.core.cache import cache
from django.db import OperationalError, connection
from django.test import AsyncClient, Client
from django.urls import reverse
from django.utils import timezone

from badges.models import ProviderAccount, WebhookEvent
from badges.webhooks import inbox, tasks
from tests.factories import moment
from tests.integration.webhooks.scripted import CONFIG, ScriptedWebhooks, make_account, received
from tests.integration.webhooks.sending import encoded, post

pytestmark = pytest.mark.django_db
Status = WebhookEvent.Status
ENGINE = f"django{'.' if django.VERSION >= (6, 0) else '_'}tasks.backends.dummy.DummyBackend"


def body(account: ProviderAccount, number: int = 1, **values: Any) -> bytes:
    """What the scripted provider posts."""
    fixed = {"id": f"event-{number}", "type": "employee", "at": number, "account": account.external_id}
    return encoded({**fixed, **values})


def proven(account: ProviderAccount, content: bytes | None = None, **extra: Any) -> int:
    """Post to the address with the secret, and tell the status of the answer."""
    path = reverse("badges:webhook-secret", args=["scripted", account.pk, str(account.webhook_secret)])
    return post(path, body(account) if content is None else content, **extra).status_code


def on_trial(account: ProviderAccount, content: bytes | None = None) -> int:
    """Post to the address without anything, and tell the status of the answer."""
    path = reverse("badges:webhook", args=["scripted"])
    return post(path, body(account) if content is None else content).status_code


@contextmanager
def failing(sql: str) -> Iterator[None]:
    """A database that fails at a certain statement."""

    def fail(execute: Any, statement: str, *arguments: Any) -> Any:
        if statement.startswith(sql):
            raise OperationalError("The server at secret-host has gone away.")
        return execute(statement, *arguments)

    with connection.execute_wrapper(fail):
        yield


# What is kept.
def test_of_the_headers_only_what_tells_how_it_came_is_kept(scripted_account: ProviderAccount) -> None:
    headers = {"Authorization": "Bearer x", "Cookie": "a=b", "User-Agent": "Sender/1 " + "x" * 500, "X-Other": "1"}

    assert proven(scripted_account, headers={**headers, "X-Request-Id": "7"}) == 200

    kept = WebhookEvent.objects.get().headers
    assert set(kept) == {"content-type", "content-length", "user-agent", "x-request-id"}
    assert (len(kept["user-agent"]), kept["x-request-id"]) == (200, "7")


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("unix:", None),
        ("", None),
        ("203.0.113.7, 198.51.100.1", None),
    ],
)
def test_the_address_is_that_of_the_connection(
    scripted_account: ProviderAccount, told: str, expected: str | None
) -> None:
    path = reverse("badges:webhook-secret", args=["scripted", scripted_account.pk, scripted_account.webhook_secret])
    forwarded = {"X-Forwarded-For": "198.51.100.9", "X-Real-Ip": "198.51.100.9"}

    response = Client(REMOTE_ADDR=told).generic("POST", path, body(scripted_account), headers=forwarded)

    assert response.status_code == 200
    assert WebhookEvent.objects.values_list("remote_address", flat=True).get() == expected


@pytest.mark.parametrize("year", [1, 1969, 9999])
def test_a_time_that_no_database_holds_is_not_kept(scripted_account: ProviderAccount, year: int) -> None:
    assert inbox.storable_time(moment(1).replace(year=year)) is None
    assert inbox.storable_time(moment(1).replace(tzinfo=None)) is None
    assert inbox.storable_time(moment(1)) == moment(1)


# The same event again.
def test_a_proven_request_proves_an_event_and_replaces_what_a_stranger_said(scripted_account: ProviderAccount) -> None:
    on_trial(scripted_account, body(scripted_account, type="a lie", more="x"))
    assert proven(scripted_account) == 200

    row = WebhookEvent.objects.get()
    assert (row.is_proven, row.event_type, row.times_received) == (True, "employee", 2)
    assert row.body == body(scripted_account).decode()


def test_a_stranger_changes_nothing_of_a_proven_event(scripted_account: ProviderAccount) -> None:
    proven(scripted_account)
    before = WebhookEvent.objects.values("is_proven", "event_type", "body", "headers", "occurred_at", "status").get()

    assert on_trial(scripted_account, body(scripted_account, type="a lie", more="x")) == 200

    assert WebhookEvent.objects.values(*before).get() == before


@pytest.mark.parametrize("status", [Status.PROCESSED, Status.IGNORED, Status.DISCARDED])
def test_an_event_that_is_over_stays_so(scripted_account: ProviderAccount, status: str) -> None:
    received(scripted_account, status=status)

    assert proven(scripted_account) == 200

    assert WebhookEvent.objects.values_list("status", "times_received").get() == (status, 2)


def test_an_event_that_was_given_up_is_tried_again_when_its_provider_insists(scripted_account: ProviderAccount) -> None:
    now = timezone.now()
    received(scripted_account, status=Status.DEAD, attempts=9, give_up_at=now, finished_at=now)

    on_trial(scripted_account)
    assert WebhookEvent.objects.get().status == Status.DEAD
    proven(scripted_account)

    row = WebhookEvent.objects.get()
    assert (row.status, row.attempts, row.give_up_at, row.finished_at) == (Status.RECEIVED, 0, None, None)


def test_one_that_failed_keeps_its_time(scripted_account: ProviderAccount) -> None:
    later = timezone.now().replace(microsecond=0) + timedelta(hours=1)
    received(scripted_account, status=Status.FAILED, attempts=3, next_attempt_at=later)

    proven(scripted_account)

    assert WebhookEvent.objects.values_list("status", "attempts", "next_attempt_at").get() == ("failed", 3, later)


def test_the_same_event_of_two_accounts_is_two(scripted_account: ProviderAccount) -> None:
    other = make_account()

    assert [proven(scripted_account), proven(other)] == [200, 200]
    assert WebhookEvent.objects.count() == 2


# Strangers.
def test_a_stranger_cannot_fill_the_inbox(scripted_account: ProviderAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "MOST_ON_TRIAL", 3)

    assert [on_trial(scripted_account, body(scripted_account, number)) for number in range(5)] == [200] * 3 + [429] * 2
    assert proven(scripted_account, body(scripted_account, 7)) == 200


def test_a_stranger_cannot_use_up_what_the_provider_needs(scripted_account: ProviderAccount, settings: Any) -> None:
    settings.BADGES_CONFIG = {**CONFIG, "webhooks": {"calls": 2, "seconds": 3600}}

    assert [on_trial(scripted_account) for _ in range(4)] == [200, 200, 429, 429]
    assert proven(scripted_account) == 200


@pytest.mark.skipif(connection.vendor == "mysql", reason="There the two identifiers are the same.")
def test_of_two_accounts_that_differ_by_case_none_is_guessed(webhooks: type[ScriptedWebhooks]) -> None:
    for name in ("acme", "ACME"):
        make_account(external_id=name)

    assert on_trial(make_account(), encoded({"id": "1", "type": "t", "at": 1, "account": "acme"})) == 403


@pytest.mark.parametrize("number", ["0", str(2**63), str(2**200), "9" * 5000])
def test_an_account_that_cannot_be_is_unknown(scripted_account: ProviderAccount, number: str) -> None:
    path = reverse("badges:webhook", args=["scripted"])

    assert post(f"{path}{number}/secret/", body(scripted_account)).status_code in (403, 404)


@pytest.mark.parametrize("secret", ["%00", "%FF", "%ED%A0%80", "%E2%82%AC", "x" * 5000, "%2e%2e"])
def test_a_secret_may_be_any_text(scripted_account: ProviderAccount, secret: str) -> None:
    path = reverse("badges:webhook", args=["scripted"])

    assert post(f"{path}{scripted_account.pk}/{secret}/", body(scripted_account)).status_code == 403


@pytest.mark.parametrize("slug", ["nobody", "accredible", "CREDLY", "x" * 300])
def test_a_provider_without_webhooks_has_no_address(scripted_account: ProviderAccount, slug: str) -> None:
    assert post(f"/badges/{slug}/webhook/", b"{}").status_code == 404


@pytest.mark.parametrize("length", ["-1", "x", "", "1e3", "٣", "9" * 5000])
def test_a_length_that_is_none_fails_nothing(scripted_account: ProviderAccount, length: str) -> None:
    path = reverse("badges:webhook-secret", args=["scripted", scripted_account.pk, scripted_account.webhook_secret])

    response = Client().generic("POST", path, body(scripted_account), CONTENT_LENGTH=length)

    assert response.status_code in (400, 413)


def test_an_error_of_a_provider_s_own_class_is_a_refusal(
    scripted_account: ProviderAccount, caplog: pytest.LogCaptureFixture
) -> None:
    assert proven(scripted_account, b'{"id": "very-secret"}') == 400
    assert "KeyError at " in caplog.text
    assert "very-secret" not in caplog.text


@pytest.mark.parametrize("event_id", ["", "x" * 256, "a\nb", "a\x00", "\ud800", "\u202e"])
def test_words_that_cannot_be_stored_or_shown_are_refused(scripted_account: ProviderAccount, event_id: str) -> None:
    assert proven(scripted_account, body(scripted_account, id=event_id)) == 400
    assert proven(scripted_account, body(scripted_account, type=event_id)) == 400
    assert not WebhookEvent.objects.exists()


@pytest.mark.parametrize("number", [7, None, [], {}])
def test_words_that_are_none_are_refused(scripted_account: ProviderAccount, number: object) -> None:
    assert proven(scripted_account, body(scripted_account, id=number)) == 400


# Faults of ours.
@pytest.mark.parametrize("statement", ["SELECT", "INSERT"])
def test_a_database_that_is_away_asks_to_come_again(
    scripted_account: ProviderAccount, statement: str, caplog: pytest.LogCaptureFixture
) -> None:
    with failing(statement):
        assert proven(scripted_account) == 503

    assert "secret-host" not in caplog.text
    assert not WebhookEvent.objects.exists()
    assert proven(scripted_account) == 200


def test_what_lasts_is_told_once_in_a_while(
    scripted_account: ProviderAccount, caplog: pytest.LogCaptureFixture
) -> None:
    with failing("SELECT"):
        assert [proven(scripted_account) for _ in range(3)] == [503] * 3

    assert caplog.text.count("The database cannot be used") == 1


def test_settings_that_are_wrong_ask_to_come_again(scripted_account: ProviderAccount, settings: Any) -> None:
    settings.BADGES_CONFIG = {**CONFIG, "webhooks": {"calls": "many"}}

    assert proven(scripted_account) == 503


def test_a_cache_that_is_away_keeps_nobody_out(
    scripted_account: ProviderAccount, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.CACHES = {"default": {"BACKEND": "tests.integration.webhooks.caches.BrokenCache"}}

    assert [proven(scripted_account), on_trial(scripted_account)] == [200, 200]
    assert proven(scripted_account, b"{") == 400
    assert "secret-host" not in caplog.text


def test_a_cache_that_keeps_nothing_keeps_nobody_out(scripted_account: ProviderAccount, settings: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}

    assert [proven(scripted_account), on_trial(scripted_account)] == [200, 200]


# Tasks.
def test_without_an_engine_nothing_is_done_within_the_request(
    scripted_account: ProviderAccount, webhooks: type[ScriptedWebhooks], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        proven(scripted_account)

    assert (webhooks.asked, WebhookEvent.objects.get().status) == ([], Status.RECEIVED)


def test_an_engine_gets_a_task_once_the_event_is_stored(
    scripted_account: ProviderAccount, settings: Any, django_capture_on_commit_callbacks: Any
) -> None:
    settings.TASKS = {"default": {"BACKEND": ENGINE, "QUEUES": ["default"]}}
    engine: Any = tasks.process_webhooks.get_backend()

    with django_capture_on_commit_callbacks(execute=True):
        proven(scripted_account)
        assert engine.results == []
    with django_capture_on_commit_callbacks(execute=True):
        received(scripted_account, 2, status=Status.PROCESSED)
        proven(scripted_account, body(scripted_account, 2))

    (result,) = engine.results
    assert result.args == [[WebhookEvent.objects.get(event_id="event-1").pk]]
    assert tasks.process_webhooks.func(*result.args) == 1
    assert WebhookEvent.objects.get(event_id="event-1").status == Status.PROCESSED


def test_an_engine_that_is_away_is_logged_and_no_more(
    scripted_account: ProviderAccount,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    django_capture_on_commit_callbacks: Any,
) -> None:
    settings.TASKS = {"default": {"BACKEND": ENGINE, "QUEUES": ["default"]}}

    def fail(*args: Any, **kwargs: Any) -> None:
        raise ConnectionError("No engine at secret-host.")

    monkeypatch.setattr(type(tasks.process_webhooks.get_backend()), "enqueue", fail)
    with django_capture_on_commit_callbacks(execute=True):
        assert proven(scripted_account) == 200

    assert "left to the sweep" in caplog.text
    assert "secret-host" not in caplog.text


# The project around it.
def test_the_address_of_the_built_in_module_is_still_there() -> None:
    assert reverse("badges:credly-webhook") == reverse("badges:webhook", args=["credly"]) == "/badges/credly/webhook/"


@pytest.mark.parametrize("mistake", ["/3/SECRET//", "/3/SECRET/x", "/SECRET/", "/x/SECRET/", "//3/SECRET/"])
def test_an_address_that_was_entered_wrongly_is_not_logged(mistake: str, caplog: pytest.LogCaptureFixture) -> None:
    assert post(f"/badges/credly/webhook{mistake}", b"{}").status_code == 404

    assert "SECRET" not in caplog.text


@pytest.mark.django_db(transaction=True)
def test_it_is_answered_under_asgi_too(scripted_account: ProviderAccount) -> None:
    path = f"/badges/scripted/webhook/{scripted_account.pk}/{scripted_account.webhook_secret}/"
    post_it = async_to_sync(AsyncClient().post)

    response = post_it(path, json.loads(body(scripted_account)), content_type="application/json")

    assert response.status_code == 200


def test_a_new_event_takes_three_queries_and_a_savepoint(
    scripted_account: ProviderAccount, django_assert_num_queries: Any
) -> None:
    cache.clear()
    with django_assert_num_queries(5):
        proven(scripted_account)
