"""Databases as they are found: half-migrated, with rows that no code would make, and with users who may not do all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from typing import Any

import pytest
from django.db import OperationalError, connection

from badges.host.adoption import tables
from badges.models import Badge, BadgeRequirement, BadgeTemplate, Fulfillment, ProviderAccount
from badges.models.sequences import begin_above
from tests.factories import UserFactory
from tests.integration.host.built_in import BuiltIn
from tests.integration.host.running import adopt, plan

MYSQL = pytest.mark.skipif(connection.vendor != "mysql", reason="No other database takes it.")
THREE_BYTES = ("badging_badgetemplate", "badging_provideraccount")


def test_tables_that_are_there_in_part_are_no_reason_to_say_there_is_nothing(
    built_in: BuiltIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upgrade of the host that brought a migration, and this app in the same step, leaves it unapplied."""
    there = connection.introspection.table_names()
    monkeypatch.setattr(
        connection.introspection,
        "table_names",
        lambda *args, **kwargs: [name for name in there if not name.startswith("badges_accredible")],
    )

    ended = adopt()

    assert ended.status == 1
    assert "there only in part (badges_accredibleapiconfig, badges_accrediblegroup" in ended.errors
    assert "BADGES_REPLACE_BUILT_IN=False ./manage.py migrate badges" in ended.errors
    assert "nothing to adopt" not in ended.errors


def test_a_column_that_an_older_version_does_not_have_is_told(
    built_in: BuiltIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    describe = connection.introspection.get_table_description
    monkeypatch.setattr(
        connection.introspection,
        "get_table_description",
        lambda cursor, table: [column for column in describe(cursor, table) if column.name != "blend"],
    )

    ended = adopt()

    assert ended.status == 1
    assert "(badges_badgerequirement.blend, badges_fulfillment.blend missing)" in ended.errors


@MYSQL
@pytest.mark.parametrize("columns", [("created",), ("created", "modified")])
def test_a_date_that_is_none_counts_as_long_ago(built_in: BuiltIn, columns: tuple[str, ...], tmp_path: Any) -> None:
    there = built_in.credly_template()
    one = built_in.requirement(there)
    built_in.requirement(there, blend="B")
    for username in ("anna", "ben"):
        UserFactory(username=username)
        built_in.progress(there, username, [one])
    built_in.credly_badge(there, "anna")
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@sql_mode")
        mode = cursor.fetchone()[0]
        cursor.execute("SET sql_mode = ''")
        for table in ("badges_badgetemplate", "credentials_usercredential"):
            values = ", ".join(f"{column} = '0000-00-00 00:00:00'" for column in columns)
            cursor.execute(f"UPDATE {table} SET {values}")
        cursor.execute("SET sql_mode = %s", [mode])

    assert adopt("--report", str(tmp_path / "premature.csv")).status == 0

    assert Badge.objects.get().awarded_at.astimezone(UTC).year in (2000, 2025)
    assert set(Fulfillment.objects.values_list("event_time__year", flat=True)) <= {2000, 2025}
    assert adopt().status == 0


@pytest.fixture
def narrow(built_in_tables: None, django_db_blocker: Any) -> Iterator[None]:
    """Our tables hold characters of three bytes, as those made in a database with an old default do."""

    def convert(charset: str) -> None:
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            for table in THREE_BYTES:
                cursor.execute(f"ALTER TABLE {table} CONVERT TO CHARACTER SET {charset}")

    convert("utf8mb3")
    yield
    convert("utf8mb4")


@MYSQL
@pytest.mark.django_db(transaction=True)
def test_an_emoji_that_our_table_cannot_hold_costs_its_template_and_no_other(narrow: None, built_in: BuiltIn) -> None:
    built_in.credly_template(name="Python \N{SNAKE}")
    built_in.credly_template(built_in.organization(name="School of \N{SNAKE}"), name="Its account is refused")
    kept = built_in.credly_template(name="Python")

    ended = adopt()

    assert ended.status == 0
    assert list(BadgeTemplate.objects.values_list("pk", flat=True)) == [kept.pk]
    assert "the database refused a row that belongs to it (OperationalError)" in ended.out
    assert "Credly organizations, cannot 1: the database refused it" in ended.out
    assert "its account is not here: it could not be adopted" in ended.out
    assert ProviderAccount.objects.count() == 2


@pytest.fixture
def elsewhere(db: None) -> Iterator[None]:
    """A database of which no user has what MariaDB grants to all on those for tests, with a table and a view."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE elsewhere")
        cursor.execute("CREATE TABLE elsewhere.counted LIKE badging_badgetemplate")
        cursor.execute("CREATE VIEW elsewhere.seen AS SELECT id FROM elsewhere.counted")
        cursor.execute("CREATE USER restricted@localhost")
        cursor.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON elsewhere.* TO restricted@localhost")
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP DATABASE elsewhere")
        cursor.execute("DROP USER restricted@localhost")


@MYSQL
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("elsewhere")
class TestIdsThatAreKeptFree:
    def test_are_not_worth_a_failure_to_a_user_who_may_not_alter_tables(self, caplog: pytest.LogCaptureFixture) -> None:
        """The service often runs with another user than migrations."""
        other = connection.copy()
        other.settings_dict |= {"USER": "restricted", "PASSWORD": "", "NAME": "elsewhere"}
        try:
            begin_above(other, "counted", 5_000_000)
        finally:
            other.close()

        assert "New rows of counted may take ids up to 5000000" in caplog.text

    def test_fail_for_any_other_reason(self) -> None:
        other = connection.copy()
        other.settings_dict["NAME"] = "elsewhere"
        try:
            with pytest.raises(OperationalError):
                begin_above(other, "seen", 5_000_000)
        finally:
            other.close()


def test_badges_whose_record_is_gone_or_of_something_else_are_counted(built_in: BuiltIn) -> None:
    there = built_in.credly_template()
    built_in.requirement(there)
    for username in ("anna", "ben"):
        UserFactory(username=username)
    built_in.credly_badge(there, "anna", model="programcertificate")
    tables.UserCredential.objects.filter(pk=built_in.credly_badge(there, "ben").pk).delete()

    ended = plan()

    assert "badges, cannot 2: the host's record of it is gone, or is of something else" in ended.out


def test_an_alternative_that_came_later_is_not_told_to_share_a_group_with_one_that_stands_alone(
    built_in: BuiltIn,
) -> None:
    """A single one without a group was adopted so; what is here stays, and somebody has to decide."""
    there = built_in.credly_template()
    first = built_in.requirement(there, blend=None)
    adopt()
    second = built_in.requirement(there, blend=None, rules=[("is_passing", "eq", "true")])

    ended = adopt()

    assert set(BadgeRequirement.objects.values_list("group", flat=True)) == {"", "ungrouped"}
    assert f"requirements {first.pk}, {second.pk} there had no group" in ended.out
    assert f"What came here before ({first.pk}) stays as it is, so that is needed beside the others here" in ended.out
    assert "So they have one group here" not in ended.out
