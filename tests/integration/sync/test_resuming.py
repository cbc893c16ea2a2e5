"""A run that fails leaves what it has done to the next one, and of two runs at once only one goes on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from badges import models
from badges.exceptions import ProviderAuthError, ProviderRateLimited, ProviderUnavailable
from badges.issuing.sync.position import Overtaken, how_to_go_on
from badges.issuing.sync.report import Abandoned, Resumed
from badges.issuing.sync.run import sync_templates
from tests import factories
from tests.integration.fake_provider import Answers
from tests.integration.sync.helpers import listed, numbers, told_by

pytestmark = pytest.mark.django_db


def at_page(page: int, action: Callable[[], Any], answers: Answers) -> None:
    """Do something the first time that this page is asked for."""
    left = [action]

    def before(number: int) -> None:
        if number == page and left:
            left.pop()()

    answers.before_page = before


def fails() -> None:
    raise ProviderUnavailable("The provider answered 503.")


@pytest.fixture
def broken_off(answers: Answers, account: models.CredlyOrganization) -> models.TemplateSync:
    """A synchronization of three pages that failed at the second."""
    answers.pages = [[listed("a")], [listed("b")], [listed("c")]]
    at_page(2, fails, answers)
    with pytest.raises(ProviderUnavailable):
        sync_templates(account)
    return models.TemplateSync.objects.get()


def test_a_failure_is_kept_with_the_page_at_which_it_happened(broken_off: models.TemplateSync) -> None:
    assert (broken_off.next_page, broken_off.finished_at) == (2, None)
    assert broken_off.last_error == "The provider answered 503."


def test_the_next_run_goes_on_there(
    answers: Answers, account: models.CredlyOrganization, broken_off: models.TemplateSync
) -> None:
    report, told = told_by(account)
    assert told[0] == Resumed("Acme", 2, broken_off.started_at, "The provider answered 503.")
    assert (numbers(report), report.resumed_at, answers.first_pages) == ((2, 0, 0, 0), 2, [1, 2])
    after = models.TemplateSync.objects.get()
    assert after.finished_at is not None
    assert (after.token, after.last_error) == (broken_off.token, "")


def test_after_one_that_ended_a_new_one_begins(
    answers: Answers, account: models.CredlyOrganization, broken_off: models.TemplateSync
) -> None:
    sync_templates(account)
    report, told = told_by(account)
    assert (numbers(report), report.resumed_at, answers.first_pages) == ((0, 0, 3, 0), None, [1, 2, 1])
    assert models.TemplateSync.objects.get().token != broken_off.token
    assert not [news for news in told if isinstance(news, Resumed | Abandoned)]


def test_one_that_was_killed_is_gone_on_with(
    answers: Answers, account: models.CredlyOrganization, broken_off: models.TemplateSync
) -> None:
    models.TemplateSync.objects.update(last_error="")
    told = told_by(account)[1]
    assert str(told[0]).endswith("which did not come to its end.")
    assert answers.first_pages == [1, 2]


def test_one_that_is_older_than_a_day_is_begun_anew(
    answers: Answers, account: models.CredlyOrganization, broken_off: models.TemplateSync
) -> None:
    long_ago = timezone.now() - timedelta(hours=25)
    models.ProviderAccount.objects.update(modified=long_ago - timedelta(hours=1))
    models.TemplateSync.objects.update(started_at=long_ago)
    account.refresh_from_db()
    report, told = told_by(account)
    assert told[0] == Abandoned("Acme", long_ago)
    assert (numbers(report), answers.first_pages) == ((2, 0, 1, 0), [1, 1])


def test_one_is_begun_anew_where_the_account_was_changed_since(
    answers: Answers, account: models.CredlyOrganization, broken_off: models.TemplateSync
) -> None:
    account.save()
    sync_templates(account)
    assert answers.first_pages == [1, 1]


def test_one_is_begun_anew_where_that_is_asked_for(
    answers: Answers, account: models.CredlyOrganization, broken_off: models.TemplateSync
) -> None:
    sync_templates(account, restart=True)
    assert answers.first_pages == [1, 1]


def test_the_provider_may_have_fewer_pages_by_then(
    answers: Answers, account: models.CredlyOrganization, broken_off: models.TemplateSync
) -> None:
    answers.pages = [[listed("a")]]
    assert numbers(sync_templates(account)) == (0, 0, 0, 0)
    assert models.TemplateSync.objects.get().finished_at is not None


def test_what_goes_on_in_one_account_is_nothing_to_another(
    answers: Answers, account: models.CredlyOrganization, broken_off: models.TemplateSync
) -> None:
    other = factories.CredlyOrganizationFactory()
    assert sync_templates(other).resumed_at is None
    assert sync_templates(account).resumed_at == 2


def test_a_sentence_says_how_to_go_on(account: models.CredlyOrganization, broken_off: models.TemplateSync) -> None:
    assert how_to_go_on(account).startswith(
        "Everything before page 2 is stored. Synchronize again to go on there; from "
    )
    sync_templates(account)
    assert how_to_go_on(account) == ""


def test_a_failure_is_noted_on_the_account(answers: Answers, account: models.CredlyOrganization) -> None:
    def refuse() -> None:
        raise ProviderAuthError("The key was refused.")

    at_page(1, refuse, answers)
    with pytest.raises(ProviderAuthError):
        sync_templates(account)
    health = models.AccountHealth.objects.get(account=account)
    assert health.stopped_at is not None


def test_a_rate_limit_is_noted_on_the_account(answers: Answers, account: models.CredlyOrganization) -> None:
    def slow_down() -> None:
        raise ProviderRateLimited("Slow down.", retry_after=30.0)

    at_page(1, slow_down, answers)
    with pytest.raises(ProviderRateLimited):
        sync_templates(account)
    assert models.AccountHealth.objects.get(account=account).paused_until is not None


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("page", [1, 2, 3])
def test_of_two_runs_at_once_one_ends_with_an_error_and_the_other_does_all(
    answers: Answers, account: models.CredlyOrganization, page: int, restart: bool
) -> None:
    before = factories.CredlyBadgeTemplateFactory(account=account, external_id="c")
    answers.pages = [[listed("a")], [listed("b")], [listed("c")]]
    at_page(page, lambda: sync_templates(account, restart=restart), answers)
    with pytest.raises(Overtaken, match='Another synchronization of "Acme" was started'):
        sync_templates(account)
    assert models.BadgeTemplate.objects.filter(state="active").count() == 3
    before.refresh_from_db()
    assert before.is_active
    sync = models.TemplateSync.objects.get()
    assert (sync.finished_at is None, sync.last_error) == (False, "")


def test_a_run_that_was_overtaken_archives_nothing_any_more(
    answers: Answers, account: models.CredlyOrganization
) -> None:
    back_again = factories.CredlyBadgeTemplateFactory(account=account, external_id="back")
    answers.pages = [[listed("a")]]

    def comes_back_and_is_seen(external_id: str) -> None:
        answers.before_look_up = lambda external_id: None
        answers.pages = [[listed("a"), listed("back")]]
        sync_templates(account, restart=True)
        answers.pages = [[listed("a")]]

    answers.before_look_up = comes_back_and_is_seen
    with pytest.raises(Overtaken):
        sync_templates(account)
    back_again.refresh_from_db()
    assert back_again.is_active


def test_a_run_that_was_overtaken_leaves_no_error_behind(answers: Answers, account: models.CredlyOrganization) -> None:
    answers.pages = [[listed("a")], [listed("b")]]

    def overtaken_by_one_that_fails() -> None:
        at_page(2, fails, answers)
        with pytest.raises(ProviderUnavailable):
            sync_templates(account, restart=True)

    at_page(2, overtaken_by_one_that_fails, answers)
    with pytest.raises(Overtaken):
        sync_templates(account)
    assert models.TemplateSync.objects.get().last_error == "The provider answered 503."
    assert sync_templates(account).resumed_at == 2
