"""Templates are brought here page by page; none is lost, and what is ours stays."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.contrib.sites.models import Site
from django.core.management import CommandError, call_command
from django.db import IntegrityError
from pytest_django import DjangoAssertNumQueries, Settings

from badges import models
from badges.data import ProviderTemplate, TemplateState
from badges.exceptions import ConfigurationError, ProviderUnavailable, UnexpectedAnswer
from badges.issuing import template_sync
from badges.issuing.template_sync import PageReport, sync_templates
from tests import factories
from tests.integration.fake_provider import Answers, FakeProvider, config

pytestmark = pytest.mark.django_db


@pytest.fixture
def answers(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Answers:
    """What the provider answers."""
    settings.BADGES_CONFIG = config()
    answers = Answers()
    monkeypatch.setattr(FakeProvider, "answers", answers)
    return answers


@pytest.fixture
def account() -> models.CredlyOrganization:
    return factories.CredlyOrganizationFactory(name="Acme")


def listed(external_id: str, name: str = "Badge", **values: Any) -> ProviderTemplate:
    return ProviderTemplate(external_id=external_id, name=name, **values)


def test_a_new_template_is_created_inactive_with_provider_account_state_and_site(
    answers: Answers, account: models.CredlyOrganization
) -> None:
    answers.pages = [[listed("a", "Python", description="For it.", image_url="https://example.com/a.png")]]
    site = Site.objects.create(domain="other.example.com", name="other")
    report = sync_templates(account, site_id=site.pk)
    template = models.CredlyBadgeTemplate.objects.get()
    assert (template.name, template.description, template.image_url) == (
        "Python",
        "For it.",
        "https://example.com/a.png",
    )
    assert (template.account_id, template.external_id, template.state) == (account.pk, "a", "active")
    assert (template.is_active, template.site_id) == (False, site.pk)
    assert (report.created, report.updated, report.unchanged, report.archived) == (1, 0, 0, 0)


def test_a_changed_template_is_updated_and_keeps_what_is_ours(
    answers: Answers, account: models.CredlyOrganization
) -> None:
    before = factories.CredlyBadgeTemplateFactory(account=account, external_id="a", name="Old")
    answers.pages = [[listed("a", "New")]]
    report = sync_templates(account)
    after = models.BadgeTemplate.objects.get()
    assert (after.pk, after.uuid, after.is_active, after.name) == (before.pk, before.uuid, True, "New")
    assert (report.created, report.updated, report.unchanged) == (0, 1, 0)


def test_an_unchanged_template_is_not_written(
    answers: Answers, account: models.CredlyOrganization, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    answers.pages = [[listed(str(number), "Same") for number in range(30)]]
    sync_templates(account)
    token = models.ConfigurationVersion.current()
    # The page (a savepoint and a look-up), and the look for missing ones.
    with django_assert_num_queries(4):
        report = sync_templates(account)
    assert report.unchanged == 30
    assert models.ConfigurationVersion.current() == token


def test_a_vanished_template_is_archived_and_deactivated_and_told_with_what_depends_on_it(
    answers: Answers, account: models.CredlyOrganization
) -> None:
    gone = factories.CredlyBadgeTemplateFactory(account=account, external_id="gone", name="Gone")
    factories.RequirementFactory.create_batch(2, template=gone)
    factories.BadgeFactory(template=gone)
    answers.pages = [[listed("here")]]
    report = sync_templates(account)
    gone.refresh_from_db()
    assert (gone.state, gone.is_active) == ("archived", False)
    assert report.archived == 1
    assert str(report.vanished[0]) == (
        '"Gone" is no longer at the provider: archived and deactivated. It has 2 requirements and 1 badge.'
    )


def test_what_vanished_before_is_not_told_again(answers: Answers, account: models.CredlyOrganization) -> None:
    factories.CredlyBadgeTemplateFactory(account=account, state="archived", is_active=False)
    answers.pages = [[listed("here")]]
    assert sync_templates(account).archived == 0


def test_another_account_is_not_touched(answers: Answers, account: models.CredlyOrganization) -> None:
    other = factories.CredlyBadgeTemplateFactory()
    same_id_elsewhere = factories.AccredibleGroupFactory(external_id="a", name="Elsewhere")
    answers.pages = [[listed("a", "Here")]]
    sync_templates(account)
    other.refresh_from_db()
    same_id_elsewhere.refresh_from_db()
    assert (other.state, other.is_active) == ("active", True)
    assert same_id_elsewhere.name == "Elsewhere"


def test_all_pages_count_as_seen(answers: Answers, account: models.CredlyOrganization) -> None:
    answers.pages = [[listed(f"{page}-{row}") for row in range(50)] for page in range(3)]
    sync_templates(account)
    assert sync_templates(account).archived == 0
    assert models.BadgeTemplate.objects.filter(state="active").count() == 150


def test_nothing_is_archived_when_the_list_breaks_off(answers: Answers, account: models.CredlyOrganization) -> None:
    on_a_later_page = factories.CredlyBadgeTemplateFactory(account=account)
    answers.pages = [[listed("a")]]
    answers.list_error = ProviderUnavailable("The provider answered 503.")
    with pytest.raises(ProviderUnavailable):
        sync_templates(account)
    on_a_later_page.refresh_from_db()
    assert on_a_later_page.is_active
    assert models.BadgeTemplate.objects.filter(external_id="a").exists(), "the pages before stay stored"


def test_a_template_that_moved_across_a_page_boundary_has_not_vanished(
    answers: Answers, account: models.CredlyOrganization
) -> None:
    moved = factories.CredlyBadgeTemplateFactory(account=account, external_id="moved", name="Badge")
    answers.pages = [[listed("a")], [listed("b")]]

    def complete_from_the_second_reading_on(number: int) -> None:
        if len(answers.listed) > 1:
            answers.pages[1] = [listed("moved")]

    answers.before_page = complete_from_the_second_reading_on
    assert sync_templates(account).archived == 0
    moved.refresh_from_db()
    assert moved.is_active


def test_an_empty_answer_is_an_error_while_templates_are_known(
    answers: Answers, account: models.CredlyOrganization
) -> None:
    template = factories.CredlyBadgeTemplateFactory(account=account)
    answers.pages = [[]]
    with pytest.raises(UnexpectedAnswer, match="lists no template at all"):
        sync_templates(account)
    template.refresh_from_db()
    assert template.is_active


def test_an_empty_answer_is_believed_when_confirmed(answers: Answers, account: models.CredlyOrganization) -> None:
    factories.CredlyBadgeTemplateFactory(account=account)
    answers.pages = [[]]
    assert sync_templates(account, allow_empty=True).archived == 1


def test_an_empty_answer_is_no_error_for_a_new_account(answers: Answers, account: models.CredlyOrganization) -> None:
    answers.pages = [[]]
    assert str(sync_templates(account)) == "Acme: 0 created, 0 updated, 0 unchanged, 0 archived."


def test_a_template_that_the_provider_archived_is_deactivated(
    answers: Answers, account: models.CredlyOrganization
) -> None:
    template = factories.CredlyBadgeTemplateFactory(account=account, external_id="a")
    answers.pages = [[listed("a", template.name, state=TemplateState.ARCHIVED)]]
    report = sync_templates(account)
    template.refresh_from_db()
    assert (template.state, template.is_active) == ("archived", False)
    assert (report.updated, report.archived, report.vanished) == (0, 1, ())


def test_a_template_that_came_back_stays_inactive(answers: Answers, account: models.CredlyOrganization) -> None:
    template = factories.CredlyBadgeTemplateFactory(account=account, external_id="a", state="archived", is_active=False)
    answers.pages = [[listed("a")]]
    sync_templates(account)
    template.refresh_from_db()
    assert (template.state, template.is_active) == ("active", False)


def test_two_synchronizations_at_once_end_with_one_row(
    answers: Answers, account: models.CredlyOrganization, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers.pages = [[listed("a", "Ours")]]
    read = template_sync._clean

    def read_while_another_stores(entry: ProviderTemplate) -> Any:
        factories.CredlyBadgeTemplateFactory(account=account, external_id="a", name="Theirs")
        return read(entry)

    monkeypatch.setattr(template_sync, "_clean", read_while_another_stores)
    report = sync_templates(account)
    assert models.BadgeTemplate.objects.get().name == "Ours"
    assert (report.created, report.updated) == (0, 1)


def test_an_entry_without_an_identifier_is_left_out_and_the_others_are_not(
    answers: Answers, account: models.CredlyOrganization
) -> None:
    answers.pages = [[listed("", "Nameless"), listed("x" * 256, "Long"), listed("a")]]
    report = sync_templates(account)
    assert report.created == 1
    assert [text.split(":")[0] for text in report.skipped] == ['"Nameless" was left out', '"Long" was left out']


def test_texts_that_do_not_fit_are_cut(answers: Answers, account: models.CredlyOrganization) -> None:
    answers.pages = [[listed("a", "n" * 300, image_url="javascript:alert(1)", description="nul\0")]]
    sync_templates(account)
    template = models.BadgeTemplate.objects.get()
    assert (len(template.name), template.image_url, template.description) == (255, "", "nul\ufffd")
    assert sync_templates(account).unchanged == 1


def test_a_missing_template_that_staff_deletes_meanwhile_is_not_told(
    answers: Answers, account: models.CredlyOrganization, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers.pages = [[listed("a")]]
    monkeypatch.setattr(template_sync, "_absent", lambda *args: [999])
    assert sync_templates(account).vanished == ()


def test_an_image_that_is_not_told_stays(answers: Answers, account: models.CredlyOrganization) -> None:
    template = factories.CredlyBadgeTemplateFactory(account=account, external_id="a", image_url="https://example.com/a")
    answers.pages = [[listed("a", "Renamed")]]
    sync_templates(account)
    template.refresh_from_db()
    assert (template.name, template.image_url) == ("Renamed", "https://example.com/a")


def test_a_template_without_a_site_gets_the_one_that_is_asked_for(
    answers: Answers, account: models.CredlyOrganization
) -> None:
    template = factories.CredlyBadgeTemplateFactory(account=account, external_id="a")
    answers.pages = [[listed("a")]]
    sync_templates(account, site_id=1)
    template.refresh_from_db()
    assert template.site_id == 1


def test_a_template_that_the_provider_keeps_archived_cannot_stay_active(
    answers: Answers, account: models.CredlyOrganization
) -> None:
    template = factories.CredlyBadgeTemplateFactory(account=account, external_id="a", state="archived")
    answers.pages = [[listed("a", template.name, description=template.description, state=TemplateState.ARCHIVED)]]
    report = sync_templates(account)
    template.refresh_from_db()
    assert not template.is_active
    assert (report.updated, report.archived) == (1, 0)


def test_an_unknown_site_is_refused_before_anything_is_asked(
    answers: Answers, account: models.CredlyOrganization
) -> None:
    with pytest.raises(ConfigurationError, match="no site with the id 999"):
        sync_templates(account, site_id=999)
    assert answers.listed == []


def test_an_account_whose_provider_has_no_list_is_refused(answers: Answers) -> None:
    account = models.ProviderAccount.objects.create(provider="unlisted", name="By hand", api_key="k")
    with pytest.raises(ConfigurationError, match="does not list templates"):
        sync_templates(account)


def test_each_page_is_told_when_it_is_stored(answers: Answers, account: models.CredlyOrganization) -> None:
    answers.pages = [[listed("a"), listed("b")], [listed("c")]]
    told: list[tuple[PageReport, int]] = []
    sync_templates(account, on_page=lambda page: told.append((page, models.BadgeTemplate.objects.count())))
    assert [(str(page), stored) for page, stored in told] == [
        ("Acme: page 1 of 2: 2 templates (2 created, 0 updated, 0 unchanged, 0 archived).", 2),
        ("Acme: page 2 of 2: 1 templates (1 created, 0 updated, 0 unchanged, 0 archived).", 3),
    ]


def test_an_error_of_the_database_that_is_no_race_is_not_hidden(
    answers: Answers, account: models.CredlyOrganization, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers.pages = [[listed("a")]]

    def fail(*args: Any, **kwargs: Any) -> None:
        raise IntegrityError("the account is gone")

    monkeypatch.setattr(models.BadgeTemplate, "save", fail)
    with pytest.raises(IntegrityError):
        sync_templates(account)


class TestCommands:
    def run(self, command: str, *arguments: str) -> str:
        out = StringIO()
        call_command(command, *arguments, stdout=out, stderr=out)
        return out.getvalue()

    def test_all_accounts_without_an_id(self, answers: Answers) -> None:
        factories.CredlyOrganizationFactory(name="One")
        factories.CredlyOrganizationFactory(name="Two")
        factories.AccredibleAPIConfigFactory(name="Not Credly")
        answers.pages = [[listed("a")]]
        printed = self.run("sync_organization_badge_templates").splitlines()
        assert printed == [
            "  One: page 1 of 1: 1 templates (1 created, 0 updated, 0 unchanged, 0 archived).",
            "One: 1 created, 0 updated, 0 unchanged, 0 archived.",
            "  Two: page 1 of 1: 1 templates (1 created, 0 updated, 0 unchanged, 0 archived).",
            "Two: 1 created, 0 updated, 0 unchanged, 0 archived.",
        ]

    @pytest.mark.parametrize("spelling", ["pk", "uuid", "UUID without hyphens"])
    def test_one_organization_by_its_id_or_uuid(self, answers: Answers, spelling: str) -> None:
        wanted = factories.CredlyOrganizationFactory(external_id="628fcaa9-cfd3-4a9b-aa62-9973ac938ad6")
        factories.CredlyOrganizationFactory()
        answers.pages = [[listed("a")]]
        given = {
            "pk": str(wanted.pk),
            "uuid": "628fcaa9-cfd3-4a9b-aa62-9973ac938ad6",
            "UUID without hyphens": "628FCAA9CFD34A9BAA629973AC938AD6",
        }[spelling]
        self.run("sync_organization_badge_templates", "--organization_id", given)
        assert [account.external_id for account in answers.listed] == ["628fcaa9-cfd3-4a9b-aa62-9973ac938ad6"]

    def test_groups_of_one_account_for_one_site(self, answers: Answers) -> None:
        account = factories.AccredibleAPIConfigFactory()
        answers.pages = [[listed("7", "Group")]]
        self.run("sync_accredible_groups", "--api_config_id", str(account.pk), "--site_id", "1")
        group = models.AccredibleGroup.objects.get()
        assert (group.name, group.site_id) == ("Group", 1)

    def test_an_unknown_id_is_an_error_that_names_the_known_ones(self, answers: Answers) -> None:
        known = factories.AccredibleAPIConfigFactory(name="Mine")
        with pytest.raises(CommandError, match=rf"no Accredible API config 999\. Known: {known.pk} \(Mine\)"):
            self.run("sync_accredible_groups", "--api_config_id", "999")

    def test_all_accounts_are_tried_before_the_errors_are_told(self, answers: Answers) -> None:
        factories.CredlyOrganizationFactory(name="No key", api_key="")
        factories.CredlyOrganizationFactory(name="Works")
        answers.pages = [[listed("a")]]
        with pytest.raises(CommandError, match='No key: The credly account "No key" has no API key'):
            self.run("sync_organization_badge_templates")
        assert models.ProviderAccount.objects.get(templates__isnull=False).name == "Works"

    def test_a_vanished_template_is_named(self, answers: Answers) -> None:
        factories.CredlyBadgeTemplateFactory(name="Gone")
        answers.pages = [[listed("a")]]
        assert '"Gone" is no longer at the provider' in self.run("sync_organization_badge_templates")

    def test_an_empty_answer_can_be_confirmed(self, answers: Answers) -> None:
        factories.CredlyBadgeTemplateFactory()
        answers.pages = [[]]
        assert "1 archived." in self.run("sync_organization_badge_templates", "--allow_empty")

    def test_what_is_left_out_is_said(self, answers: Answers) -> None:
        factories.AccredibleAPIConfigFactory()
        answers.pages = [[listed("", "Nameless")]]
        assert '"Nameless" was left out: the provider gave it no identifier.' in self.run("sync_accredible_groups")

    def test_no_account_is_said(self, answers: Answers) -> None:
        assert self.run("sync_accredible_groups") == "There is no Accredible API config yet. Add one in the admin.\n"


def test_an_entry_that_no_database_can_hold_is_left_out_and_the_others_are_kept(
    answers: Answers, account: models.CredlyOrganization
) -> None:
    answers.pages = [[listed("nul\0id"), listed("a", "bad \ud83d name"), listed("b")]]

    report = sync_templates(account)

    assert (report.created, len(report.skipped)) == (2, 1)
    assert models.BadgeTemplate.objects.get(external_id="a").name == "bad ? name"


def test_an_image_that_could_not_be_fetched_this_time_stays(
    answers: Answers, account: models.CredlyOrganization
) -> None:
    answers.pages = [[listed("a", image_url="https://example.com/a.png")]]
    sync_templates(account)
    answers.pages = [[listed("a")]]
    report = sync_templates(account)
    assert models.BadgeTemplate.objects.get().image_url == "https://example.com/a.png"
    assert report.unchanged == 1
