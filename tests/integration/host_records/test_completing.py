"""Badges without a record in the host: from before there was one who keeps them, or from a way that went by it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.utils import timezone

from badges.host import records as host_records
from badges.host.adoption import tables
from badges.host.records import UserCredentialKeeper, complete_records
from badges.management.commands import adopt_builtin_badges
from badges.models import Badge
from tests.factories import EPOCH, BadgeFactory, UserFactory
from tests.integration.host_records.conftest import record

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("host_tables")]


@pytest.fixture
def keeper(credentials: Any) -> UserCredentialKeeper:
    """One that nothing told of the badges."""
    return UserCredentialKeeper(credentials.model)


def revoked(**values: Any) -> Badge:
    badge: Badge = BadgeFactory(status="revoked", revoked_at=timezone.now(), **values)
    return badge


def states(credentials: Any) -> set[tuple[str, str, Any]]:
    return set(credentials.values_list("username", "status", "uuid"))


def test_each_gets_its_record_as_it_is_now(credentials, keeper):
    awarded, taken = BadgeFactory(user__username="anna"), revoked(user__username="bert")

    assert complete_records(apply=True, keeper=keeper) == 2

    assert states(credentials) == {("anna", "awarded", awarded.uuid), ("bert", "revoked", taken.uuid)}
    assert credentials.get(username="anna").created == EPOCH


def test_counting_changes_nothing(without_type_of_templates, credentials, keeper):
    BadgeFactory()
    types = ContentType.objects.filter(app_label="badges").order_by("pk")
    before = list(types)

    assert complete_records(apply=False, keeper=keeper) == 1

    assert not credentials.exists()
    assert list(types.all()) == before


def test_a_second_time_there_is_nothing_to_do(credentials, keeper):
    BadgeFactory()
    revoked()
    complete_records(apply=True, keeper=keeper)
    before = list(credentials.values())

    assert complete_records(apply=True, keeper=keeper) == 0
    assert list(credentials.values()) == before


def test_a_status_that_is_out_of_step_is_mended(credentials, keeper):
    badge = revoked(user__username="anna")
    record(credentials, "anna", badge.template, uuid=badge.uuid)

    assert complete_records(apply=True, keeper=keeper) == 1

    assert states(credentials) == {("anna", "revoked", badge.uuid)}


def test_a_record_that_the_host_has_revoked_is_not_awarded_again(credentials, keeper):
    badge = BadgeFactory(user__username="anna")
    record(credentials, "anna", badge.template, uuid=badge.uuid, status="revoked")

    assert complete_records(apply=True, keeper=keeper) == 0

    assert states(credentials) == {("anna", "revoked", badge.uuid)}


def test_a_record_in_the_place_of_ours_is_taken_over(credentials, keeper):
    badge = BadgeFactory(user__username="anna")
    record(credentials, "anna", badge.template, status="revoked")

    assert complete_records(apply=True, keeper=keeper) == 1

    assert states(credentials) == {("anna", "awarded", badge.uuid)}


def test_a_name_that_the_host_has_replaced_is_left_as_it_is(credentials, keeper):
    badge = BadgeFactory(user__username="anna")
    record(credentials, "retired__anna", badge.template, uuid=badge.uuid)

    assert complete_records(apply=True, keeper=keeper) == 0

    assert states(credentials) == {("retired__anna", "awarded", badge.uuid)}


def test_a_name_that_somebody_else_bears_now_ends_with_a_record_for_each(credentials, keeper):
    former = BadgeFactory(user__username="anna")
    complete_records(apply=True, keeper=keeper)
    former.user.username = "was_anna"
    former.user.save()
    latter = BadgeFactory(user=UserFactory(username="anna"), template=former.template)

    # The record in the new one's place was the former one's, who gets another.
    assert [complete_records(apply=True, keeper=keeper) for _ in range(3)] == [1, 1, 0]

    assert states(credentials) == {("was_anna", "awarded", former.uuid), ("anna", "awarded", latter.uuid)}


def test_one_whose_identifier_is_another_credentials_is_left_out(credentials, keeper):
    badge = BadgeFactory(user__username="anna")
    record(credentials, "bert", BadgeFactory().template, uuid=badge.uuid)

    # The other badge, alone.
    assert [complete_records(apply=True, keeper=keeper) for _ in range(2)] == [1, 0]

    assert ("bert", "awarded", badge.uuid) in states(credentials)


def test_the_command_does_it_in_a_service_that_never_had_the_built_in_module(monkeypatch, credentials, keeper):
    monkeypatch.setattr(host_records, "_keeper", keeper)
    monkeypatch.setattr(adopt_builtin_badges, "is_host", lambda: True)
    monkeypatch.setattr(tables.BadgeTemplate._meta, "db_table", "not_there")
    badge = BadgeFactory(user__username="anna")

    with pytest.raises(CommandError, match="--apply carries it out") as planned:
        call_command("adopt_builtin_badges")
    assert planned.value.returncode == 3
    assert not credentials.exists()

    call_command("adopt_builtin_badges", "--apply")
    assert states(credentials) == {("anna", "awarded", badge.uuid)}

    with pytest.raises(CommandError, match="there is nothing to adopt"):
        call_command("adopt_builtin_badges", "--apply")


def test_many_are_done_in_pages(monkeypatch, credentials, keeper, django_assert_max_num_queries):
    monkeypatch.setattr(host_records, "AT_ONCE", 4)
    badges = [BadgeFactory() for _ in range(10)]
    record(credentials, badges[5].user.username, badges[5].template, uuid=badges[5].uuid)

    # A look at four badges and their records; whose they are, locking both, reading them, their records by each way,
    # one insertion.
    with django_assert_max_num_queries(3 * (2 + 9) + 6):
        assert complete_records(apply=True, keeper=keeper) == 9

    assert credentials.count() == 10
