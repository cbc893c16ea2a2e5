"""What operators do with callback endpoints: enter, test, look at the secret, make a new one, see how they do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone
from pytest_django import Settings
from standardwebhooks import Webhook

from badges.issuing.callback_signing import standard_form
from badges.models import CallbackEndpoint, Delivery
from tests import factories
from tests.integration.admin.pages import Staff, errors, messages, submit, url
from tests.integration.callbacks.conftest import PRIVATE
from tests.integration.callbacks.receiver import Receiver, receiving

pytestmark = pytest.mark.django_db
SECRET = "a secret of at least thirty-two bytes"
GOOD: dict[str, Any] = {"name": "Backpack", "url": "https://backpack.example.org/hook?x=1"}


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    settings.BADGES_CONFIG = {"callbacks": PRIVATE}
    with receiving() as running:
        yield running


@pytest.fixture
def endpoint(receiver: Receiver) -> CallbackEndpoint:
    made: CallbackEndpoint = factories.CallbackEndpointFactory(name="Backpack", url=receiver.url, secret=SECRET)
    return made


def page(client: Client, endpoint: CallbackEndpoint) -> str:
    answer = client.get(url("callbackendpoint", endpoint.pk, "change"))
    assert answer.status_code == 200
    return str(answer.content.decode())


def shown(text: str, field: str) -> str:
    match = re.search(rf'id="{field}">([^<]*)<', text)
    assert match is not None
    return match[1]


class TestEntering:
    def test_makes_a_secret(self, admin_client: Client) -> None:
        submit(admin_client, url("callbackendpoint", "add"), **GOOD)
        endpoint = CallbackEndpoint.objects.get()
        assert (endpoint.name, endpoint.url) == (GOOD["name"], GOOD["url"])
        assert len(str(endpoint.secret)) >= 32

    def test_takes_that_of_the_receiver(self, admin_client: Client) -> None:
        submit(admin_client, url("callbackendpoint", "add"), **GOOD, new_secret="0123456789")
        assert CallbackEndpoint.objects.get().secret == "0123456789"

    @pytest.mark.parametrize(
        ("entered", "words"),
        [
            ("http://backpack.example.org/", "Only HTTPS"),
            ("https://user:hunter2@backpack.example.org/", "user name"),
            ("https://127.0.0.1/hook", "this machine"),
            ("https://backpack.example.org:25/", "port"),
            ("https://backpack.example.org/#x", "fragment"),
            ("javascript:alert(1)", "valid URL"),
        ],
    )
    def test_refuses_an_address_that_nothing_is_sent_to(self, admin_client: Client, entered: str, words: str) -> None:
        answer = submit(admin_client, url("callbackendpoint", "add"), **{**GOOD, "url": entered})
        assert words in errors(answer)
        assert not CallbackEndpoint.objects.exists()

    @pytest.mark.parametrize("secret", ["short", "whsec_not base64", "x" * 501])
    def test_refuses_a_secret_that_cannot_sign_and_does_not_show_it(self, admin_client: Client, secret: str) -> None:
        answer = submit(admin_client, url("callbackendpoint", "add"), **GOOD, new_secret=secret)
        assert "new_secret" in answer.context["adminform"].form.errors
        assert secret not in answer.content.decode()
        assert not CallbackEndpoint.objects.exists()

    def test_refuses_one_that_is_told_of_nothing(self, admin_client: Client) -> None:
        without = ("sends_awards", "sends_revocations", "sends_reviews")
        answer = submit(admin_client, url("callbackendpoint", "add"), without=without, **GOOD)
        assert "Choose what" in errors(answer)


class TestChanging:
    def test_keeps_the_secret(self, admin_client: Client, endpoint: CallbackEndpoint) -> None:
        submit(admin_client, url("callbackendpoint", endpoint.pk, "change"), name="Another")
        endpoint.refresh_from_db()
        assert (endpoint.name, endpoint.secret) == ("Another", SECRET)

    def test_keeps_what_workers_wrote_meanwhile(self, admin_client: Client, endpoint: CallbackEndpoint) -> None:
        address = url("callbackendpoint", endpoint.pk, "change")
        admin_client.get(address)
        CallbackEndpoint.objects.update(failures=4, last_error="It is away.")
        submit(admin_client, address, name="Another")
        endpoint.refresh_from_db()
        assert (endpoint.failures, endpoint.last_error) == (4, "It is away.")

    def test_of_its_address_ends_its_rest(self, admin_client: Client, endpoint: CallbackEndpoint) -> None:
        CallbackEndpoint.objects.update(failures=7, paused_until=timezone.now() + timedelta(hours=1))
        submit(admin_client, url("callbackendpoint", endpoint.pk, "change"), url=f"{endpoint.url}/new")
        endpoint.refresh_from_db()
        assert (endpoint.failures, endpoint.paused_until) == (0, None)

    def test_works_where_the_secret_cannot_be_read(
        self, admin_client: Client, endpoint: CallbackEndpoint, settings: Settings
    ) -> None:
        settings.BADGES_ENCRYPTION_KEYS = ["another"]
        submit(admin_client, url("callbackendpoint", endpoint.pk, "change"), new_secret="0123456789")
        endpoint.refresh_from_db()
        assert endpoint.secret == "0123456789"


class TestTheSecret:
    def test_is_on_no_page_by_itself(self, admin_client: Client, endpoint: CallbackEndpoint) -> None:
        for address in (url("callbackendpoint"), url("callbackendpoint", endpoint.pk, "change")):
            assert SECRET not in admin_client.get(address).content.decode()

    def test_is_shown_on_request_in_both_forms(self, admin_client: Client, endpoint: CallbackEndpoint) -> None:
        answer = admin_client.post(url("callbackendpoint", endpoint.pk, "secret"))
        text = answer.content.decode()
        assert shown(text, "badgekit-secret") == SECRET
        assert shown(text, "standard-secret") == standard_form(SECRET)
        assert "no-store" in answer["Cache-Control"]
        assert SECRET not in text.split("</title>")[0]
        assert LogEntry.objects.get().get_change_message() == "Looked at the secret."

    def test_is_replaced_by_a_new_one_that_signs(
        self, admin_client: Client, endpoint: CallbackEndpoint, receiver: Receiver
    ) -> None:
        text = admin_client.post(url("callbackendpoint", endpoint.pk, "new-secret")).content.decode()
        assert SECRET not in text
        admin_client.post(url("callbackendpoint", endpoint.pk, "test"))
        assert Webhook(shown(text, "standard-secret")).verify(receiver.received[0].body, receiver.received[0].headers)

    def test_that_cannot_be_read_is_explained(
        self, admin_client: Client, endpoint: CallbackEndpoint, settings: Settings
    ) -> None:
        settings.BADGES_ENCRYPTION_KEYS = ["another"]
        answer = admin_client.post(url("callbackendpoint", endpoint.pk, "secret"), follow=True)
        assert "cannot be decrypted" in messages(answer)[0]

    @pytest.mark.parametrize("button", ["secret", "new-secret", "test"])
    def test_is_for_those_who_may_change_endpoints(
        self, staff: Staff, endpoint: CallbackEndpoint, button: str, receiver: Receiver
    ) -> None:
        client = staff("view_callbackendpoint")
        assert client.post(url("callbackendpoint", endpoint.pk, button)).status_code == 403
        assert client.get(url("callbackendpoint", endpoint.pk, button)).status_code in (403, 405)
        endpoint.refresh_from_db()
        assert (endpoint.secret, receiver.received) == (SECRET, [])
        assert "Show the secret</button>" not in page(client, endpoint)

    @pytest.mark.parametrize("button", ["secret", "new-secret", "test"])
    def test_is_not_asked_for_by_other_sites(self, admin_user: Any, endpoint: CallbackEndpoint, button: str) -> None:
        client = Client(enforce_csrf_checks=True)
        client.force_login(admin_user)
        assert client.post(url("callbackendpoint", endpoint.pk, button)).status_code == 403

    @pytest.mark.parametrize("button", ["secret", "new-secret", "test"])
    @pytest.mark.parametrize("number", ["999", "x", "99999999999999999999999"])
    def test_of_nothing_is_no_error(self, admin_client: Client, button: str, number: str) -> None:
        assert admin_client.post(url("callbackendpoint", number, button), follow=True).status_code == 200


class TestTheTestMessage:
    def test_shows_what_came_back(self, admin_client: Client, endpoint: CallbackEndpoint, receiver: Receiver) -> None:
        receiver.answer(202, b"<script>alert(1)</script>")
        answer = admin_client.post(url("callbackendpoint", endpoint.pk, "test"), follow=True)
        assert re.match(r"The test message was taken: HTTP 202 after \d+ ms. Answer: <script>", messages(answer)[0])
        assert b"<script>alert(1)" not in answer.content
        assert len(receiver.received) == 1

    def test_shows_why_it_was_not_taken(
        self, admin_client: Client, endpoint: CallbackEndpoint, receiver: Receiver
    ) -> None:
        receiver.answer(401, b"who are you?")
        answer = admin_client.post(url("callbackendpoint", endpoint.pk, "test"), follow=True)
        assert "not taken" in messages(answer)[0]
        assert "who are you? Does it know the present secret?" in messages(answer)[0]
        assert "1 failure in a row" in answer.content.decode()

    def test_holds_no_transaction_open_meanwhile(self, admin_client: Client, endpoint: CallbackEndpoint) -> None:
        from django.urls import resolve

        view: Any = resolve(url("callbackendpoint", endpoint.pk, "test")).func
        assert "default" in view._non_atomic_requests


class TestHealth:
    def test_is_seen_in_the_list(self, admin_client: Client, receiver: Receiver) -> None:
        factories.CallbackEndpointFactory(name="a")
        factories.CallbackEndpointFactory(name="b", is_active=False)
        factories.CallbackEndpointFactory(name="c", failures=5, paused_until=timezone.now() + timedelta(hours=1))
        factories.CallbackEndpointFactory(name="d", last_success_at=timezone.now())
        text = admin_client.get(url("callbackendpoint")).content.decode()
        states = re.findall(r'badges-state-(\w+)">([^<]*)<', text)
        assert [state for state, _ in states] == ["unused", "unused", "resting", "works"]
        assert states[2][1].startswith("rests until")

    def test_leads_to_the_deliveries(self, admin_client: Client, endpoint: CallbackEndpoint) -> None:
        mine = factories.CallbackDeliveryFactory(callback__endpoint=endpoint)
        factories.CallbackDeliveryFactory(callback__endpoint=endpoint, status="done")
        factories.CallbackDeliveryFactory()
        factories.DeliveryFactory()
        link = re.search(r'href="([^"]*endpoint=[^"]*waiting)">1 delivery<', page(admin_client, endpoint))
        assert link is not None
        answer = admin_client.get(link[1].replace("&amp;", "&"))
        assert list(answer.context["cl"].result_list) == [mine]

    def test_costs_no_query_a_row(self, admin_client: Client, django_assert_max_num_queries: Any) -> None:
        factories.CallbackEndpointFactory.create_batch(2)
        with django_assert_max_num_queries(10) as few:
            admin_client.get(url("callbackendpoint"))
        factories.CallbackEndpointFactory.create_batch(8)
        with django_assert_max_num_queries(len(few.captured_queries)):
            admin_client.get(url("callbackendpoint"))


def test_deleting_an_endpoint_deletes_what_it_would_be_told(admin_client: Client, endpoint: CallbackEndpoint) -> None:
    factories.CallbackDeliveryFactory(callback__endpoint=endpoint)
    admin_client.post(url("callbackendpoint", endpoint.pk, "delete"), {"post": "yes"})
    assert not Delivery.objects.exists()
