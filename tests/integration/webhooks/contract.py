"""What the webhook address of every provider must do; a test class of each provider inherits it.

Use::

    class TestContract(WebhookContract):
        slug = "toy"
        config = {"providers": {"toy": "..."}}        # of BADGES_CONFIG, where it needs some
        account_key = "organization_id"               # the key of a message that names the account; "" without one
        lies = {"event_type": "tampered", ...}        # what a tampered message says, with a time in the year 2099

        def make_account(self) -> ProviderAccount: ...    # a stored account, issuing or not
        def message(self, account, number) -> dict: ...   # what the provider posts about its event of this number
        def state(self, account) -> object: ...           # what our tables say of the thing that 1 and 2 are about
        def answer(self, account, number) -> None: ...    # the provider confirms the event of this number, if asked
        def deny(self, account, number) -> None: ...      # the provider knows no event of this number
        def sign(self, body, secret) -> dict: ...         # the headers that prove a body, where requests are signed

The events 1 and 2 are about the same thing, say a badge, and 2 is newer; those from 3 on are any other genuine ones.
The same number gives the same event, each time. Whatever a provider answers is prepared by the subclass, in an autouse
fixture of its own (``responses``, or a server in memory). Every test of the base class must hold for every provider;
what a provider does beside is tested in its own module. ``tests/integration/webhooks/test_toy.py`` is an example.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from badges.models import ProviderAccount, WebhookEvent
from badges.webhooks.processing import process_due
from tests.integration.webhooks.contract_base import WRONG
from tests.integration.webhooks.contract_strange import StrangeContract
from tests.integration.webhooks.sending import at_once, encoded, post

Status = WebhookEvent.Status


class WebhookContract(StrangeContract):
    """Inherit it; see the module."""

    # Genuine requests.
    def test_a_genuine_request_is_stored_and_answered_with_exactly_200(self, account: ProviderAccount) -> None:
        before = self.state(account)

        response = self.send_event(account, 1)

        assert response.status_code == 200
        assert self.rows() == [(Status.RECEIVED, True, 1)]
        assert self.state(account) == before

    def test_a_genuine_event_is_processed(self, account: ProviderAccount) -> None:
        before = self.state(account)
        self.answer(account, 1)
        self.send_event(account, 1)

        process_due()

        row = WebhookEvent.objects.get()
        assert (row.status, row.last_error) == (Status.PROCESSED, "")
        assert row.note != ""
        assert self.state(account) != before

    def test_nothing_secret_is_stored(self, account: ProviderAccount) -> None:
        self.send_event(account, 1)

        row = WebhookEvent.objects.values().get()
        assert str(account.webhook_secret) not in repr(row)
        assert not {"authorization", "cookie"} & {name.lower() for name in row["headers"]}

    def test_an_address_without_its_last_slash_is_the_same(self, account: ProviderAccount) -> None:
        body, secret = encoded(self.message(account, 1)), str(account.webhook_secret)

        response = post(self.path(account.pk, secret).rstrip("/"), body, self.sign(body, secret))

        assert (response.status_code, len(self.rows())) == (200, 1)

    def test_any_content_type_will_do(self, account: ProviderAccount) -> None:
        body, secret = encoded(self.message(account, 1)), str(account.webhook_secret)

        for content_type in ("", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
            path, headers = self.path(account.pk, secret), self.sign(body, secret)
            response = Client().generic("POST", path, body, content_type=content_type, headers=headers)
            assert response.status_code == 200

        assert self.rows() == [(Status.RECEIVED, True, 4)]

    # Secrets.
    def test_a_wrong_secret_is_refused_and_leaves_nothing(self, account: ProviderAccount) -> None:
        assert self.send_event(account, 1, secret=WRONG).status_code == 403
        assert self.rows() == []

    def test_a_wrong_secret_and_an_unknown_account_are_answered_the_same(self, account: ProviderAccount) -> None:
        body, unknown = encoded(self.message(account, 1)), self.path(account.pk + 1000, WRONG)

        answers = [self.send(account, body, secret=WRONG), post(unknown, body, self.sign(body, WRONG))]

        assert len({(answer.status_code, answer.content, str(answer.headers)) for answer in answers}) == 1

    def test_a_request_without_the_secret_is_let_in_on_trial_at_the_most(self, account: ProviderAccount) -> None:
        body = encoded(self.message(account, 1))

        response = post(reverse("badges:webhook", args=[self.slug]), body)

        if self.webhooks.is_confirmed_by_provider:
            assert (response.status_code, self.rows()) == (200, [(Status.RECEIVED, False, 1)])
        else:
            assert (response.status_code, self.rows()) == (403, [])

    def test_a_request_without_the_secret_is_refused_where_that_is_switched_off(self, account: ProviderAccount) -> None:
        self.configure(without_secret=False)

        response = post(reverse("badges:webhook", args=[self.slug]), encoded(self.message(account, 1)))

        assert (response.status_code, self.rows()) == (403, [])

    def test_an_account_is_named_with_its_secret_or_signature(self, account: ProviderAccount) -> None:
        path = reverse("badges:webhook-account", args=[self.slug, account.pk])

        response = post(path, encoded(self.message(account, 1)))

        assert response.status_code == (404 if self.webhooks.secret_in_address else 403)
        assert self.rows() == []

    def test_after_a_rotation_both_secrets_are_valid_for_a_while(self, account: ProviderAccount) -> None:
        former = str(account.webhook_secret)
        account.rotate_webhook_secret(timezone.now() + timedelta(hours=1))
        account.save()

        assert self.send_event(account, 1).status_code == 200
        assert self.send_event(account, 2, secret=former).status_code == 200

        ProviderAccount.objects.update(former_webhook_secret_until=timezone.now() - timedelta(seconds=1))
        assert self.send_event(account, 3, secret=former).status_code == 403
        assert self.send_event(account, 3).status_code == 200

    def test_an_account_without_a_secret_lets_nobody_in(self, account: ProviderAccount) -> None:
        account.webhook_secret = ""
        account.save()
        body = encoded(self.message(account, 1))

        responses = [self.send(account, body, secret=WRONG)]
        if not self.webhooks.secret_in_address:
            responses.append(self.send(account, body, secret=""))

        assert {response.status_code for response in responses} == {403}
        assert self.rows() == []

    def test_a_secret_that_cannot_be_decrypted_asks_to_come_again(self, account: ProviderAccount) -> None:
        body, secret = encoded(self.message(account, 1)), str(account.webhook_secret)
        self.settings.BADGES_ENCRYPTION_KEYS = ["another"]

        response = post(self.path(account.pk, secret), body, self.sign(body, secret))

        assert (response.status_code, self.rows()) == (503, [])
        assert response.headers["Retry-After"]

    def test_no_secret_is_logged(self, account: ProviderAccount, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level("DEBUG")
        secret = str(account.webhook_secret)
        self.configure(max_body=1_000)

        self.send_event(account, 1, secret=WRONG)
        self.send(account, b"{" * 2_000)
        self.send(account, b"{")
        Client().get(self.path(account.pk, secret))

        assert WRONG not in caplog.text
        assert secret not in caplog.text

    # Whose event it is.
    def test_an_event_of_an_unknown_organization_is_refused(self, account: ProviderAccount) -> None:
        if not self.account_key:
            pytest.skip("Its requests do not name the account.")
        message = {**self.message(account, 1), self.account_key: "0b6e6f0e-7b39-4bb2-8c48-e4a4fdbd5e19"}

        responses = [self.send(account, encoded(message))]
        responses.append(post(reverse("badges:webhook", args=[self.slug]), encoded(message)))

        assert {response.status_code for response in responses} == {403}
        assert self.rows() == []

    def test_an_organization_is_known_in_capital_letters_too(self, account: ProviderAccount) -> None:
        if not self.account_key:
            pytest.skip("Its requests do not name the account.")
        message = self.message(account, 1)
        message[self.account_key] = message[self.account_key].upper()

        assert self.send(account, encoded(message)).status_code == 200
        assert post(reverse("badges:webhook", args=[self.slug]), encoded(message)).status_code == 200
        assert self.rows() == [(Status.RECEIVED, True, 2)]

    # Again, and in another order.
    def test_the_same_event_again_is_one_event(self, account: ProviderAccount) -> None:
        self.answer(account, 1)
        self.send_event(account, 1)
        process_due()
        state = self.state(account)

        assert self.send_event(account, 1).status_code == 200
        process_due()

        assert self.rows() == [(Status.PROCESSED, True, 2)]
        assert self.state(account) == state

    @pytest.mark.parametrize("at_once", [True, False])
    def test_events_that_come_out_of_order_end_in_the_same_state(self, account: ProviderAccount, at_once: bool) -> None:
        states, before = [], self.state(account)
        for order in ((1, 2), (2, 1)):
            other = account if order == (1, 2) else self.make_account()
            for number in order:
                self.answer(other, number)
                self.send_event(other, number)
                if not at_once:
                    process_due()
            process_due()
            states.append(self.state(other))

        assert states[0] == states[1] != before

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets one writer in at a time: nothing races")
    def test_duplicates_at_the_same_time_are_one_event(self, account: ProviderAccount) -> None:
        for number in range(1, 6):
            responses = at_once(lambda number=number: self.send_event(account, number).status_code, 6)  # type: ignore[misc]
            assert responses == [200] * 6

        assert self.rows() == [(Status.RECEIVED, True, 6)] * 5

    # The project around it.
    @pytest.mark.django_db(transaction=True)
    def test_it_stands_outside_the_transactions_of_requests(
        self, account: ProviderAccount, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)
        inside: list[bool] = []

        def look(execute: Any, *arguments: Any) -> Any:
            inside.append(connection.in_atomic_block)
            return execute(*arguments)

        with connection.execute_wrapper(look):
            response = self.send_event(account, 1)

        assert (response.status_code, inside[0]) == (200, False)
        assert self.rows() == [(Status.RECEIVED, True, 1)]

    def test_it_needs_no_csrf_token(self, account: ProviderAccount) -> None:
        assert self.send_event(account, 1, client=Client(enforce_csrf_checks=True)).status_code == 200

    def test_it_needs_no_login(self, account: ProviderAccount) -> None:
        login = "django.contrib.auth.middleware.LoginRequiredMiddleware"
        self.settings.MIDDLEWARE = [*self.settings.MIDDLEWARE, login]

        assert self.send_event(account, 1).status_code == 200

    @pytest.mark.parametrize("method", ["get", "head", "put", "patch", "delete", "options", "trace"])
    def test_only_posts_are_answered(self, account: ProviderAccount, method: str) -> None:
        response = getattr(Client(), method)(self.path(account.pk, str(account.webhook_secret)))

        assert (response.status_code, response.headers["Allow"]) == (405, "POST")

    def test_with_the_feature_off_there_is_nothing(self, account: ProviderAccount) -> None:
        self.settings.BADGES_ENABLED = False

        assert self.send_event(account, 1).status_code == 404
        assert self.rows() == []
