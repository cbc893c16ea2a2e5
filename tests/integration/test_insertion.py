"""Plain insertions: what is given, what is left to defaults, and what becomes of rows that are there already."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import DataError, IntegrityError, connection, transaction
from django.utils import timezone

from badges.models import Badge, BadgeProgress, BusConsumer, Delivery, Fulfillment
from badges.models import insertion as module
from badges.models.insertion import insert
from tests.factories import (
    BadgeFactory,
    BadgeProgressFactory,
    BadgeTemplateFactory,
    RequirementFactory,
    UserFactory,
    moment,
)

pytestmark = pytest.mark.django_db


def test_what_is_not_given_takes_its_default() -> None:
    badge = BadgeFactory()

    insert(Delivery, ("badge_id", "action"), [(badge.pk, "issue"), (badge.pk, "revoke")])

    rows = list(Delivery.objects.order_by("pk"))
    assert [(row.action, row.status, row.attempts, row.lease_token) for row in rows] == [
        ("issue", "pending", 0, None),
        ("revoke", "pending", 0, None),
    ]
    assert all(timezone.now() - row.created < timedelta(minutes=1) for row in rows)
    assert all(timezone.now() - row.next_attempt_at < timedelta(minutes=1) for row in rows)


def test_a_default_that_is_made_anew_each_time_is_another_one_in_each_row() -> None:
    template = BadgeTemplateFactory()
    users = [UserFactory(), UserFactory()]

    insert(Badge, ("user_id", "template_id", "awarded_at"), [(user.pk, template.pk, moment(1)) for user in users])

    assert len(set(Badge.objects.values_list("uuid", flat=True))) == 2


def test_ids_are_told_with_what_they_belong_to() -> None:
    if not connection.features.can_return_rows_from_bulk_insert:
        pytest.skip("This database does not tell the ids of several new rows.")
    template = BadgeTemplateFactory()
    users = [UserFactory(), UserFactory()]
    rows = [(user.pk, template.pk) for user in users]

    told = insert(BadgeProgress, ("user_id", "template_id"), rows, returning=("id", "user_id"))

    assert sorted(told or []) == sorted(BadgeProgress.objects.values_list("pk", "user_id"))


def test_a_database_that_cannot_tell_them_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(connection.features), "can_return_rows_from_bulk_insert", False)
    progress = (UserFactory().pk, BadgeTemplateFactory().pk)

    assert insert(BadgeProgress, ("user_id", "template_id"), [progress], returning=("id",)) is None
    assert BadgeProgress.objects.count() == 1


def test_a_row_that_is_there_already_is_updated_where_that_is_asked_for() -> None:
    progress, requirement = BadgeProgressFactory(), RequirementFactory()
    columns = ("progress_id", "requirement_id", "is_fulfilled", "event_type", "event_id", "event_time", "evidence")
    words: list[tuple[Any, ...]] = [
        (progress.pk, requirement.pk, True, "one", "8e0e6a52-3a0f-4c39-9f0e-0b9a4c1d2e3f", moment(1), {"a": 'x"{\\'}),
        (progress.pk, requirement.pk, False, "two", "8e0e6a52-3a0f-4c39-9f0e-0b9a4c1d2e3f", moment(2), {}),
    ]

    for word in words:
        insert(Fulfillment, columns, [word], unique=columns[:2], update=("is_fulfilled", "event_time", "evidence"))

    [row] = Fulfillment.objects.all()
    assert (row.is_fulfilled, row.event_type, row.event_time, row.evidence) == (False, "one", moment(2), {})


def test_values_come_back_as_they_were_given() -> None:
    progress, requirement = BadgeProgressFactory(), RequirementFactory()
    evidence = {"text": 'O\'Neil %s {"a": \\} ünï', "list": [1, None, True], "float": 0.5}
    columns = ("progress_id", "requirement_id", "event_type", "event_id", "event_time", "evidence")
    event_id = "8e0e6a52-3a0f-4c39-9f0e-0b9a4c1d2e3f"

    insert(Fulfillment, columns, [(progress.pk, requirement.pk, "a'b%s", event_id, moment(1.25), evidence)])

    [row] = Fulfillment.objects.all()
    assert (row.event_type, str(row.event_id), row.event_time, row.evidence) == (
        "a'b%s",
        event_id,
        moment(1.25),
        evidence,
    )


def test_a_row_that_is_there_already_is_refused_otherwise() -> None:
    progress = BadgeProgressFactory()

    with pytest.raises(IntegrityError), transaction.atomic():
        insert(BadgeProgress, ("user_id", "template_id"), [(progress.user_id, progress.template_id)])


def test_a_row_that_is_there_already_can_be_passed_over() -> None:
    UserFactory(username="anna", email="anna@known.example")
    rows = [("anna", "other@example.com"), ("berta", "berta@example.com")]

    told = insert(get_user_model(), ("username", "email"), rows, is_ignoring=True, returning=("username",))

    assert told is None or told == [("berta",)]
    assert get_user_model().objects.get(username="anna").email == "anna@known.example"
    assert get_user_model().objects.count() == 2


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no length of a text.")
def test_a_value_that_is_too_long_is_refused_and_not_cut() -> None:
    now = timezone.now()
    row = ("t" * 300, "group", "name", now, now)

    with pytest.raises(DataError), transaction.atomic():
        insert(BusConsumer, ("topic", "group_id", "name", "started_at", "seen_at"), [row])


def test_more_rows_than_one_statement_takes_are_several_statements(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_VALUES", 12)
    template = BadgeTemplateFactory()
    users = [UserFactory() for _ in range(7)]

    told = insert(
        BadgeProgress, ("user_id", "template_id"), [(user.pk, template.pk) for user in users], returning=("user_id",)
    )

    assert BadgeProgress.objects.count() == 7
    assert told is None or sorted(told) == sorted((user.pk,) for user in users)


def test_no_rows_are_no_statement(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert insert(BadgeProgress, ("user_id", "template_id"), [], returning=("id",)) in ([], None)
