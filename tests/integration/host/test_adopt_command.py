"""The command ``adopt_builtin_badges``: what it prints, how it ends, and what it leaves alone."""

from __future__ import annotations

import csv
import signal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import get_commands
from django.db import IntegrityError, OperationalError, connection

from badges.host.adoption import run as running_module
from badges.host.adoption import tables
from badges.host.adoption.learners import adopt_learners
from badges.models import AdoptedRow, Badge, BadgeProgress, BadgeTemplate, ConfigurationVersion, Delivery
from tests.factories import UserFactory
from tests.integration import commands
from tests.integration.host.adopting import everything
from tests.integration.host.built_in import BuiltIn
from tests.integration.host.running import adopt, plan


def configured(built_in: BuiltIn) -> Any:
    """A template with a learner who has earned its badge, and one who was given it too early."""
    there = built_in.credly_template(name="Python")
    one, two = built_in.requirement(there), built_in.requirement(there, blend="B")
    for username, fulfilled in (("anna", [one, two]), ("ben", [one])):
        UserFactory(username=username)
        built_in.progress(there, username, fulfilled)
        built_in.credly_badge(there, username)
    return there


def test_it_is_a_command_of_this_app() -> None:
    assert get_commands()["adopt_builtin_badges"] == "badges"


def test_a_plan_changes_nothing_and_says_so(built_in: BuiltIn) -> None:
    configured(built_in)
    version = ConfigurationVersion.current()

    ended = plan()

    assert ended.status == 3
    assert ended.errors.endswith("rows to adopt. Nothing was changed; --apply carries it out.")
    assert not BadgeTemplate.objects.exists()
    assert ConfigurationVersion.current() == version


def test_dry_run_is_the_plan(built_in: BuiltIn) -> None:
    configured(built_in)

    assert plan("--dry-run") == plan()


def test_apply_adopts_all_of_it(built_in: BuiltIn) -> None:
    configured(built_in)

    ended = adopt()

    assert ended.status == 0
    assert "rows adopted." in ended.out
    assert BadgeTemplate.objects.get().is_active
    assert (BadgeProgress.objects.count(), Badge.objects.count()) == (2, 2)
    assert not Delivery.objects.filter(status__in=Delivery.OPEN).exists()


def test_a_second_run_changes_nothing_and_says_so(built_in: BuiltIn) -> None:
    configured(built_in)
    adopt()
    version = ConfigurationVersion.current()

    ended = adopt()

    assert ended.status == 0
    assert "There is nothing to adopt; nothing was changed." in ended.out
    assert ConfigurationVersion.current() == version


def test_the_built_in_tables_stay_as_they_are(built_in: BuiltIn) -> None:
    configured(built_in)
    before = everything()

    adopt()

    assert everything() == before


def test_it_works_with_the_feature_off(built_in: BuiltIn, settings: Any) -> None:
    settings.BADGES_ENABLED = False
    configured(built_in)

    assert adopt().status == 0
    assert Badge.objects.count() == 2


def test_an_empty_module_is_nothing_to_adopt(built_in: BuiltIn) -> None:
    ended = plan()

    assert ended.status == 0
    assert "tables are empty" in ended.out


def test_what_cannot_be_adopted_is_counted_and_is_no_failure(built_in: BuiltIn) -> None:
    there = configured(built_in)
    built_in.progress(there, "nobody")

    ended = adopt()

    assert ended.status == 0
    assert "1 cannot be adopted, see above." in ended.out


def test_no_address_of_a_learner_is_printed(built_in: BuiltIn) -> None:
    there = configured(built_in)
    UserFactory(username="carla", email="carla@secret.example.com")
    built_in.progress(there, "carla@secret.example.com")
    built_in.credly_badge(there, "dora@secret.example.com")

    ended = adopt()

    assert "secret.example.com" not in ended.out + ended.errors


def test_badges_that_came_too_early_are_listed(built_in: BuiltIn, tmp_path: Path) -> None:
    configured(built_in)
    path = tmp_path / "premature.csv"

    ended = plan("--report", str(path))

    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["username"] for row in rows] == ["ben"]
    assert "1 badge that was awarded before it was earned" in ended.out


def test_a_list_that_cannot_be_written_is_refused_before_anything_is_done(built_in: BuiltIn, tmp_path: Path) -> None:
    configured(built_in)

    ended = adopt("--report", str(tmp_path / "no" / "such.csv"))

    assert ended.status == 1
    assert "cannot be written" in ended.errors
    assert not AdoptedRow.objects.exists()


def test_a_terminal_is_shown_how_far_it_is(built_in: BuiltIn) -> None:
    configured(built_in)

    ended = commands.run("adopt_builtin_badges", "--apply", terminal=True)

    assert "5/5" in ended.out


@pytest.mark.django_db
def test_without_the_built_in_tables_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    there = connection.introspection.table_names()
    monkeypatch.setattr(
        connection.introspection, "table_names", lambda *args, **kwargs: [name for name in there if "badging" in name]
    )

    ended = adopt()

    assert ended.status == 1
    assert "does not have the tables of the Credentials service's built-in badges module" in ended.errors
    assert "and 13 more" in ended.errors


def test_without_our_own_tables_it_asks_for_a_migration(built_in: BuiltIn, monkeypatch: pytest.MonkeyPatch) -> None:
    there = connection.introspection.table_names()
    monkeypatch.setattr(
        connection.introspection,
        "table_names",
        lambda *args, **kwargs: [name for name in there if "adoptedrow" not in name],
    )

    ended = adopt()

    assert (ended.status, ended.errors) == (1, "The tables of this app are not all there. Run migrate first.")


def test_a_signal_leaves_the_rest_for_the_next_run(built_in: BuiltIn, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        built_in.requirement(built_in.credly_template())
    adopt_one = running_module.Adoption._adopt

    def interrupted(self: Any, templates: Any, there: Any) -> None:
        adopt_one(self, templates, there)
        signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(running_module.Adoption, "_adopt", interrupted)
        ended = adopt()

    assert (ended.status, BadgeTemplate.objects.count()) == (1, 1)
    assert "Ended by a signal; the rest is left for the next time." in ended.errors
    assert adopt().status == 0
    assert BadgeTemplate.objects.count() == 3


def test_a_signal_within_a_template_undoes_that_template(built_in: BuiltIn, monkeypatch: pytest.MonkeyPatch) -> None:
    configured(built_in)

    def interrupted(context: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        adopt_learners(context)

    with monkeypatch.context() as patch:
        patch.setattr("badges.host.adoption.run.adopt_learners", interrupted)
        ended = adopt()

    assert (ended.status, BadgeTemplate.objects.count()) == (1, 0)
    assert not AdoptedRow.objects.filter(table_name="badges_badgetemplate").exists()


def test_a_row_that_the_database_refuses_costs_its_template_and_no_other(
    built_in: BuiltIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    refused = configured(built_in)
    kept = built_in.credly_template()
    built_in.requirement(kept)

    def failing(context: Any) -> None:
        adopt_learners(context)
        if context.builtin_id == refused.pk:
            raise IntegrityError("anna@secret.example.com")

    monkeypatch.setattr("badges.host.adoption.run.adopt_learners", failing)

    ended = adopt("--report", str(tmp_path / "premature.csv"))

    assert list(BadgeTemplate.objects.values_list("pk", flat=True)) == [kept.pk]
    assert "the database refused a row that belongs to it (IntegrityError)" in ended.out
    assert "secret" not in ended.out + ended.errors
    assert len((tmp_path / "premature.csv").read_text().splitlines()) == 1


def test_a_database_that_goes_away_is_a_failure_that_says_what_to_do(
    built_in: BuiltIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured(built_in)

    def failing(context: Any) -> None:
        raise OperationalError("anna@secret.example.com")

    monkeypatch.setattr("badges.host.adoption.run.adopt_learners", failing)

    ended = adopt()

    assert ended.status == 1
    assert ended.errors == (
        "The database cannot be used (OperationalError). Run it again once it can; what was adopted stays so."
    )


def test_a_badge_of_nobodys_template_is_told(built_in: BuiltIn) -> None:
    there = built_in.credly_template()
    built_in.credly_badge(there, UserFactory().username)
    tables.CredlyBadgeTemplate.objects.all().delete()
    tables.BadgeTemplate.objects.all().delete()

    ended = plan()

    assert "its template was deleted there" in ended.out


def test_what_was_adopted_is_told_before_the_hosts_records_are_looked_at(
    built_in: BuiltIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured(built_in)

    def failing(*, apply: bool) -> int:
        raise OperationalError("anna@secret.example.com")

    monkeypatch.setattr("badges.management.commands.adopt_builtin_badges.is_host", lambda: True)
    monkeypatch.setattr("badges.host.records.complete_records", failing)

    ended = adopt()

    assert ended.status == 1
    assert "badge templates 1" in ended.out
    assert ended.errors.startswith("The database cannot be used (OperationalError).")


def test_what_fails_elsewhere_is_not_blamed_on_the_report(
    built_in: BuiltIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    configured(built_in)

    def failing(*, apply: bool) -> int:
        raise BrokenPipeError

    monkeypatch.setattr("badges.management.commands.adopt_builtin_badges.is_host", lambda: True)
    monkeypatch.setattr("badges.host.records.complete_records", failing)

    with pytest.raises(BrokenPipeError):
        adopt("--report", str(tmp_path / "premature.csv"))
