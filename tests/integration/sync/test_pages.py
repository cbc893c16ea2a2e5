"""Templates are brought here page by page; none is lost, and what is ours stays."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from django.contrib.sites.models import Site
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from badges import models
from badges.data import Criterion, TemplatePage, TemplateState
from badges.exceptions import ConfigurationError
from badges.issuing.sync import rows
from badges.issuing.sync.report import LeftOut, News
from badges.issuing.sync.run import sync_templates
from tests import factories
from tests.integration.fake_provider import Answers
from tests.integration.sync.helpers import listed, numbers, told_by

pytestmark = pytest.mark.django_db


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
    assert numbers(report) == (1, 0, 0, 0)


def test_a_changed_template_is_updated_and_keeps_what_is_ours(
    answers: Answers, account: models.CredlyOrganization
) -> None:
    before = factories.CredlyBadgeTemplateFactory(account=account, external_id="a", name="Old")
    answers.pages = [[listed("a", "New")]]
    report = sync_templates(account)
    after = models.BadgeTemplate.objects.get()
    assert (after.pk, after.uuid, after.is_active, after.name) == (before.pk, before.uuid, True, "New")
    assert numbers(report) == (0, 1, 0, 0)


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
    assert numbers(sync_templates(account)) == (0, 0, 150, 0)
    assert models.BadgeTemplate.objects.filter(state="active").count() == 150


def test_a_template_that_the_provider_archived_is_deactivated(
    answers: Answers, account: models.CredlyOrganization
) -> None:
    template = factories.CredlyBadgeTemplateFactory(account=account, external_id="a")
    answers.pages = [[listed("a", template.name, state=TemplateState.ARCHIVED)]]
    report = sync_templates(account)
    template.refresh_from_db()
    assert (template.state, template.is_active) == ("archived", False)
    assert (numbers(report), report.vanished) == ((0, 0, 0, 1), 0)


def test_a_template_that_came_back_stays_inactive(answers: Answers, account: models.CredlyOrganization) -> None:
    template = factories.CredlyBadgeTemplateFactory(account=account, external_id="a", state="archived", is_active=False)
    answers.pages = [[listed("a")]]
    sync_templates(account)
    template.refresh_from_db()
    assert (template.state, template.is_active) == ("active", False)


def test_an_entry_without_an_identifier_is_left_out_and_the_others_are_not(
    answers: Answers, account: models.CredlyOrganization
) -> None:
    answers.pages = [[listed("", "Nameless"), listed("x" * 256, "Long"), listed("a")]]
    report, told = told_by(account)
    assert (report.counts.created, report.left_out) == (1, 2)
    assert [str(news) for news in told if isinstance(news, LeftOut)] == [
        '"Nameless" was left out: the provider gave it no identifier.',
        '"Long" was left out: its identifier is longer than 255 characters.',
    ]


def test_texts_that_do_not_fit_are_cut(answers: Answers, account: models.CredlyOrganization) -> None:
    answers.pages = [[listed("a", "n" * 300, image_url="javascript:alert(1)", description="nul\0")]]
    sync_templates(account)
    template = models.BadgeTemplate.objects.get()
    assert (len(template.name), template.image_url, template.description) == (255, "", "nul\ufffd")
    assert numbers(sync_templates(account)) == (0, 0, 1, 0)


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
    assert numbers(report) == (0, 1, 0, 0)


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
    told: list[tuple[News, int]] = []
    sync_templates(account, tell=lambda news: told.append((news, models.BadgeTemplate.objects.count())))
    assert [(str(news), stored) for news, stored in told] == [
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


def test_an_entry_that_no_database_can_hold_is_left_out_and_the_others_are_kept(
    answers: Answers, account: models.CredlyOrganization
) -> None:
    answers.pages = [[listed("nul\0id"), listed("a", "bad \ud83d name"), listed("b")]]

    report = sync_templates(account)

    assert (report.counts.created, report.left_out) == (2, 1)
    assert models.BadgeTemplate.objects.get(external_id="a").name == "bad ? name"


def test_an_unchanged_template_is_only_marked_as_seen(answers: Answers, account: models.CredlyOrganization) -> None:
    answers.pages = [[listed(str(number), "Same") for number in range(30)]]
    sync_templates(account)
    token = models.ConfigurationVersion.current()
    modified = set(models.BadgeTemplate.objects.values_list("pk", "modified"))
    report = sync_templates(account)
    assert numbers(report) == (0, 0, 30, 0)
    assert models.ConfigurationVersion.current() == token, "consumers keep their rules"
    assert set(models.BadgeTemplate.objects.values_list("pk", "modified")) == modified


def test_the_queries_of_a_page_do_not_grow_with_its_templates(
    answers: Answers, account: models.CredlyOrganization
) -> None:
    def queries(templates: int) -> int:
        answers.pages = [[listed(str(number), "Same") for number in range(templates)]]
        sync_templates(account)
        with CaptureQueriesContext(
            connection,
        ) as captured:
            sync_templates(account)
        return len(captured)

    assert queries(2) == queries(50)


def test_an_entry_that_is_listed_twice_is_one_row_and_counts_once(
    answers: Answers, account: models.CredlyOrganization
) -> None:
    answers.pages = [[listed("a"), listed("b")], [listed("b"), listed("c")]]
    assert numbers(sync_templates(account)) == (3, 0, 0, 0)
    assert numbers(sync_templates(account)) == (0, 0, 3, 0)


def test_skills_and_criteria_are_kept_where_the_provider_gives_them(
    answers: Answers, account: models.CredlyOrganization
) -> None:
    criteria = (Criterion("Pass the exam", "https://example.com/exam"), Criterion("Be kind"), Criterion("", "ftp://no"))
    answers.pages = [[listed("a", skills=("Python", "", "Nul\0"), criteria=criteria)]]
    sync_templates(account)
    template = models.BadgeTemplate.objects.get()
    assert template.skills == ["Python", "Nul\ufffd"]
    assert template.criteria == [
        {"title": "Pass the exam", "url": "https://example.com/exam"},
        {"title": "Be kind", "url": ""},
    ]
    assert numbers(sync_templates(account)) == (0, 0, 1, 0)
    answers.pages = [[listed("a")]]
    assert numbers(sync_templates(account)) == (0, 1, 0, 0)


def test_a_template_that_somebody_else_creates_at_the_same_moment_is_updated(
    answers: Answers, account: models.CredlyOrganization, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers.pages = [[listed("a", "Ours")]]
    read = rows._values

    def read_while_another_stores(*args: Any) -> Any:
        factories.CredlyBadgeTemplateFactory(account=account, external_id="a", name="Theirs")
        return read(*args)

    monkeypatch.setattr(rows, "_values", read_while_another_stores)
    assert numbers(sync_templates(account)) == (0, 1, 0, 0)
    template = models.BadgeTemplate.objects.get()
    assert (template.name, template.is_active) == ("Ours", True)


def test_only_one_page_is_held_in_memory(answers: Answers, account: models.CredlyOrganization) -> None:
    answers.pages = [[listed(f"{page}-{row}") for row in range(5)] for page in range(20)]
    held: list[int] = []

    def count(number: int) -> None:
        gc.collect()
        held.append(sum(isinstance(one, TemplatePage | models.BadgeTemplate) for one in gc.get_objects()))

    answers.before_page = count
    sync_templates(account)
    assert len(held) == 20
    assert max(held) - held[0] <= 1 + 2 * 5, "a page, and its rows"
