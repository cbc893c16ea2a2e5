"""``manage.py retire_learner``, as an operator runs it."""

from __future__ import annotations

from typing import Any

import django
import pytest
from django.contrib.auth import get_user_model

from badges.exceptions import ProviderAuthError, ProviderRejected, ProviderUnavailable
from badges.issuing.deliveries import run_due
from badges.models import Application, Badge, BadgeTemplate, Delivery, EmployeeRecord
from badges.privacy import retirement
from badges.privacy.rows import Rows
from tests import factories
from tests.integration.commands import Ended, run
from tests.integration.issuing.erasing import SETTINGS, ErasingProvider
from tests.integration.privacy.leaving import EMAIL, NAME, WAYS, everything, person, snapshot

# The rows are changed in transactions of their own, and providers are called after them.
ENGINE = f"django{'.' if django.VERSION >= (6, 0) else '_'}tasks.backends.dummy.DummyBackend"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def anna(template: BadgeTemplate) -> Any:
    return person("anna", NAME, template)


@pytest.fixture
def other(template: BadgeTemplate) -> Any:
    return person("joanna", "Joanna Park", template)


def retire(*arguments: str, status: int = 0) -> str:
    ended = run("retire_learner", *arguments)
    assert ended.status == status, ended
    for private in (EMAIL, NAME, "anna"):
        assert private.casefold() not in (ended.out + ended.errors).casefold()
    return ended.out + ended.errors


def counted(told: str) -> list[str]:
    """The lines that count, without what they say of doing."""
    lines = [line for line in told.splitlines() if line.startswith("  ") and line.split()[0].isdecimal()]
    verbs = (" would be ", " was ", " were ")
    return [next((line.partition(verb)[0] for verb in verbs if verb in line), line) for line in lines]


@pytest.mark.parametrize("way", WAYS)
def test_a_dry_run_says_what_is_done_then_and_changes_nothing(
    anna: Any, other: Any, provider: type[ErasingProvider], way: str
) -> None:
    before, calls = snapshot(), list(provider.calls)
    would = retire("anna", "--dry-run", "--at-provider", way)
    assert (snapshot(), provider.calls) == (before, calls)
    assert "Nothing was changed." in would

    told = retire("anna", "--at-provider", way)
    done = [line for line in counted(told) if "carried out" not in line and "stay" not in line]
    assert done == counted(would)
    assert done


@pytest.mark.parametrize("way", WAYS)
def test_nothing_names_the_learner_any_more_and_again_it_finds_nothing(anna: Any, other: Any, way: str) -> None:
    retire("anna", "--at-provider", way)
    stored = everything()
    assert '"anna@' not in stored.replace("joanna@", "")
    assert NAME.casefold() not in stored
    assert "joanna@example.com" in stored
    assert Badge.objects.filter(user=other, status="awarded").count() == 2
    assert Application.objects.filter(user=other).exists()

    before = snapshot()
    again = retire("anna", "--at-provider", way)
    assert "Nothing to do" in again
    assert snapshot() == before


def test_a_learner_is_told_of_in_words_and_numbers(anna: Any) -> None:
    told = retire("--username", "anna", "--at-provider", "delete")
    for sentence in (
        f"User {anna.pk}:",
        "2 badges were revoked here.",
        "1 badge was put down for deletion at the provider.",
        "1 application was deleted, with its evidence.",
        "1 reason of a change by hand was redacted.",
        "1 dead event was emptied or redacted.",
        "1 deletion at the provider carried out.",
    ):
        assert sentence in told


def test_deleting_deletes_at_the_provider_at_once(anna: Any, provider: type[ErasingProvider]) -> None:
    assert provider.held
    retire("anna", "--at-provider", "delete")
    assert provider.held == {}
    badges = Badge.objects.filter(user=anna)
    assert set(badges.values_list("status", "external_id", "url")) == {("revoked", "", "")}


def test_revoking_revokes_at_the_provider_and_announces_nothing(anna: Any, provider: type[ErasingProvider]) -> None:
    retire("anna", "--at-provider", "revoke")
    assert [held.state for held in provider.held.values()] == ["revoked"]
    announced = Delivery.objects.filter(badge__user=anna, action="announce_revoked")
    assert set(announced.values_list("status", flat=True)) == {"cancelled"}


def test_keeping_tells_what_stays(anna: Any, provider: type[ErasingProvider]) -> None:
    told = retire("anna")
    assert "1 badge stays at its provider" in told
    assert [held.state for held in provider.held.values()] == ["pending"]


def test_the_settings_say_what_is_done_where_the_command_does_not(
    anna: Any, provider: type[ErasingProvider], settings: Any
) -> None:
    settings.BADGES_CONFIG = {**SETTINGS, "retirement": {"at_provider": "delete"}}
    retire("anna")
    assert provider.held == {}


def test_what_a_provider_refuses_needs_a_person(anna: Any, provider: type[ErasingProvider]) -> None:
    provider.script.append(ProviderRejected("No right to delete", status_code=403))
    told = retire("anna", "--at-provider", "delete", status=3)
    assert "a deletion at the provider, was given up: No right to delete. Mend the cause" in told
    retire("anna", "--at-provider", "delete")
    assert provider.held == {}


def test_an_account_that_is_stopped_needs_a_person(anna: Any, provider: type[ErasingProvider]) -> None:
    provider.script.append(ProviderAuthError("The key is wrong.", status_code=401))
    assert "its account, which is stopped: The key is wrong." in retire("anna", "--at-provider", "delete", status=3)
    again = retire("anna", "--at-provider", "delete", status=3)
    assert "Here everything is done already." in again
    assert "Nothing to do" not in again


def test_a_revocation_that_was_given_up_is_begun_again_by_the_same_command(
    anna: Any, provider: type[ErasingProvider]
) -> None:
    provider.script.append(ProviderRejected("Not now", status_code=422))
    assert "a revocation at the provider, was given up: Not now." in retire("anna", "--at-provider", "revoke", status=3)
    told = retire("anna", "--at-provider", "revoke")
    assert "1 revocation was begun again at the provider, after having been given up." in told
    assert [held.state for held in provider.held.values()] == ["revoked"]


def test_what_goes_on_by_itself_is_told(anna: Any, provider: type[ErasingProvider]) -> None:
    provider.script.append(ProviderUnavailable("The provider is down."))
    told = retire("anna", "--at-provider", "delete")
    assert "a deletion at the provider, waits until" in told
    assert "The provider is down." in told


def test_with_a_task_engine_its_workers_do_it(anna: Any, provider: type[ErasingProvider], settings: Any) -> None:
    settings.TASKS = {"default": {"BACKEND": ENGINE}}
    told = retire("anna", "--at-provider", "delete")
    assert "a deletion at the provider, waits for a worker." in told
    assert provider.held
    deletion = Delivery.objects.get(action="delete")
    run_due(deletion.own_badge.pk)
    assert provider.held == {}
    assert "Nothing to do" in retire("anna", "--at-provider", "delete")


def test_with_the_feature_off_everything_here_is_done_and_the_provider_is_not_asked(
    anna: Any, provider: type[ErasingProvider], settings: Any
) -> None:
    settings.BADGES_ENABLED = False
    assert retire("anna")
    assert NAME.casefold() not in everything()
    assert "BADGES_ENABLED is off" in retire("anna", "--at-provider", "delete", status=3)
    assert provider.held

    settings.BADGES_ENABLED = True
    assert retire("anna", "--at-provider", "delete")
    assert provider.held == {}


def test_a_record_that_was_anonymized_is_found_by_its_lms_user_id(anna: Any, provider: type[ErasingProvider]) -> None:
    anna.username, anna.email, anna.full_name, anna.lms_user_id = "retired__user_1", "", "", 7
    anna.save()
    names = ("--former-username", "anna", "--email", EMAIL)
    told = retire("--lms-user-id", "7", *names, "--at-provider", "delete")
    assert f"User {anna.pk} (LMS user id 7):" in told
    assert EMAIL not in everything()
    assert provider.held == {}


def test_a_record_that_was_anonymized_needs_no_former_names_for_events(anna: Any) -> None:
    anna.username, anna.email, anna.full_name, anna.lms_user_id = "retired__user_1", "", "", 7
    anna.save()
    assert "1 dead event was emptied or redacted." in retire("--lms-user-id", "7")


def test_somebody_without_a_user_record_is_cleaned_by_the_names_given(anna: Any, other: Any) -> None:
    get_user_model().objects.filter(pk=anna.pk).delete()
    for arguments in (("anna", "--email", EMAIL), ("--former-username", "anna", "--email", EMAIL)):
        told = retire(*arguments)
        assert "There is no user record" in told
    assert '"anna@' not in everything().replace("joanna@", "")
    assert Delivery.objects.filter(callback__isnull=False, status="pending").exists()


def test_a_name_that_nobody_has_changes_nothing(other: Any) -> None:
    before = snapshot()
    assert "Nothing to do" in retire("nobody-at-all")
    assert snapshot() == before


@pytest.mark.parametrize("way", ["delete", "revoke"])
def test_without_a_user_record_it_is_told_that_no_provider_is_asked(other: Any, way: str) -> None:
    assert "No provider is asked" in retire("--former-username", "anna", "--at-provider", way)
    assert "No provider is asked" not in retire("--former-username", "anna", "--at-provider", "keep")


@pytest.mark.parametrize("part", ["", "@", "example.com", "@example.com", "joanna", "joanna@"])
def test_a_part_of_an_address_is_refused_for_it_may_be_one_of_everybodys(other: Any, part: str) -> None:
    before = snapshot()
    assert "a whole e-mail address" in retire("--email", part, status=1)
    assert snapshot() == before


def test_names_that_no_database_can_hold_are_nobodys(other: Any) -> None:
    assert "Nothing to do" in retire("\udcffx", "--email", "\udcffx@example.com", "--former-username", "\x00x")


def test_several_records_with_one_lms_user_id_are_all_meant_or_none(provider: type[ErasingProvider]) -> None:
    two = [factories.UserFactory(lms_user_id=7) for _ in range(2)]
    for user in two:
        factories.EmployeeRecordFactory(email=user.email)
    before = snapshot()
    told = retire("--lms-user-id", "7", status=1)
    assert f"2 users have the LMS user id 7: users {two[0].pk}, {two[1].pk}." in told
    assert snapshot() == before

    retire("--user-id", str(two[0].pk))
    assert EmployeeRecord.objects.filter(is_minimal=True).count() == 1
    told = retire("--lms-user-id", "7", "--all")
    assert told.count("LMS user id 7") == 2


@pytest.mark.parametrize(
    "arguments",
    [(), ("a", "--username", "b"), ("a", "--lms-user-id", "7"), ("--lms-user-id", "x"), ("--at-provider", "burn")],
)
def test_wrong_arguments_change_nothing(other: Any, arguments: tuple[str, ...]) -> None:
    before = snapshot()
    ended: Ended = run("retire_learner", *arguments)
    assert ended.status in (1, 2)
    assert ended.errors
    assert snapshot() == before


def test_nobody_with_this_id_is_told(transactional_db: None) -> None:
    assert "There is no user with the LMS user id 99" in retire("--lms-user-id", "99", status=1)
    assert "There is no user with the id 99" in retire("--user-id", "99", status=1)


def test_what_a_signal_left_is_done_by_the_next_run(
    anna: Any, provider: type[ErasingProvider], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    def stopping() -> bool:
        nonlocal asked
        asked += 1
        return asked > 3

    monkeypatch.setattr(retirement, "Rows", lambda is_dry_run, is_stopping: Rows(is_dry_run, stopping))
    retire("anna")
    assert EMAIL in everything()
    monkeypatch.undo()
    retire("anna")
    assert '"anna@' not in everything()
