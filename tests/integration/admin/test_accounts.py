"""Accounts: the key goes in and never comes out, and the provider is asked before anything is saved."""

from __future__ import annotations

import pytest
from django.contrib.messages import constants
from django.test import Client
from pytest_django import Settings

from badges import models
from badges.data import ProviderTemplate
from badges.exceptions import (
    ConfigurationError,
    ProviderAuthError,
    ProviderRateLimited,
    ProviderRejected,
    ProviderUnavailable,
    UnexpectedAnswer,
)
from tests import factories
from tests.integration.admin.pages import Staff, act, errors, messages, submit, url
from tests.integration.fake_provider import Answers, config

UUID = "628fcaa9-cfd3-4a9b-aa62-9973ac938ad6"
SECRET = "a-very-secret-key"


class TestAdding:
    def test_an_organization_is_checked_and_saved(self, admin_client: Client, answers: Answers) -> None:
        page = submit(admin_client, url("credlyorganization", "add"), name="Acme", external_id=UUID, new_key=SECRET)
        organization = models.CredlyOrganization.objects.get()
        assert (organization.name, organization.external_id, organization.api_key) == ("Acme", UUID, SECRET)
        assert [(account.external_id, account.api_key) for account in answers.checked] == [(UUID, SECRET)]
        assert 'Checked at the provider, which knows this account as "Known at the provider".' in messages(page)

    def test_the_name_of_the_provider_is_taken_where_none_is_entered(self, admin_client: Client) -> None:
        submit(admin_client, url("accredibleapiconfig", "add"), new_key=SECRET)
        assert models.AccredibleAPIConfig.objects.get().name == "Known at the provider"

    def test_a_name_is_needed_where_the_provider_cannot_be_asked(self, admin_client: Client, answers: Answers) -> None:
        answers.check_error = ProviderUnavailable("Nobody answers.")
        page = submit(admin_client, url("accredibleapiconfig", "add"), new_key=SECRET)
        assert "did not say a name" in errors(page)
        assert not models.ProviderAccount.objects.exists()

    @pytest.mark.parametrize(
        "error",
        [
            ProviderAuthError("Credly refused the key: Invalid token."),
            ProviderRejected("Credly refused the key: Invalid token."),
            ConfigurationError("Credly refused the key: Invalid token."),
        ],
    )
    def test_a_refusal_is_an_error_in_the_words_of_the_provider_and_saves_nothing(
        self, admin_client: Client, answers: Answers, error: Exception
    ) -> None:
        answers.check_error = error
        page = submit(admin_client, url("credlyorganization", "add"), name="Acme", external_id=UUID, new_key=SECRET)
        assert "Credly refused the key: Invalid token." in errors(page)
        assert not models.ProviderAccount.objects.exists()

    @pytest.mark.parametrize("kind", [ProviderUnavailable, ProviderRateLimited, UnexpectedAnswer])
    def test_silence_is_a_warning_and_the_account_is_saved(
        self, admin_client: Client, answers: Answers, kind: type[ProviderUnavailable]
    ) -> None:
        answers.check_error = kind("Credly did not answer.")
        page = submit(admin_client, url("credlyorganization", "add"), name="Acme", external_id=UUID, new_key=SECRET)
        shown = {str(message): message.level for message in page.context["messages"]}
        text = "Saved, but the account could not be checked at the provider: Credly did not answer."
        assert shown[text] == constants.WARNING
        assert models.CredlyOrganization.objects.get().api_key == SECRET

    def test_a_defect_of_the_providers_code_is_a_warning_without_its_text(
        self, admin_client: Client, answers: Answers
    ) -> None:
        answers.check_error = RuntimeError(SECRET)
        page = submit(admin_client, url("credlyorganization", "add"), name="Acme", external_id=UUID, new_key=SECRET)
        assert any("The code of this provider failed: RuntimeError" in text for text in messages(page))
        assert SECRET not in page.content.decode()

    def test_the_provider_is_not_asked_while_other_inputs_are_wrong(
        self, admin_client: Client, answers: Answers
    ) -> None:
        page = submit(admin_client, url("credlyorganization", "add"), name="n" * 256, external_id=UUID, new_key=SECRET)
        assert "at most 255 characters" in errors(page)
        assert answers.checked == []

    def test_an_organizations_identifier_must_be_a_uuid(self, admin_client: Client, answers: Answers) -> None:
        for model in ("credlyorganization", "provideraccount"):
            # The page that needs no provider ignores it.
            page = submit(
                admin_client, url(model, "add"), provider="credly", name="A", external_id="acme", new_key=SECRET
            )
            assert "This is not a UUID." in errors(page)
        assert answers.checked == []

    def test_a_uuid_is_stored_as_uuids_are_written(self, admin_client: Client) -> None:
        spelled = UUID.replace("-", "").upper()
        submit(admin_client, url("credlyorganization", "add"), name="Acme", external_id=spelled, new_key=SECRET)
        assert models.CredlyOrganization.objects.get().external_id == UUID

    def test_an_organization_needs_its_identifier(self, admin_client: Client) -> None:
        page = submit(admin_client, url("credlyorganization", "add"), name="Acme", new_key=SECRET)
        assert "knows an account by an identifier" in errors(page)

    def test_a_key_is_needed(self, admin_client: Client, answers: Answers) -> None:
        page = submit(admin_client, url("credlyorganization", "add"), name="Acme", external_id=UUID)
        assert "Enter the key" in errors(page)
        assert answers.checked == []

    def test_the_same_organization_twice_is_refused(self, admin_client: Client, answers: Answers) -> None:
        factories.CredlyOrganizationFactory(external_id=UUID)
        page = submit(admin_client, url("credlyorganization", "add"), name="Acme", external_id=UUID, new_key=SECRET)
        assert "There is an account with this identifier already." in errors(page)
        assert answers.checked == []

    def test_a_preconfigured_organization_needs_no_key(
        self, admin_client: Client, answers: Answers, settings: Settings
    ) -> None:
        settings.BADGES_CONFIG = config(credly={"ORGANIZATIONS": {UUID: SECRET}})
        submit(admin_client, url("credlyorganization", "add"), name="Acme", external_id=UUID)
        assert models.CredlyOrganization.objects.get().api_key == ""
        assert answers.checked[0].api_key == SECRET


class TestAnyProvider:
    def test_the_registered_providers_are_offered(self, admin_client: Client) -> None:
        page = admin_client.get(url("provideraccount", "add"))
        assert page.context["adminform"].form.fields["provider"].choices == [
            ("accredible", "Accredible"),
            ("badgekit", "BadgeKit"),
            ("credly", "Credly"),
            ("fake", "Fake"),
            ("unlisted", "Unlisted"),
        ]

    def test_an_account_of_a_plugged_in_provider_needs_no_identifier(self, admin_client: Client) -> None:
        submit(admin_client, url("provideraccount", "add"), provider="fake", name="Mine", new_key=SECRET)
        account = models.ProviderAccount.objects.get()
        assert (account.provider, account.external_id) == ("fake", None)

    def test_an_unknown_provider_is_refused(self, admin_client: Client, answers: Answers) -> None:
        page = submit(admin_client, url("provideraccount", "add"), provider="nonsense", name="Mine", new_key=SECRET)
        assert "Select a valid choice" in errors(page)
        assert answers.checked == []

    def test_an_account_keeps_its_provider(self, admin_client: Client) -> None:
        account = factories.AccredibleAPIConfigFactory()
        submit(admin_client, url("provideraccount", account.pk, "change"), provider="fake", name="Renamed")
        account.refresh_from_db()
        assert (account.provider, account.name) == ("accredible", "Renamed")

    def test_an_account_whose_provider_is_gone_can_be_seen(self, admin_client: Client) -> None:
        account = models.ProviderAccount.objects.create(provider="uninstalled", name="Old", api_key=SECRET)
        assert "uninstalled" in admin_client.get(url("provideraccount")).content.decode()
        assert admin_client.get(url("provideraccount", account.pk, "change")).status_code == 200
        page = submit(admin_client, url("provideraccount", account.pk, "change"), name="New")
        assert 'There is no provider "uninstalled".' in errors(page)


class TestKey:
    @pytest.fixture
    def organization(self) -> models.CredlyOrganization:
        return factories.CredlyOrganizationFactory(api_key=SECRET, external_id=UUID)

    def test_no_page_shows_it(self, admin_client: Client, organization: models.CredlyOrganization) -> None:
        for address in (
            url("credlyorganization"),
            url("credlyorganization", organization.pk, "change"),
            url("credlyorganization", organization.pk, "history"),
            url("provideraccount"),
            url("provideraccount", organization.pk, "change"),
        ):
            assert SECRET not in admin_client.get(address).content.decode()

    def test_a_refused_form_does_not_show_it_again(self, admin_client: Client, answers: Answers) -> None:
        answers.check_error = ProviderAuthError("No.")
        page = submit(admin_client, url("credlyorganization", "add"), name="Acme", external_id=UUID, new_key=SECRET)
        assert SECRET not in page.content.decode()

    def test_left_empty_it_is_kept(
        self, admin_client: Client, organization: models.CredlyOrganization, answers: Answers
    ) -> None:
        submit(admin_client, url("credlyorganization", organization.pk, "change"), name="Renamed")
        organization.refresh_from_db()
        assert (organization.name, organization.api_key) == ("Renamed", SECRET)
        assert answers.checked[0].api_key == SECRET

    def test_a_new_one_replaces_it(self, admin_client: Client, organization: models.CredlyOrganization) -> None:
        submit(admin_client, url("credlyorganization", organization.pk, "change"), new_key="new")
        organization.refresh_from_db()
        assert organization.api_key == "new"

    def test_a_refused_new_one_does_not_replace_it(
        self, admin_client: Client, organization: models.CredlyOrganization, answers: Answers
    ) -> None:
        answers.check_error = ProviderAuthError("No.")
        submit(admin_client, url("credlyorganization", organization.pk, "change"), new_key="wrong")
        organization.refresh_from_db()
        assert organization.api_key == SECRET

    def test_one_that_cannot_be_decrypted_breaks_no_page_and_can_be_replaced(
        self, admin_client: Client, organization: models.CredlyOrganization, settings: Settings
    ) -> None:
        settings.BADGES_ENCRYPTION_KEYS = ["another"]
        assert admin_client.get(url("credlyorganization")).status_code == 200
        page = submit(admin_client, url("credlyorganization", organization.pk, "change"), name="Renamed")
        assert "enter the API key again in the admin" in errors(page)
        submit(admin_client, url("credlyorganization", organization.pk, "change"), new_key="new")
        organization.refresh_from_db(fields=["api_key"])
        assert organization.api_key == "new"

    def test_from_the_settings_it_cannot_be_entered(
        self, admin_client: Client, organization: models.CredlyOrganization, settings: Settings
    ) -> None:
        settings.BADGES_CONFIG = config(credly={"ORGANIZATIONS": {UUID: "from settings"}})
        page = admin_client.get(url("credlyorganization", organization.pk, "change"))
        field = page.context["adminform"].form.fields["new_key"]
        assert field.disabled
        assert "comes from BADGES_CONFIG" in field.help_text

    @pytest.mark.parametrize(
        ("key", "preconfigured", "word"),
        [(SECRET, {}, "stored"), ("", {}, "missing"), ("", {UUID: SECRET}, "from the settings")],
    )
    def test_the_list_says_whether_there_is_one(
        self, admin_client: Client, settings: Settings, key: str, preconfigured: dict[str, str], word: str
    ) -> None:
        settings.BADGES_CONFIG = config(credly={"ORGANIZATIONS": preconfigured})
        factories.CredlyOrganizationFactory(api_key=key, external_id=UUID)
        page = admin_client.get(url("credlyorganization"))
        assert f'<td class="field-key_status">{word}</td>' in page.content.decode()


class TestSync:
    @pytest.mark.parametrize(
        ("model", "action", "label"),
        [
            ("credlyorganization", "sync_organization_badge_templates", "Sync organization badge templates"),
            ("accredibleapiconfig", "sync_groups", "Sync groups"),
            ("provideraccount", "sync_templates", "Sync templates"),
        ],
    )
    def test_is_an_action_of_every_list(
        self, admin_client: Client, answers: Answers, model: str, action: str, label: str
    ) -> None:
        factory = {"credlyorganization": factories.CredlyOrganizationFactory}.get(
            model, factories.AccredibleAPIConfigFactory
        )
        account = factory(name="Acme")
        answers.pages = [[ProviderTemplate(external_id="1", name="Python")]]
        assert label in admin_client.get(url(model)).content.decode()
        page = act(admin_client, model, action, account)
        assert messages(page) == ["Acme: 1 created, 0 updated, 0 unchanged, 0 archived."]
        assert models.BadgeTemplate.objects.get().site_id == 1

    def test_an_error_of_one_account_is_told_and_the_others_are_done(
        self, admin_client: Client, answers: Answers
    ) -> None:
        broken = factories.AccredibleAPIConfigFactory(name="A broken one", api_key="")
        works = factories.AccredibleAPIConfigFactory(name="Works")
        answers.pages = [[ProviderTemplate(external_id="1", name="Python")]]
        page = act(admin_client, "accredibleapiconfig", "sync_groups", broken, works)
        assert messages(page) == [
            'A broken one: The accredible account "A broken one" has no API key. Enter one in the admin.',
            "Works: 1 created, 0 updated, 0 unchanged, 0 archived.",
        ]

    def test_a_defect_of_a_providers_code_is_told_without_its_text(
        self, admin_client: Client, answers: Answers
    ) -> None:
        answers.list_error = RuntimeError(SECRET)
        page = act(admin_client, "accredibleapiconfig", "sync_groups", factories.AccredibleAPIConfigFactory(name="A"))
        assert messages(page)[0].startswith("A: The code of this provider failed: RuntimeError")
        assert SECRET not in page.content.decode()

    def test_what_vanished_is_named(self, admin_client: Client, answers: Answers) -> None:
        template = factories.AccredibleGroupFactory(name="Gone")
        answers.pages = [[ProviderTemplate(external_id="1", name="Python")]]
        page = act(admin_client, "accredibleapiconfig", "sync_groups", template.account)
        assert '"Gone" is no longer at the provider' in messages(page)[1]

    def test_of_much_that_vanished_only_the_first_are_named(self, admin_client: Client, answers: Answers) -> None:
        account = factories.AccredibleAPIConfigFactory(name="Acme")
        factories.AccredibleGroupFactory.create_batch(12, account=account)
        answers.pages = [[ProviderTemplate(external_id="1", name="Python")]]
        page = act(admin_client, "accredibleapiconfig", "sync_groups", account)
        assert len(messages(page)) == 12
        assert messages(page)[-1] == "Acme: and 2 more."

    def test_works_where_no_site_is_current(self, admin_client: Client, answers: Answers, settings: Settings) -> None:
        settings.SITE_ID = 999
        answers.pages = [[ProviderTemplate(external_id="1", name="Python")]]
        act(admin_client, "accredibleapiconfig", "sync_groups", factories.AccredibleAPIConfigFactory())
        assert models.BadgeTemplate.objects.get().site_id is None

    def test_is_a_button_of_the_page(self, admin_client: Client, answers: Answers) -> None:
        account = factories.CredlyOrganizationFactory(name="Acme")
        answers.pages = [[]]
        address = url("credlyorganization", account.pk, "sync")
        page = admin_client.get(url("credlyorganization", account.pk, "change"))
        assert f'action="{address}"' in page.content.decode()
        page = admin_client.post(address, follow=True)
        assert page.redirect_chain == [(url("credlyorganization", account.pk, "change"), 302)]
        assert messages(page) == ["Acme: 0 created, 0 updated, 0 unchanged, 0 archived."]

    def test_is_not_started_by_a_link(self, admin_client: Client, answers: Answers) -> None:
        account = factories.CredlyOrganizationFactory()
        assert admin_client.get(url("credlyorganization", account.pk, "sync")).status_code == 405
        assert answers.listed == []

    def test_needs_the_token_against_forgery(self, staff: Staff, answers: Answers) -> None:
        account = factories.CredlyOrganizationFactory()
        client = staff("change_credlyorganization")
        client.handler.enforce_csrf_checks = True
        assert client.post(url("credlyorganization", account.pk, "sync")).status_code == 403
        assert answers.listed == []

    def test_needs_the_permission_to_change(self, staff: Staff, answers: Answers) -> None:
        account = factories.CredlyOrganizationFactory()
        client = staff("view_credlyorganization")
        assert client.post(url("credlyorganization", account.pk, "sync")).status_code == 403
        act(client, "credlyorganization", "sync_organization_badge_templates", account)
        page = client.get(url("credlyorganization", account.pk, "change"))
        assert page.status_code == 200
        assert "Sync" not in page.content.decode()
        assert answers.listed == []

    def test_of_an_account_that_is_gone_leads_to_the_index(self, admin_client: Client) -> None:
        page = admin_client.post(url("credlyorganization", 999, "sync"), follow=True)
        assert "Perhaps it was deleted" in messages(page)[0]


def test_an_account_with_templates_cannot_be_deleted(admin_client: Client) -> None:
    template = factories.AccredibleGroupFactory()
    page = admin_client.post(url("accredibleapiconfig", template.account_id, "delete"), {"post": "yes"})
    assert "would require deleting the following protected related objects" in page.content.decode()
    assert models.ProviderAccount.objects.exists()
