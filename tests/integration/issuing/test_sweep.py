"""The sweep: what waited, what a killed worker left, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import DataError, OperationalError, connection
from django.utils import timezone

from badges.exceptions import ProviderAuthError, ProviderUnavailable
from badges.issuing import actions, awards
from badges.issuing.actions import Done
from badges.issuing.deliveries import MOST_LOST, Attempt, retry_now, run_due
from badges.issuing.sweep import due_work, sweep
from badges.models import AccountHealth, Badge, Delivery, ProviderAccount
from tests.factories import BadgeTemplateFactory, UserFactory, moment
from tests.integration.issuing.helpers import issue_of, let_the_rest_end, make_due
from tests.integration.issuing.scripted import ScriptedProvider, killed

pytestmark = pytest.mark.django_db
Status = Delivery.Status


def more_badges(badge: Badge, number: int) -> list[Badge]:
    """Other learners' badges of the same template."""
    return [awards.award(UserFactory(), {badge.template.pk: moment(5)})[0] for _ in range(number)]


def test_what_waited_is_completed(badge: Badge, provider: type[ScriptedProvider]) -> None:
    provider.script.append(ProviderUnavailable("Down."))
    run_due(badge.pk)
    make_due(issue_of(badge))

    report = sweep()

    assert issue_of(badge).status == Status.DONE
    assert (dict(report.outcomes), report.waiting, report.broken) == ({"done": 1}, 0, [])


def test_what_a_killed_worker_left_is_taken_up_after_its_lease(badge: Badge, provider: type[ScriptedProvider]) -> None:
    provider.script.append(killed)
    with pytest.raises(SystemExit):
        run_due(badge.pk)
    assert issue_of(badge).status == Status.IN_PROGRESS
    assert not sweep().outcomes
    make_due(issue_of(badge))

    sweep()

    assert issue_of(badge).status == Status.DONE
    assert len(provider.held) == 1


def test_what_kills_worker_after_worker_is_given_up_and_can_be_retried(
    badge: Badge, provider: type[ScriptedProvider]
) -> None:
    provider.script += [killed] * MOST_LOST
    for _ in range(MOST_LOST):
        with pytest.raises(SystemExit):
            run_due(badge.pk)
        make_due(issue_of(badge))

    sweep()

    assert (issue_of(badge).status, issue_of(badge).attempts) == (Status.DEAD, MOST_LOST)
    assert "20 workers were lost" in issue_of(badge).last_error
    assert retry_now(issue_of(badge))
    sweep()
    assert issue_of(badge).status == Status.DONE


def test_one_that_failed_often_is_not_given_up_for_one_lost_worker(
    badge: Badge, provider: type[ScriptedProvider]
) -> None:
    provider.script += [ProviderUnavailable("Down.")] * MOST_LOST
    provider.script.append(killed)
    for _ in range(MOST_LOST):
        run_due(badge.pk)
        let_the_rest_end()
        make_due(issue_of(badge))
    with pytest.raises(SystemExit):
        run_due(badge.pk)
    let_the_rest_end()
    make_due(issue_of(badge))

    sweep()

    assert issue_of(badge).status == Status.DONE


def test_the_report_tells_what_still_waits_and_until_when(badge: Badge, provider: type[ScriptedProvider]) -> None:
    provider.script.append(ProviderUnavailable("Down."))

    report = sweep()

    assert (report.outcomes["retry"], report.waiting) == (1, 1)
    assert report.next_attempt_at == issue_of(badge).next_attempt_at


def test_the_next_time_is_not_that_of_what_waits_for_a_stopped_account(
    badge: Badge, provider: type[ScriptedProvider]
) -> None:
    provider.script.append(ProviderAuthError("Refused."))

    report = sweep()

    assert (report.waiting, report.next_attempt_at, report.is_all_for_accounts) == (1, None, True)


def test_the_next_time_is_the_end_of_the_rest_unless_something_else_comes_first(badge: Badge) -> None:
    [other] = more_badges(badge, 1)
    ends, soon = timezone.now() + timedelta(hours=2), timezone.now() + timedelta(hours=1)
    AccountHealth.objects.create(account=ProviderAccount.objects.get(), paused_until=ends)
    Delivery.objects.exclude(action=Delivery.Action.ISSUE).delete()

    resting = sweep()
    announced = Delivery.objects.create(badge=other, action=Delivery.Action.ANNOUNCE_AWARDED, next_attempt_at=soon)
    both = sweep()

    assert (resting.next_attempt_at, resting.is_all_for_accounts) == (ends, True)
    assert (both.next_attempt_at, both.is_all_for_accounts) == (announced.next_attempt_at, False)


def test_an_account_that_comes_to_work_while_the_report_is_made_does_not_break_it(badge: Badge) -> None:
    AccountHealth.objects.create(
        account=ProviderAccount.objects.get(), paused_until=timezone.now() + timedelta(hours=1)
    )

    ended: list[bool] = []

    def then_it_works(execute: Any, sql: str, *rest: Any) -> Any:
        found = execute(sql, *rest)
        if ended and sql.startswith("SELECT") and AccountHealth._meta.db_table in sql:
            with connection.cursor() as cursor:
                cursor.execute(f"UPDATE {AccountHealth._meta.db_table} SET paused_until = NULL")
        return found

    def is_stopping() -> bool:
        ended.append(True)
        return True

    with connection.execute_wrapper(then_it_works):
        report = sweep(is_stopping=is_stopping)

    assert report.waiting == 2


def test_the_next_time_is_not_that_of_what_comes_after_an_earlier_delivery(
    badge: Badge, provider: type[ScriptedProvider]
) -> None:
    provider.script.append(ProviderUnavailable("Down."))
    sweep()
    Delivery.objects.create(badge=badge, action=Delivery.Action.REVOKE)

    assert sweep().next_attempt_at == issue_of(badge).next_attempt_at


def test_the_next_time_of_what_a_worker_has_is_the_end_of_its_lease(badge: Badge) -> None:
    ends = timezone.now() + timedelta(minutes=5)
    Delivery.objects.all().move(Status.IN_PROGRESS, lease_token=badge.uuid, leased_until=ends)

    assert sweep().next_attempt_at == ends


def test_the_longest_waiting_badge_comes_first(badge: Badge) -> None:
    [other] = more_badges(badge, 1)
    Delivery.objects.filter(badge=other).update(next_attempt_at=timezone.now() - timedelta(hours=1))

    assert list(due_work()) == [other.pk, badge.pk]


def test_a_limit_leaves_the_rest(badge: Badge) -> None:
    more_badges(badge, 2)

    assert sweep(limit=1).waiting == 4


def test_a_sweep_that_is_to_stop_leaves_the_rest(badge: Badge) -> None:
    more_badges(badge, 2)
    done: list[int] = []

    report = sweep(on_badge=lambda number, total, attempts: done.append(number), is_stopping=lambda: bool(done))

    assert (done, report.waiting) == ([1], 4)


def test_one_badge_that_cannot_be_worked_on_does_not_keep_the_others_waiting(
    badge: Badge, monkeypatch: pytest.MonkeyPatch
) -> None:
    [other] = more_badges(badge, 1)

    def run(badge_id: int, **options: Any) -> list[Attempt]:
        if badge_id == badge.pk:
            raise DataError("anna@example.com")
        return run_due(badge_id, **options)

    monkeypatch.setattr("badges.issuing.sweep.run_due", run)

    report = sweep()

    assert issue_of(other).status == Status.DONE
    assert [text.split(":")[0] for text in report.broken] == [f"badge {badge.pk}"]
    assert "anna" not in report.broken[0]


def test_a_database_that_is_away_ends_the_sweep(badge: Badge, monkeypatch: pytest.MonkeyPatch) -> None:
    more_badges(badge, 1)

    def away(badge_id: int, **options: Any) -> list[Attempt]:
        raise OperationalError

    monkeypatch.setattr("badges.issuing.sweep.run_due", away)
    monkeypatch.setattr(connection, "is_usable", lambda: False)

    with pytest.raises(OperationalError):
        sweep()


def test_a_key_that_is_refused_costs_one_call_however_many_wait(badge: Badge, provider: type[ScriptedProvider]) -> None:
    more_badges(badge, 5)
    provider.script.extend([ProviderAuthError("Refused.")] * 6)

    report = sweep()

    assert provider.calls == ["issue"]
    assert [(account.name, account.until) for account in report.blocked] == [("Scripted", None)]


def test_a_provider_that_is_down_is_left_alone_after_some_failures(
    badge: Badge, provider: type[ScriptedProvider]
) -> None:
    more_badges(badge, 20)
    provider.script.extend([ProviderUnavailable("Down.")] * 21)

    report = sweep()

    assert provider.calls == ["issue"] * 5
    assert report.blocked[0].until == AccountHealth.objects.get().paused_until


def test_announcements_go_out_while_an_account_is_stopped(badge: Badge, provider: type[ScriptedProvider]) -> None:
    provider.script.append(ProviderAuthError("Refused."))
    run_due(badge.pk)
    [other] = more_badges(badge, 1)
    [without] = awards.award(UserFactory(), {BadgeTemplateFactory().pk: moment(5)})

    sweep()

    announced = Delivery.objects.filter(action=Delivery.Action.ANNOUNCE_AWARDED, status=Status.DONE)
    assert set(announced.values_list("badge_id", flat=True)) == {badge.pk, other.pk, without.pk}
    assert provider.calls == ["issue"]


def test_a_bus_that_does_not_answer_is_asked_a_few_times_and_holds_up_no_badge(
    badge: Badge, provider: type[ScriptedProvider], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Delivery] = []

    def unheard(delivery: Delivery) -> Done:
        asked.append(delivery)
        raise ConnectionError

    more_badges(badge, 9)
    monkeypatch.setitem(actions._handlers, Delivery.Action.ANNOUNCE_AWARDED.value, unheard)

    sweep()

    assert len(asked) == 3
    assert len(provider.held) == 10


def test_what_waits_for_a_blocked_account_is_not_even_read(badge: Badge, provider: type[ScriptedProvider]) -> None:
    run_due(more_badges(badge, 1)[0].pk)
    account_id = badge.template.account_id
    assert account_id is not None
    Delivery.objects.filter(badge=badge, action=Delivery.Action.ANNOUNCE_AWARDED).move(Status.DONE)

    assert due_work() == {badge.pk: {account_id}}
    assert due_work(blocked=[account_id]) == {}
