"""The part of the contract about what is no event, what is not genuine, and what is too much."""

from __future__ import annotations

from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIRequest
from django.urls import resolve, reverse
from django.utils import timezone

from badges.models import ProviderAccount, WebhookEvent
from badges.webhooks.processing import process_due
from tests.integration.webhooks.contract_base import WRONG, ContractBase
from tests.integration.webhooks.sending import encoded, places, post, replaced, without

Status = WebhookEvent.Status
MALFORMED = {
    "empty": b"",
    "cut": b'{"id": ',
    "null": b"null",
    "a list": b"[]",
    "a text": b'"id"',
    "a number": b"1",
    "an empty object": b"{}",
    "no UTF-8": b'{"id": "\xff\xfe"}',
    "UTF-16": '{"id": "1"}'.encode("utf-16"),
    "NUL": b'{"id": "\x00"}',
    "deep": b"[" * 50_000,
    "deep and closed": b"[" * 30_000 + b"]" * 30_000,
    "a huge number": b"9" * 60_000,
    "a form": b"payload=%7B%7D",
}
STRANGE: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 2**63, 10**400, 1.5, 1e308, float("nan"), float("inf")),
    *("", " ", "x" * 5_000, "\x00", "\ud800", "../../..", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"),
    *([], {}, [[]], {"": None}, ["\x00"]),
)


class StrangeContract(ContractBase):
    """Inherited by way of :class:`tests.integration.webhooks.contract.WebhookContract`."""

    # What is no event.
    @pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
    def test_what_is_no_message_is_refused(self, account: ProviderAccount, body: bytes) -> None:
        assert self.send(account, body).status_code == 400
        assert post(reverse("badges:webhook", args=[self.slug]), body).status_code in (400, 403)
        assert self.rows() == []

    def test_a_value_of_a_wrong_type_at_any_place_fails_nothing(self, account: ProviderAccount) -> None:
        message = self.message(account, 1)

        for place in places(message):
            for value in STRANGE:
                self._sent_strangely(account, encoded(replaced(message, place, value)))
            if place:
                self._sent_strangely(account, encoded(without(message, place)))

    def _sent_strangely(self, account: ProviderAccount, body: bytes) -> None:
        WebhookEvent.objects.all().delete()
        response = self.send(account, body)
        stored = WebhookEvent.objects.count()
        assert (response.status_code, stored) == (200, 1) or (400 <= response.status_code < 500 and stored == 0), body
        if stored and not self.webhooks.is_confirmed_by_provider:
            process_due()
            assert not WebhookEvent.objects.filter(status=Status.PROCESSING).exists()

    def test_a_key_that_comes_twice_fails_nothing(self, account: ProviderAccount) -> None:
        body = encoded(self.message(account, 1))

        response = self.send(account, body[:-1] + b", " + encoded(self.message(account, 3))[1:])

        assert response.status_code < 500

    def test_a_tampered_message_changes_nothing_by_itself(self, account: ProviderAccount) -> None:
        """A signature does not fit any more; otherwise what the provider says of its event counts."""
        secret = str(account.webhook_secret)
        genuine = encoded(self.message(account, 1))
        tampered = encoded({**self.message(account, 1), **self.lies})
        self.answer(account, 1)

        response = post(self.path(account.pk, secret), tampered, self.sign(genuine, secret))

        if self.webhooks.secret_in_address:
            assert response.status_code == 200
            process_due()
            row = WebhookEvent.objects.get()
            assert row.status == Status.PROCESSED
            assert row.event_type not in self.lies.values()
            assert row.occurred_at is not None
            assert row.occurred_at.year != 2099
        else:
            assert (response.status_code, self.rows()) == (403, [])

    @pytest.mark.parametrize("is_proven", [True, False])
    def test_an_event_that_the_provider_does_not_know_changes_nothing(
        self, account: ProviderAccount, is_proven: bool
    ) -> None:
        if not self.webhooks.is_confirmed_by_provider:
            pytest.skip("It is not asked.")
        self.deny(account, 1)
        before, body = self.state(account), encoded(self.message(account, 1))
        path = self.path(account.pk, str(account.webhook_secret))
        post(path if is_proven else reverse("badges:webhook", args=[self.slug]), body)

        process_due()
        assert [status for status, *_ in self.rows()] == [Status.FAILED]
        an_hour_ago = timezone.now() - timedelta(hours=1)
        WebhookEvent.objects.update(received_at=an_hour_ago, next_attempt_at=an_hour_ago)
        process_due()

        assert [status for status, *_ in self.rows()] == ([Status.IGNORED] if is_proven else [])
        assert self.state(account) == before

    # Too much.
    def test_a_body_that_is_too_large_is_not_read(self, account: ProviderAccount) -> None:
        self.configure(max_body=1_000)

        assert self.send(account, encoded({**self.message(account, 1), "more": "x" * 5_000})).status_code == 413
        assert self.rows() == []

    def test_a_body_that_does_not_say_how_large_it_is_is_read_to_the_limit(self, account: ProviderAccount) -> None:
        self.configure(max_body=10_000)
        path = self.path(account.pk, str(account.webhook_secret))
        stream = BytesIO(b" " * 1_000_000)
        scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": []}
        match = resolve(path)

        response = match.func(ASGIRequest(scope, stream), *match.args, **match.kwargs)

        assert (response.status_code, self.rows()) == (413, [])
        assert stream.tell() < 50_000

    def test_who_is_refused_too_often_is_asked_to_wait(self, account: ProviderAccount) -> None:
        self.configure(refused_calls=3, seconds=3600)

        statuses = [self.send_event(account, 1, secret=WRONG).status_code for _ in range(5)]

        assert statuses == [403, 403, 403, 429, 429]
        assert 0 < int(self.send_event(account, 1, secret=WRONG).headers["Retry-After"]) <= 3600

    def test_a_stranger_behind_the_same_proxy_keeps_nobody_out(self, account: ProviderAccount) -> None:
        self.configure(refused_calls=3, seconds=3600)
        for _ in range(5):
            self.send_event(account, 1, secret=WRONG)

        assert self.send_event(account, 1).status_code == 200

    def test_an_account_that_gets_too_many_asks_to_come_again(self, account: ProviderAccount) -> None:
        self.configure(calls=2, seconds=3600)

        statuses = [self.send_event(account, number).status_code for number in (1, 2, 3)]

        assert (statuses, len(self.rows())) == ([200, 200, 429], 2)
