"""The commands: which accounts, what is printed, how they end, and how to go on after a failure."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import Error, InterfaceError, OperationalError, connection

from badges import models
from badges.exceptions import ProviderAuthError, ProviderUnavailable
from tests import factories
from tests.integration.fake_provider import Answers
from tests.integration.sync.helpers import listed

pytestmark = pytest.mark.django_db


def run(command: str, *arguments: str) -> str:
    out = StringIO()
    call_command(command, *arguments, stdout=out, stderr=out)
    return out.getvalue()


def test_all_accounts_without_an_id(answers: Answers) -> None:
    factories.CredlyOrganizationFactory(name="One")
    factories.CredlyOrganizationFactory(name="Two")
    factories.AccredibleAPIConfigFactory(name="Not Credly")
    answers.pages = [[listed("a")]]
    printed = run("sync_organization_badge_templates").splitlines()
    assert printed == [
        "  One: page 1 of 1: 1 templates (1 created, 0 updated, 0 unchanged, 0 archived).",
        "One: 1 created, 0 updated, 0 unchanged, 0 archived.",
        "  Two: page 1 of 1: 1 templates (1 created, 0 updated, 0 unchanged, 0 archived).",
        "Two: 1 created, 0 updated, 0 unchanged, 0 archived.",
    ]


@pytest.mark.parametrize("spelling", ["pk", "uuid", "UUID without hyphens"])
def test_one_organization_by_its_id_or_uuid(answers: Answers, spelling: str) -> None:
    wanted = factories.CredlyOrganizationFactory(external_id="628fcaa9-cfd3-4a9b-aa62-9973ac938ad6")
    factories.CredlyOrganizationFactory()
    answers.pages = [[listed("a")]]
    given = {
        "pk": str(wanted.pk),
        "uuid": "628fcaa9-cfd3-4a9b-aa62-9973ac938ad6",
        "UUID without hyphens": "628FCAA9CFD34A9BAA629973AC938AD6",
    }[spelling]
    run("sync_organization_badge_templates", "--organization_id", given)
    assert [account.external_id for account in answers.listed] == ["628fcaa9-cfd3-4a9b-aa62-9973ac938ad6"]


def test_groups_of_one_account_for_one_site(answers: Answers) -> None:
    account = factories.AccredibleAPIConfigFactory()
    answers.pages = [[listed("7", "Group")]]
    run("sync_accredible_groups", "--api_config_id", str(account.pk), "--site_id", "1")
    group = models.AccredibleGroup.objects.get()
    assert (group.name, group.site_id) == ("Group", 1)


def test_an_unknown_id_is_an_error_that_names_the_known_ones(answers: Answers) -> None:
    known = factories.AccredibleAPIConfigFactory(name="Mine")
    with pytest.raises(CommandError, match=rf"no Accredible API config 999\. Known: {known.pk} \(Mine\)"):
        run("sync_accredible_groups", "--api_config_id", "999")


def test_all_accounts_are_tried_before_the_errors_are_told(answers: Answers) -> None:
    factories.CredlyOrganizationFactory(name="No key", api_key="")
    factories.CredlyOrganizationFactory(name="Works")
    answers.pages = [[listed("a")]]
    with pytest.raises(CommandError, match='No key: The credly account "No key" has no API key'):
        run("sync_organization_badge_templates")
    assert models.ProviderAccount.objects.get(templates__isnull=False).name == "Works"


def test_a_vanished_template_is_named(answers: Answers) -> None:
    factories.CredlyBadgeTemplateFactory(name="Gone")
    answers.pages = [[listed("a")]]
    assert '"Gone" is no longer at the provider' in run("sync_organization_badge_templates")


def test_an_empty_answer_can_be_confirmed(answers: Answers) -> None:
    factories.CredlyBadgeTemplateFactory()
    answers.pages = [[]]
    assert "1 archived." in run("sync_organization_badge_templates", "--allow_empty")


def test_what_is_left_out_is_said(answers: Answers) -> None:
    factories.AccredibleAPIConfigFactory()
    answers.pages = [[listed("", "Nameless")]]
    assert '"Nameless" was left out: the provider gave it no identifier.' in run("sync_accredible_groups")


def test_no_account_is_said(answers: Answers) -> None:
    assert run("sync_accredible_groups") == "There is no Accredible API config yet. Add one in the admin.\n"


def fail_at(answers: Answers, page: int, error: Exception) -> None:
    """From now on, this page cannot be had."""

    def fail(number: int) -> None:
        if number == page:
            raise error

    answers.before_page = fail


def test_a_failure_in_the_middle_says_how_to_go_on_and_the_next_run_does(answers: Answers) -> None:
    factories.AccredibleAPIConfigFactory(name="Acme")
    answers.pages = [[listed("a")], [listed("b")]]
    fail_at(answers, 2, ProviderUnavailable("Accredible answered 503."))
    with pytest.raises(CommandError) as failed:
        run("sync_accredible_groups")
    assert str(failed.value).startswith(
        "Acme: Accredible answered 503. Everything before page 2 is stored. Synchronize again to go on there; from "
    )
    answers.before_page = lambda number: None
    printed = run("sync_accredible_groups").splitlines()
    assert printed[0].startswith("  Acme: goes on at page 2 with the synchronization of ")
    assert printed[0].endswith(", which failed: Accredible answered 503.")
    assert printed[1:] == [
        "  Acme: page 2 of 2: 1 templates (1 created, 0 updated, 0 unchanged, 0 archived).",
        "Acme: 1 created, 0 updated, 0 unchanged, 0 archived. Counted from page 2 on, where it was resumed.",
    ]
    assert answers.first_pages == [1, 2]


def test_restart_begins_with_the_first_page_all_the_same(answers: Answers) -> None:
    factories.AccredibleAPIConfigFactory(name="Acme")
    answers.pages = [[listed("a")], [listed("b")]]
    fail_at(answers, 2, ProviderUnavailable("Accredible answered 503."))
    with pytest.raises(CommandError):
        run("sync_accredible_groups")
    answers.before_page = lambda number: None
    printed = run("sync_accredible_groups", "--restart")
    assert printed.startswith("  Acme: begins anew; the synchronization of ")
    assert "Acme: 1 created, 0 updated, 1 unchanged, 0 archived.\n" in printed
    assert answers.first_pages == [1, 1]


def test_a_failure_at_the_first_page_leaves_nothing_to_go_on_with(answers: Answers) -> None:
    factories.AccredibleAPIConfigFactory(name="Acme")
    fail_at(answers, 1, ProviderAuthError("Accredible refused the key."))
    with pytest.raises(CommandError, match=r"^Acme: Accredible refused the key\.$"):
        run("sync_accredible_groups")


@pytest.mark.parametrize("command", ["sync_accredible_groups", "sync_organization_badge_templates"])
@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_a_database_that_cannot_be_used_is_told_in_a_sentence(
    answers: Answers, command: str, error: type[Error]
) -> None:
    def away(*_: Any) -> None:
        raise error("could not connect as secret-user")

    with connection.execute_wrapper(away), pytest.raises(CommandError) as failed:
        run(command)
    assert str(failed.value).startswith(f"The database cannot be used ({error.__name__}). ")
    assert "secret-user" not in str(failed.value)


def test_a_database_that_goes_away_in_the_middle_does_not_hide_what_failed_before(answers: Answers) -> None:
    factories.AccredibleAPIConfigFactory(name="No key", api_key="")
    factories.AccredibleAPIConfigFactory(name="Acme")
    is_away = False

    def go_away(number: int) -> None:
        nonlocal is_away
        is_away = True

    def pass_or_fail(execute: Any, *arguments: Any) -> Any:
        if is_away:
            raise OperationalError("gone")
        return execute(*arguments)

    answers.pages = [[listed("a")]]
    answers.before_page = go_away
    with connection.execute_wrapper(pass_or_fail), pytest.raises(CommandError) as failed:
        run("sync_accredible_groups")
    first, last = str(failed.value).splitlines()
    assert first.startswith("No key: ")
    assert last.startswith("The database cannot be used (OperationalError). ")
