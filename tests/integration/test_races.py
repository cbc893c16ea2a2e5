"""Consumers that take one learner's events at the same time. Only databases whose threads really race are asked."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, transaction

from badges.issuing.deliveries import run_due
from badges.models import (
    Badge,
    BadgeProgress,
    BadgeRequirement,
    BadgeTemplate,
    ConfigurationVersion,
    DataRule,
    Delivery,
    Fulfillment,
)
from badges.processing import effects
from badges.processing.retries import retried
from tests.factories import COURSE, BadgeTemplateFactory, UserFactory
from tests.integration.issuing.scripted import SETTINGS, ScriptedProvider, scripted_template
from tests.integration.processing.helpers import OTHER_COURSE, fails, passes, send

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets one writer in at a time: nothing races"),
]
LEARNERS = 20


def at_once(*actions: Callable[[], Any]) -> list[Any]:
    """Run the actions in threads that start together, each with a connection of its own."""
    barrier = threading.Barrier(len(actions))

    def run(action: Callable[[], Any]) -> Any:
        try:
            # An open connection: else the threads meet at the server's door instead of at the rows.
            connection.ensure_connection()
            barrier.wait(timeout=30)
            return action()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(actions)) as pool:
        return [future.result(timeout=60) for future in [pool.submit(run, action) for action in actions]]


@pytest.fixture
def two_groups() -> BadgeTemplate:
    """A template that needs both courses."""
    template = BadgeTemplateFactory()
    passes(template, COURSE, "A")
    passes(template, OTHER_COURSE, "B")
    return template


@pytest.mark.parametrize("learner_is_known", [True, False])
def test_two_consumers_that_fulfil_the_last_two_groups_award_exactly_one_badge(
    two_groups: BadgeTemplate, learner_is_known: bool
) -> None:
    for number in range(LEARNERS):
        username = f"learner{number}"
        if learner_is_known:
            UserFactory(username=username)
        at_once(
            partial(send, username, course=COURSE),
            partial(send, username, course=OTHER_COURSE),
        )

    assert get_user_model().objects.count() == LEARNERS
    assert BadgeProgress.objects.count() == LEARNERS
    assert Fulfillment.objects.filter(is_fulfilled=True).count() == 2 * LEARNERS
    assert Badge.objects.count() == LEARNERS
    assert Delivery.objects.filter(action=Delivery.Action.ANNOUNCE_AWARDED).count() == LEARNERS


@pytest.mark.parametrize("has_progress", [True, False])
def test_a_consumer_that_decides_while_another_one_writes_waits_for_it(
    two_groups: BadgeTemplate, has_progress: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are held between reading and writing. Without locks both would see one group only, and award nothing."""
    user = UserFactory(username="anna")
    if has_progress:
        BadgeProgress.objects.create(user=user, template=two_groups)
    meeting = threading.Barrier(2)
    write = effects.Effects._write

    def write_together(*arguments: Any) -> None:
        with contextlib.suppress(threading.BrokenBarrierError):
            meeting.wait(timeout=1)
        write(*arguments)

    monkeypatch.setattr(effects.Effects, "_write", write_together)

    at_once(partial(send, course=COURSE), partial(send, course=OTHER_COURSE))

    assert Badge.objects.count() == 1
    assert meeting.broken, "the second consumer was not held back by a lock"


def test_a_configuration_that_changes_while_it_is_read_is_read_before_or_after_never_in_between() -> None:
    """A requirement that is read without its rules, because these came later, would match every event."""
    template = BadgeTemplateFactory(is_active=False)
    passes(template, OTHER_COURSE)
    ConfigurationVersion.bump()
    rules, requirements = DataRule._meta.db_table, BadgeRequirement._meta.db_table
    read: list[str] = []

    def activate() -> None:
        try:
            BadgeTemplate.objects.update(is_active=True)
        finally:
            connection.close()

    def interrupted(execute: Any, sql: str, *arguments: Any) -> Any:
        answer = execute(sql, *arguments)
        read.extend(table for table in (rules, requirements) if re.search(rf"FROM .{table}.", sql))
        if read == [rules]:
            # They were not there yet; the requirement is, when it is looked for now.
            thread = threading.Thread(target=activate)
            thread.start()
            thread.join(timeout=30)
        return answer

    with connection.execute_wrapper(interrupted):
        assert not send(course=COURSE)

    assert read == [rules, requirements, rules, requirements]
    assert send(course=OTHER_COURSE, at=1).awarded


def test_transactions_that_lock_each_other_out_are_done_again() -> None:
    first, second = UserFactory(), UserFactory()
    meeting = threading.Barrier(2)

    def lock_in_order(*users: Any) -> int:
        tries = 0

        def transact() -> None:
            nonlocal tries
            tries += 1
            with transaction.atomic():
                for user in users:
                    get_user_model().objects.select_for_update().get(pk=user.pk)
                    if tries == 1 and user is users[0]:
                        meeting.wait(timeout=30)

        retried(transact)
        return tries

    assert sum(at_once(partial(lock_in_order, first, second), partial(lock_in_order, second, first))) == 3


def test_the_same_event_in_four_consumers_has_the_effect_of_one() -> None:
    passes(BadgeTemplateFactory())

    for number in range(LEARNERS):
        at_once(*[partial(send, f"learner{number}")] * 4)

    assert Badge.objects.count() == BadgeProgress.objects.count() == Fulfillment.objects.count() == LEARNERS


def test_a_penalty_beside_a_newer_fulfilment_leaves_the_badge() -> None:
    template = BadgeTemplateFactory()
    fails(template, passes(template))

    for number in range(LEARNERS):
        username = f"learner{number}"
        send(username, at=1)
        at_once(
            partial(send, username, at=3),
            partial(send, username, at=2, is_passing=False),
        )

    assert Fulfillment.objects.filter(is_fulfilled=True).count() == LEARNERS


def test_events_of_several_learners_and_templates_do_not_deadlock() -> None:
    for course in (COURSE, OTHER_COURSE):
        for _ in range(5):
            passes(BadgeTemplateFactory(), course)

    at_once(*[partial(_send_all, course, number) for number, course in enumerate([COURSE, OTHER_COURSE] * 2)])

    assert Badge.objects.count() == 100


def test_two_workers_on_one_badge_issue_it_once(settings: Any) -> None:
    settings.BADGES_CONFIG = SETTINGS
    ScriptedProvider.reset()
    template = scripted_template()
    passes(template)
    for number in range(LEARNERS):
        outcome = _without_tasks(partial(send, f"learner{number}"))
        at_once(*[partial(run_due, outcome.awarded[0])] * 2)

    assert ScriptedProvider.calls.count("issue") == LEARNERS
    assert Delivery.objects.exclude(status=Delivery.Status.DONE).count() == 0


def _send_all(course: str, at: float) -> None:
    for number in range(10):
        send(f"learner{number}", course=course, at=at)


def _without_tasks(action: Callable[[], Any]) -> Any:
    """Run the action, but leave what it wants done after commit undone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("badges.issuing.tasks.enqueue", lambda badge_id: None)
        return action()
