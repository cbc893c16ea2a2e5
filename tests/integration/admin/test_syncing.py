"""Synchronizing from the admin: in no transaction, and told honestly; what it brings is shown."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import Client
from pytest_django import Settings

from badges import models
from badges.data import Criterion, ProviderTemplate
from badges.exceptions import ProviderRejected, ProviderUnavailable
from badges.issuing.sync.run import sync_templates
from tests import factories
from tests.integration.admin.pages import act, messages, submit, url
from tests.integration.fake_provider import Answers

PAGES = [[ProviderTemplate("1", "One")], [ProviderTemplate("2", "Two")]]


def fail_at_the_second(number: int) -> None:
    if number == 2:
        raise ProviderUnavailable("Credly answered 503.")


@pytest.mark.django_db
class TestFailures:
    def test_a_failure_in_the_middle_says_how_to_go_on(self, admin_client: Client, answers: Answers) -> None:
        account = factories.CredlyOrganizationFactory(name="Acme")
        answers.pages, answers.before_page = PAGES, fail_at_the_second
        page = admin_client.post(url("credlyorganization", account.pk, "sync"), follow=True)
        [text] = messages(page)
        assert text.startswith(
            "Acme: Credly answered 503. Everything before page 2 is stored. Synchronize again to go on there; from "
        )

    def test_going_on_is_told_as_such(self, admin_client: Client, answers: Answers) -> None:
        account = factories.CredlyOrganizationFactory(name="Acme")
        answers.pages, answers.before_page = PAGES, fail_at_the_second
        admin_client.post(url("credlyorganization", account.pk, "sync"))
        answers.before_page = lambda number: None
        page = admin_client.post(url("credlyorganization", account.pk, "sync"), follow=True)
        beginning, sum_of_all = messages(page)[-2:]
        assert beginning.startswith("Acme: goes on at page 2 with the synchronization of ")
        assert sum_of_all == (
            "Acme: 1 created, 0 updated, 0 unchanged, 0 archived. Counted from page 2 on, where it was resumed."
        )
        assert answers.first_pages == [1, 2]

    def test_a_template_that_the_provider_does_not_speak_of_is_named(
        self, admin_client: Client, answers: Answers
    ) -> None:
        account = factories.CredlyOrganizationFactory(name="Acme")
        factories.CredlyBadgeTemplateFactory(account=account, external_id="..", name="Odd")
        answers.pages = PAGES

        def refuse(external_id: str) -> None:
            raise ProviderRejected("No.")

        answers.before_look_up = refuse
        page = admin_client.post(url("credlyorganization", account.pk, "sync"), follow=True)
        assert messages(page)[-1].startswith('Acme: "Odd" was not in the list.')

    def test_another_run_of_the_account_is_told(self, admin_client: Client, answers: Answers) -> None:
        account = factories.CredlyOrganizationFactory(name="Acme")
        answers.pages = PAGES

        def overtake(number: int) -> None:
            answers.before_page = lambda number: None
            sync_templates(account)

        answers.before_page = overtake
        page = act(admin_client, "credlyorganization", "sync_organization_badge_templates", account)
        assert messages(page) == [
            'Acme: Another synchronization of "Acme" was started while this one was at work. This one stopped; the '
            "other one goes on."
        ]


@pytest.mark.django_db(transaction=True)
class TestAtomicRequests:
    """The rows that a call writes to must not stay locked until the provider has answered."""

    @pytest.fixture(autouse=True)
    def atomic(self, answers: Answers, transactional_db: None) -> Iterator[None]:
        """Every request in a transaction; the provider notes whether one is open."""
        self.open: list[bool] = []
        answers.pages = PAGES
        answers.before_page = lambda number: self.open.append(connection.in_atomic_block)
        answers.before_check = lambda: self.open.append(connection.in_atomic_block)
        before = connection.settings_dict["ATOMIC_REQUESTS"]
        connection.settings_dict["ATOMIC_REQUESTS"] = True
        yield
        connection.settings_dict["ATOMIC_REQUESTS"] = before

    @pytest.mark.parametrize("how", ["action", "button"])
    def test_no_transaction_is_open_while_the_templates_are_read(self, admin_client: Client, how: str) -> None:
        account = factories.AccredibleAPIConfigFactory()
        if how == "action":
            act(admin_client, "accredibleapiconfig", "sync_groups", account)
        else:
            admin_client.post(url("accredibleapiconfig", account.pk, "sync"))
        assert self.open == [False, False]

    @pytest.mark.parametrize("page", ["add", "change"])
    def test_no_transaction_is_open_while_an_account_is_checked(self, admin_client: Client, page: str) -> None:
        account = factories.AccredibleAPIConfigFactory()
        address = url("accredibleapiconfig", *([] if page == "add" else [account.pk]), page)
        submit(admin_client, address, name="Checked", new_key="key")
        assert self.open == [False]
        assert models.AccredibleAPIConfig.objects.filter(name="Checked").exists()

    def test_other_pages_keep_their_transaction(self, admin_client: Client, settings: Settings) -> None:
        template = factories.BadgeTemplateFactory()
        match = admin_client.get(url("badgetemplate", template.pk, "change")).resolver_match
        assert not hasattr(match.func, "_non_atomic_requests")


@pytest.mark.django_db
class TestWhatIsBrought:
    def test_skills_and_criteria_are_shown(self, admin_client: Client, answers: Answers) -> None:
        criteria = (Criterion("<Exam>", "https://learn.example.com/exam"), Criterion("Kindness"))
        answers.pages = [[ProviderTemplate("1", "One", skills=("Python", "<Django>"), criteria=criteria)]]
        sync_templates(factories.CredlyOrganizationFactory())
        template = models.BadgeTemplate.objects.get()
        html = admin_client.get(url("credlybadgetemplate", template.pk, "change")).content.decode()
        assert "Python, &lt;Django&gt;" in html
        assert '<div>&lt;Exam&gt; <a href="https://learn.example.com/exam"' in html
        assert "<div>Kindness </div>" in html

    def test_nothing_is_shown_where_there_are_none(self, admin_client: Client) -> None:
        template = factories.CredlyBadgeTemplateFactory()
        html = admin_client.get(url("credlybadgetemplate", template.pk, "change")).content.decode()
        assert "field-skills_list" not in html
        assert "field-criteria_list" not in html
