"""What an operator sees of an account's health, and how it is checked and resumed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from badges.data import AccountInfo
from badges.exceptions import ProviderAuthError, ProviderUnavailable
from badges.issuing import by_hand, health
from badges.issuing.account_checks import check_stopped
from badges.models import AccountHealth, CredlyOrganization, Delivery, ProviderAccount, TemplateSync
from badges.providers import traffic
from tests import factories
from tests.factories import DeliveryFactory
from tests.integration.admin.pages import Staff, act, messages, submit, url
from tests.integration.fake_provider import Answers, FakeProvider, config
from tests.integration.test_races import at_once

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
SCREENS = ("credlyorganization", "provideraccount")


@pytest.fixture
def account(db: None) -> CredlyOrganization:
    made: CredlyOrganization = factories.CredlyOrganizationFactory(name="Acme", api_key="old")
    return made


def stopped(account: ProviderAccount) -> ProviderAccount:
    """The account, stopped because its key was refused."""
    health.stop(account, "Credly refused the key.")
    return account


def page_of(client: Client, account: ProviderAccount, model: str = "credlyorganization") -> str:
    page = client.get(url(model, account.pk, "change"))
    assert page.status_code == 200
    return str(page.content.decode())


def waiting_for(account: ProviderAccount, **values: Any) -> Delivery:
    template = factories.CredlyBadgeTemplateFactory(account=account)
    made: Delivery = DeliveryFactory(badge__template=template, **values)
    return made


class TestThePage:
    @pytest.mark.parametrize("model", SCREENS)
    def test_of_a_stopped_account_says_since_when_why_and_what_to_do(
        self, admin_client: Client, account: CredlyOrganization, model: str
    ) -> None:
        stopped(account)
        AccountHealth.objects.update(stopped_at=timezone.now() - HOUR * 2.5)
        page = page_of(admin_client, account, model)
        for text in ("Stopped since", "2\xa0hours ago", "Credly refused the key.", "Enter a new key", "Check now"):
            assert text in page

    def test_of_a_stopped_account_whose_key_is_in_the_settings_sends_there(
        self, admin_client: Client, account: CredlyOrganization, settings: Settings
    ) -> None:
        settings.BADGES_CONFIG = config(credly={"ORGANIZATIONS": {account.external_id: "preconfigured"}})
        page = page_of(admin_client, stopped(account))
        assert "Change its key in BADGES_CONFIG" in page
        assert "Enter a new key below" not in page

    def test_of_one_that_rests_says_until_when_and_after_how_many_failures(
        self, admin_client: Client, account: CredlyOrganization
    ) -> None:
        AccountHealth.objects.create(
            account=account, failures=6, paused_until=timezone.now() + HOUR * 2.5, last_error="Credly answered 503."
        )
        page = page_of(admin_client, account)
        for text in ("Rests until", "in 2\xa0hours", "6 failures in a row", "Credly answered 503."):
            assert text in page

    @pytest.mark.parametrize(
        ("hours", "told"), [(1, "The provider asked for a pause."), (-1, "It has rested, as the provider asked.")]
    )
    def test_of_one_that_was_asked_to_wait_says_so_and_counts_no_failures(
        self, admin_client: Client, account: CredlyOrganization, hours: int, told: str
    ) -> None:
        AccountHealth.objects.create(account=account, paused_until=timezone.now() + HOUR * hours)
        page = page_of(admin_client, account)
        assert told in page
        assert "in a row" not in page

    def test_of_one_that_has_rested_says_that_it_tries_again(
        self, admin_client: Client, account: CredlyOrganization
    ) -> None:
        AccountHealth.objects.create(account=account, failures=6, paused_until=timezone.now() - HOUR)
        assert "The next delivery tries" in page_of(admin_client, account)

    def test_of_one_that_works_says_so_with_the_last_success_and_error(
        self, admin_client: Client, account: CredlyOrganization
    ) -> None:
        now = timezone.now()
        AccountHealth.objects.create(
            account=account, last_success_at=now - HOUR * 1.5, last_error_at=now - HOUR * 49, last_error="Timed out."
        )
        page = page_of(admin_client, account)
        for text in ("It works.", "1\xa0hour ago", "2\xa0days ago", "Timed out."):
            assert text in page

    def test_of_a_new_one_says_that_it_was_not_called(self, admin_client: Client, account: CredlyOrganization) -> None:
        assert "It has not been called yet." in page_of(admin_client, account)

    def test_leads_to_what_waits_and_to_what_was_given_up(
        self, admin_client: Client, account: CredlyOrganization
    ) -> None:
        waiting_for(account)
        Delivery.objects.update(created=timezone.now() - HOUR * 5.5)
        waiting_for(account)
        waiting_for(account, status=Delivery.Status.DEAD)
        DeliveryFactory()
        page = page_of(admin_client, account)
        assert "2 deliveries, the oldest is 5\xa0hours old" in page
        for state, number in (("waiting", 2), ("dead", 1)):
            address = f"{url('delivery')}?account={account.pk}&amp;state={state}"
            assert f'href="{address}"' in page
            assert len(admin_client.get(address.replace("&amp;", "&")).context["cl"].result_list) == number

    def test_tells_of_the_last_synchronization(self, admin_client: Client, account: CredlyOrganization) -> None:
        assert "never" in page_of(admin_client, account)
        sync = TemplateSync.objects.create(account=account, last_error="Credly answered 500.")
        page = page_of(admin_client, account)
        assert "not finished" in page
        assert "Credly answered 500." in page
        sync.finished_at = timezone.now() - HOUR * 3.5
        sync.save()
        assert "3\xa0hours ago" in page_of(admin_client, account)

    def test_shows_no_key_and_no_fingerprint(self, admin_client: Client, account: CredlyOrganization) -> None:
        stopped(account)
        page = page_of(admin_client, account)
        assert AccountHealth.objects.get().refused_key not in page
        assert 'value="old"' not in page

    def test_of_a_new_account_has_no_health(self, admin_client: Client) -> None:
        assert "Health" not in admin_client.get(url("credlyorganization", "add")).content.decode()


@pytest.mark.parametrize("model", ["credlyorganization", "provideraccount", "accredibleapiconfig"])
def test_every_list_has_the_health_and_costs_the_same_for_one_and_for_many(
    admin_client: Client, django_assert_max_num_queries: Any, model: str
) -> None:
    factory = factories.AccredibleAPIConfigFactory if model.startswith("acc") else factories.CredlyOrganizationFactory
    stopped(factory())
    with django_assert_max_num_queries(15) as few:
        page = admin_client.get(url(model)).content.decode()
    assert "stopped for less than a minute" in page
    for account in factory.create_batch(10):
        AccountHealth.objects.create(account=account, paused_until=timezone.now() + HOUR)
    with django_assert_max_num_queries(len(few.captured_queries)):
        assert admin_client.get(url(model)).content.decode().count("rests until") == 10


class TestChecking:
    def test_resumes_a_stopped_account(
        self, admin_client: Client, account: CredlyOrganization, answers: Answers
    ) -> None:
        waiting_for(stopped(account), next_attempt_at=timezone.now() + HOUR)

        page = admin_client.post(url("credlyorganization", account.pk, "check"), follow=True)

        assert messages(page)[0] == "Acme works."
        assert "1 waiting delivery is due now" in messages(page)[1]
        row = AccountHealth.objects.get()
        assert row.stopped_at is None
        assert row.last_success_at is not None
        assert Delivery.objects.get().next_attempt_at <= timezone.now()

    def test_says_why_an_account_does_not_work(
        self, admin_client: Client, account: CredlyOrganization, answers: Answers
    ) -> None:
        answers.check_error = ProviderAuthError("Credly refused the key.")

        page = act(admin_client, "credlyorganization", "check_now", account)

        assert messages(page) == ["Acme does not work: Credly refused the key."]
        assert AccountHealth.objects.get().stopped_at is not None

    def test_a_silent_provider_stops_nothing(
        self, admin_client: Client, account: CredlyOrganization, answers: Answers
    ) -> None:
        answers.check_error = ProviderUnavailable("Credly did not answer.")
        act(admin_client, "credlyorganization", "check_now", account)
        assert AccountHealth.objects.get().stopped_at is None

    def test_a_defect_of_a_providers_code_is_told_without_its_text(
        self, admin_client: Client, account: CredlyOrganization, answers: Answers
    ) -> None:
        answers.check_error = ValueError("SECRET")
        page = act(admin_client, "credlyorganization", "check_now", account)
        assert messages(page)[0].startswith("Acme does not work: ValueError")
        assert "SECRET" not in page.content.decode()

    def test_is_not_started_by_a_link(
        self, admin_client: Client, account: CredlyOrganization, answers: Answers
    ) -> None:
        assert admin_client.get(url("credlyorganization", account.pk, "check")).status_code == 405
        assert answers.checked == []

    def test_needs_the_permission_to_change(self, staff: Staff, account: CredlyOrganization, answers: Answers) -> None:
        client = staff("view_credlyorganization")
        assert client.post(url("credlyorganization", account.pk, "check")).status_code == 403
        assert "Check now" not in page_of(client, account)
        act(client, "credlyorganization", "check_now", account)
        assert answers.checked == []

    def test_of_an_account_that_is_gone_leads_to_the_index(self, admin_client: Client) -> None:
        assert admin_client.post(url("credlyorganization", 99, "check")).status_code == 302


class TestANewKey:
    def test_that_the_provider_accepts_resumes_the_account(
        self, admin_client: Client, account: CredlyOrganization, answers: Answers
    ) -> None:
        waiting_for(stopped(account), failures=3, give_up_at=timezone.now())

        page = submit(admin_client, url("credlyorganization", account.pk, "change"), new_key="new")

        assert any("1 waiting delivery is due now" in text for text in messages(page))
        row, delivery = AccountHealth.objects.get(), Delivery.objects.get()
        assert row.stopped_at is None
        assert row.stops == 1, "the check only read: a key that may do no more passes it too"
        assert row.last_success_at is not None
        assert (delivery.failures, delivery.give_up_at) == (0, None)

    def test_that_the_provider_accepts_ends_a_rest(
        self, admin_client: Client, account: CredlyOrganization, answers: Answers
    ) -> None:
        AccountHealth.objects.create(account=account, failures=6, paused_until=timezone.now() + HOUR)
        submit(admin_client, url("credlyorganization", account.pk, "change"), new_key="new")
        row = AccountHealth.objects.get()
        assert row.paused_until is not None
        assert row.paused_until <= timezone.now(), "the next delivery tries it"
        assert row.proven_at is None

    def test_that_is_refused_leaves_it_stopped(
        self, admin_client: Client, account: CredlyOrganization, answers: Answers
    ) -> None:
        stopped(account)
        answers.check_error = ProviderAuthError("Credly refused the key.")
        submit(admin_client, url("credlyorganization", account.pk, "change"), new_key="new")
        assert AccountHealth.objects.get().stopped_at is not None

    def test_that_could_not_be_checked_does_not_resume_it_at_once(
        self, admin_client: Client, account: CredlyOrganization, answers: Answers
    ) -> None:
        stopped(account)
        answers.check_error = ProviderUnavailable("Credly did not answer.")
        submit(admin_client, url("credlyorganization", account.pk, "change"), new_key="new")
        assert AccountHealth.objects.get().stopped_at is not None
        answers.check_error = None
        check_stopped()
        assert AccountHealth.objects.get().stopped_at is None, "the next sweep checks the new key"


@pytest.mark.django_db(transaction=True)
class TestNoTransactionIsOpenWhileTheProviderIsAsked:
    @pytest.fixture(autouse=True)
    def asked_inside(self, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
        """Whether a transaction was open, for each question to the provider."""
        monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
        asked: list[bool] = []

        def check(self: FakeProvider) -> AccountInfo:
            asked.append(connection.in_atomic_block)
            return AccountInfo(name="Acme")

        monkeypatch.setattr(FakeProvider, "check_account", check)
        return asked

    def test_by_the_form(self, admin_client: Client, account: CredlyOrganization, asked_inside: list[bool]) -> None:
        submit(admin_client, url("credlyorganization", account.pk, "change"), new_key="new")
        submit(admin_client, url("accredibleapiconfig", "add"), name="A", new_key="new")
        assert asked_inside == [False, False]
        assert ProviderAccount.objects.get(pk=account.pk).api_key == "new"
        assert ProviderAccount.objects.count() == 2

    def test_by_the_button(self, admin_client: Client, account: CredlyOrganization, asked_inside: list[bool]) -> None:
        admin_client.post(url("credlyorganization", account.pk, "check"))
        assert asked_inside == [False]

    def test_by_the_action(self, admin_client: Client, account: CredlyOrganization, asked_inside: list[bool]) -> None:
        act(admin_client, "provideraccount", "check_now", account)
        assert asked_inside == [False]

    @pytest.mark.parametrize("way", ["form", "button", "action"])
    def test_nor_while_what_waited_is_let_go(
        self, admin_client: Client, account: CredlyOrganization, monkeypatch: pytest.MonkeyPatch, way: str
    ) -> None:
        inside: list[bool] = []
        resume = health.resume

        def watched(account_id: int) -> bool:
            inside.append(connection.in_atomic_block)
            return resume(account_id)

        monkeypatch.setattr(health, "resume", watched)
        stopped(account)
        if way == "form":
            submit(admin_client, url("credlyorganization", account.pk, "change"), new_key="new")
        elif way == "button":
            admin_client.post(url("credlyorganization", account.pk, "check"))
        else:
            act(admin_client, "credlyorganization", "check_now", account)
        assert inside == [False]
        assert AccountHealth.objects.get().stopped_at is None

    def test_while_other_pages_have_one(self, admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        """Else the setting would not be on, and the tests beside this one would prove nothing."""
        inside: list[bool] = []

        def retried(deliveries: Any) -> by_hand.Retried:
            inside.append(connection.in_atomic_block)
            return by_hand.Retried()

        monkeypatch.setattr(by_hand, "retry", retried)
        admin_client.post(url("delivery", DeliveryFactory().pk, "retry"))
        assert inside == [True]

    @pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite locks no rows")
    @pytest.mark.parametrize("page", ["check", "sync"])
    def test_so_that_workers_can_note_how_the_account_does(
        self, admin_client: Client, account: CredlyOrganization, monkeypatch: pytest.MonkeyPatch, page: str
    ) -> None:
        noted: list[object] = []

        def note() -> object:
            with transaction.atomic():
                return AccountHealth.objects.select_for_update(nowait=True).get().pk

        def asked(self: FakeProvider, *args: Any) -> Any:
            traffic.before()
            noted.extend(at_once(note))
            return iter(()) if page == "sync" else AccountInfo(name="Acme")

        monkeypatch.setattr(FakeProvider, "check_account", asked)
        monkeypatch.setattr(FakeProvider, "templates", asked)
        admin_client.post(url("credlyorganization", account.pk, page))
        assert set(noted) == {account.pk}

    def test_by_a_synchronization(
        self, admin_client: Client, account: CredlyOrganization, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        inside: list[bool] = []

        def templates(self: FakeProvider, first_page: int = 1) -> Any:
            inside.append(connection.in_atomic_block)
            return iter(())

        monkeypatch.setattr(FakeProvider, "templates", templates)
        admin_client.post(url("credlyorganization", account.pk, "sync"))
        assert inside == [False]
