"""Records that somebody else makes at the same moment."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, transaction

from badges.host.records import UserCredentialKeeper, complete_records
from badges.issuing import records
from badges.models import Badge
from tests.factories import BadgeFactory, BadgeTemplateFactory, UserFactory
from tests.host.builtin import builtin_tables
from tests.integration.host_records.conftest import record
from tests.integration.processing.helpers import passes, send
from tests.integration.test_races import at_once

RACING = pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets one writer in at a time: nothing races")
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _host(transactional_db: None) -> Iterator[None]:
    # Before the database is emptied, which knows nothing of these tables.
    with builtin_tables():
        yield


def test_one_that_came_while_it_was_looked_for_is_found_when_the_events_are_processed_again(credentials, monkeypatch):
    template = BadgeTemplateFactory()
    passes(template)
    record(credentials, "anna", template)
    keeper = UserCredentialKeeper(credentials.model)
    genuine, looks = keeper._found_by_key, itertools.count()

    def blind_at_first(badges: Any, keys: Any) -> Any:
        return genuine(badges, keys) if next(looks) else {}

    monkeypatch.setattr(keeper, "_found_by_key", blind_at_first)
    records.register(keeper)
    try:
        send("anna")
    finally:
        records.unregister(keeper)

    [badge] = Badge.objects.all()
    assert list(credentials.values_list("username", "uuid")) == [("anna", badge.uuid)]


@RACING
def test_two_that_complete_the_same_records_and_one_that_awards_make_one_each(credentials, keeper):
    template = BadgeTemplateFactory()
    passes(template)
    others = [BadgeFactory() for _ in range(60)]
    actions = [partial(complete_records, apply=True, keeper=keeper) for _ in range(2)]

    at_once(*actions, *(partial(send, f"learner-at-once-{number}") for number in range(3)))

    badges = list(Badge.objects.order_by("uuid").values_list("uuid", flat=True))
    assert len(badges) == len(others) + 3
    assert list(credentials.order_by("uuid").values_list("uuid", flat=True)) == badges


def rename(credentials: Any, number: int) -> None:
    """As the service does it, in this order, and without a signal."""
    names = {"old": f"learner{number}", "new": f"retired__{number}"}
    with transaction.atomic():
        get_user_model().objects.filter(username=names["old"]).update(username=names["new"])
        credentials.filter(username=names["old"]).update(username=names["new"])


@RACING
def test_a_learner_whom_the_host_renames_at_the_moment_of_the_award_has_no_record_under_the_old_name(
    credentials, keeper
):
    template = BadgeTemplateFactory()
    passes(template)

    for number in range(15):
        UserFactory(username=f"learner{number}")
        at_once(partial(send, f"learner{number}"), partial(rename, credentials, number))

    badges = Badge.objects.values_list("uuid", "user__username")
    assert len(badges) == 15
    assert dict(credentials.values_list("uuid", "username")) == dict(badges)


@RACING
def test_learners_whom_the_host_renames_while_records_are_completed_have_none_under_the_old_names(credentials, keeper):
    template = BadgeTemplateFactory()
    for number in range(60):
        BadgeFactory(user=UserFactory(username=f"learner{number}"), template=template)

    def rename_all() -> None:
        for number in range(60):
            rename(credentials, number)

    at_once(partial(complete_records, apply=True, keeper=keeper), rename_all)

    assert dict(credentials.values_list("uuid", "username")) == dict(
        Badge.objects.values_list("uuid", "user__username")
    )
