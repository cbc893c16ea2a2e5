"""``deliver_badges``: what it does, prints and exits with."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DataError, OperationalError, connection
from django.utils import timezone

from badges.data import Award
from badges.exceptions import ProviderAuthError, ProviderRejected, ProviderUnavailable
from badges.issuing import awards
from badges.issuing.deliveries import run_due
from badges.models import AccountHealth, Badge, BadgeTemplate, Delivery
from tests.factories import UserFactory, moment
from tests.integration.issuing.helpers import issue_of, make_due
from tests.integration.issuing.scripted import ScriptedProvider, killed

pytestmark = pytest.mark.django_db
Status = Delivery.Status


@pytest.fixture(autouse=True)
def the_connection_of_the_test_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two sweeps Django would drop a connection within a transaction, and each test is one."""
    monkeypatch.setattr("badges.management.commands.deliver_badges.close_old_connections", lambda: None)


class Terminal(io.StringIO):
    """What a terminal was sent."""

    def isatty(self) -> bool:
        return True


def run(*arguments: str, terminal: bool = False, errors: io.StringIO | None = None) -> str:
    """Run the command, and give what it printed."""
    output = Terminal() if terminal else io.StringIO()
    call_command("deliver_badges", *arguments, stdout=output, stderr=errors or io.StringIO())
    return output.getvalue()


def another(template: BadgeTemplate) -> Badge:
    """Another learner's badge, whose deliveries wait."""
    return awards.award(UserFactory(), {template.pk: moment(5)})[0]


def signals(*numbers: int) -> Callable[[Award], None]:
    """Something that happens during a call: this process is sent signals."""

    def send(award: Award) -> None:
        for number in numbers:
            os.kill(os.getpid(), number)

    return send


def test_it_completes_what_waited(badge: Badge, provider: type[ScriptedProvider]) -> None:
    provider.script.append(ProviderUnavailable("Down."))
    run_due(badge.pk)
    make_due(issue_of(badge))

    output = run()

    badge.refresh_from_db()
    assert (badge.external_id, issue_of(badge).status) == ("ext-1", Status.DONE)
    assert output.splitlines()[-1] == "1 attempt: 1 done."


def test_it_tells_of_each_attempt_and_of_what_still_waits(badge: Badge, provider: type[ScriptedProvider]) -> None:
    provider.script.append(ProviderUnavailable("Down."))

    output = run("--limit", "5")

    assert f"delivery {issue_of(badge).pk} issue: retry. Down." in output
    assert "2 attempts: 1 done, 1 to be retried. 1 delivery waits; the next one for 2" in output


@pytest.mark.parametrize("arguments", [[], ["--limit", "3"]])
def test_it_prints_nothing_if_nothing_was_due(badge: Badge, provider: Any, arguments: list[str]) -> None:
    provider.script.append(ProviderUnavailable("Down."))
    run()

    assert run(*arguments) == ""


def test_it_prints_its_report_if_nothing_was_due_and_somebody_looks() -> None:
    assert "0 attempts: 0 done." in run(terminal=True)
    assert "0 attempts: 0 done." in run("-v", "2")


def test_without_verbosity_it_prints_nothing(badge: Badge) -> None:
    assert run("-v", "0") == ""
    assert issue_of(badge).status == Status.DONE


def test_on_a_terminal_it_shows_how_far_it_is(badge: Badge, provider: type[ScriptedProvider]) -> None:
    another(badge.template)
    provider.script.append(ProviderUnavailable("Down."))

    output = run(terminal=True)

    assert "] 2/2 " in output
    assert f"\rdelivery {issue_of(badge).pk} issue: retry. Down.\n" in output
    assert "announce_awarded: done" not in output
    last = output.rsplit("\r", 1)[1]
    assert last.startswith("4 attempts: 3 done, 1 to be retried.")


def test_no_more_badges_than_the_limit_are_worked_on(badge: Badge, provider: type[ScriptedProvider]) -> None:
    other = another(badge.template)

    run("--limit", "1")

    assert [issue_of(badge).status, issue_of(other).status] == [Status.DONE, Status.PENDING]


def test_it_says_when_the_feature_is_off(settings: Any) -> None:
    settings.BADGES_ENABLED = False

    with pytest.raises(CommandError, match="BADGES_ENABLED is off") as refused:
        run()
    assert refused.value.returncode == 1


@pytest.mark.parametrize(
    "arguments", [["--limit", "-1"], ["--limit", "0"], ["--watch", "0"], ["--watch", "5", "--dry-run"]]
)
def test_arguments_that_make_no_sense_are_refused(arguments: list[str]) -> None:
    with pytest.raises(CommandError, match="argument"):
        run(*arguments)


def test_it_takes_up_what_a_killed_worker_left(badge: Badge, provider: type[ScriptedProvider]) -> None:
    provider.script.append(killed)
    with pytest.raises(SystemExit):
        run_due(badge.pk)
    assert issue_of(badge).status == Status.IN_PROGRESS
    assert run() == ""
    make_due(issue_of(badge))

    run()

    assert issue_of(badge).status == Status.DONE
    assert len(provider.held) == 1


@pytest.mark.django_db(transaction=True)
def test_what_breaks_one_badge_is_told_exits_with_1_and_does_not_keep_the_others_waiting(
    badge: Badge, provider: type[ScriptedProvider]
) -> None:
    other, errors = another(badge.template), io.StringIO()
    # Without the test's own transaction they were carried out already.
    Delivery.objects.filter(action=Delivery.Action.ISSUE).move(Status.PENDING)
    issue_of(badge).delete()
    broken = Delivery.objects.create(pk=1_000_000, badge=badge, action=Delivery.Action.ISSUE)

    def fail(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("UPDATE") and broken.pk in params:
            raise DataError("anna@example.com")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(fail), pytest.raises(CommandError, match="1 badge could not be") as ended:
        run(errors=errors)

    assert [issue_of(badge).status, issue_of(other).status] == [Status.PENDING, Status.DONE]
    assert ended.value.returncode == 1
    assert f"badge {badge.pk}: DataError at " in errors.getvalue()
    assert "anna" not in errors.getvalue()


def test_a_delivery_that_is_given_up_exits_with_3(badge: Badge, provider: type[ScriptedProvider]) -> None:
    provider.script.append(ProviderRejected("No such template."))

    with pytest.raises(CommandError, match="1 delivery was given up") as ended:
        run()
    assert ended.value.returncode == 3
    assert "1 given up" not in run()


def test_a_stopped_account_exits_with_3_until_it_works_again(badge: Badge, provider: type[ScriptedProvider]) -> None:
    provider.script.append(ProviderAuthError("The key was refused."))

    for _ in range(2):
        with pytest.raises(CommandError, match='account "Scripted" is stopped: The key was refused') as ended:
            run()
        assert ended.value.returncode == 3

    AccountHealth.objects.update(next_check_at=timezone.now())
    assert run().splitlines()[-1] == "1 attempt: 1 done."


def test_an_account_that_rests_is_told_of_and_is_no_reason_to_wake_anybody(
    badge: Badge, provider: type[ScriptedProvider], settings: Any
) -> None:
    settings.BADGES_CONFIG = {**settings.BADGES_CONFIG, "deliveries": {"failures": 1}}
    provider.script.append(ProviderUnavailable("Down."))

    assert 'The account "Scripted" rests until 2' in run()
    assert run() == ""


def test_a_database_that_fails_is_told_in_a_sentence(badge: Badge) -> None:
    def fail(*args: Any) -> Any:
        raise OperationalError("no connection for anna")

    with connection.execute_wrapper(fail), pytest.raises(CommandError, match="The database cannot be used") as ended:
        run()
    assert (ended.value.returncode, "anna" in str(ended.value)) == (1, False)


@pytest.mark.parametrize(
    ("arguments", "ending"), [([], " What was under way is taken up after its lease."), (["--dry-run"], "")]
)
def test_a_database_that_is_away_is_told_without_a_line_of_the_code(
    badge: Badge, arguments: list[str], ending: str
) -> None:
    def fail(*args: Any) -> Any:
        raise OperationalError("no connection for anna")

    with connection.execute_wrapper(fail), pytest.raises(CommandError) as ended:
        run(*arguments)
    assert str(ended.value) == f"The database cannot be used (OperationalError).{ending}"


@pytest.mark.parametrize("value", ["x", "0", "-1", "1.5"])
@pytest.mark.parametrize("option", ["--watch", "--limit"])
def test_a_number_that_is_none_is_told_what_it_should_be(option: str, value: str) -> None:
    with pytest.raises(CommandError, match=f"{option}: a whole number of at least 1"):
        run(f"{option}={value}")


def test_the_report_tells_that_all_wait_for_a_stopped_account_and_names_no_time(
    badge: Badge, provider: type[ScriptedProvider]
) -> None:
    another(badge.template)
    provider.script.append(ProviderAuthError("The key was refused."))
    output = io.StringIO()

    with pytest.raises(CommandError, match="is stopped"):
        call_command("deliver_badges", stdout=output)

    assert output.getvalue().splitlines()[-1].endswith("2 deliveries wait, all of them for an account, see below.")


def test_the_report_tells_when_the_rest_ends_that_all_wait_for(badge: Badge, provider: type[ScriptedProvider]) -> None:
    run()
    Delivery.objects.filter(pk=issue_of(badge).pk).move(Status.PENDING)
    AccountHealth.objects.update(paused_until=moment(0).replace(year=2100))

    [report, rest] = run("-v", "2").splitlines()

    assert report.startswith("0 attempts: 0 done. 1 delivery waits for its account, see below; the next one for 2100-")
    assert rest.startswith('The account "Scripted" rests until 2100-')


def test_what_is_given_up_is_logged_in_whole_sentences(
    badge: Badge, provider: type[ScriptedProvider], caplog: pytest.LogCaptureFixture
) -> None:
    provider.script.append(ProviderRejected("A fault of the sandbox"))

    with pytest.raises(CommandError):
        run()

    assert "A fault of the sandbox. Mend the cause" in caplog.text


def test_a_stop_is_logged_in_whole_sentences(
    badge: Badge, provider: type[ScriptedProvider], caplog: pytest.LogCaptureFixture
) -> None:
    provider.script.append(ProviderAuthError("It refused the key"))

    with pytest.raises(CommandError):
        run()

    assert "It refused the key. They go on by themselves" in caplog.text


def test_watching_sweeps_until_a_signal_and_finishes_the_badge_in_hand(
    badge: Badge, provider: type[ScriptedProvider]
) -> None:
    other = another(badge.template)
    provider.script.append(signals(signal.SIGTERM))
    before = signal.getsignal(signal.SIGTERM)

    output = run("--watch", "60")

    assert [issue_of(badge).status, issue_of(other).status] == [Status.DONE, Status.PENDING]
    assert output.splitlines()[-1].startswith("Ended by a signal after 1 sweep. 2 attempts: 2 done. 2 deliveries wait")
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_second_signal_ends_it_at_once(badge: Badge, provider: type[ScriptedProvider]) -> None:
    provider.script.append(signals(signal.SIGTERM, signal.SIGTERM))

    with pytest.raises(SystemExit) as ended:
        run("--watch", "60")

    assert ended.value.code == 128 + signal.SIGTERM
    assert issue_of(badge).status == Status.IN_PROGRESS


def test_a_signal_ends_a_single_sweep_as_politely(badge: Badge, provider: type[ScriptedProvider]) -> None:
    other = another(badge.template)
    provider.script.append(signals(signal.SIGINT))

    output = run()

    assert [issue_of(badge).status, issue_of(other).status] == [Status.DONE, Status.PENDING]
    assert "Ended by a signal; the rest is left for the next sweep." in output


def test_watching_outlives_a_database_that_is_away(badge: Badge, provider: type[ScriptedProvider]) -> None:
    failures, errors = [OperationalError("away"), OperationalError("away")], io.StringIO()
    provider.script.append(signals(signal.SIGTERM))

    def fail(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if failures:
            raise failures.pop()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(fail):
        run("--watch", "1", errors=errors)

    assert issue_of(badge).status == Status.DONE
    assert [line.split(",")[0] for line in errors.getvalue().splitlines()] == [
        "The database is away (OperationalError)",
        "The database is back.",
    ]


def test_watching_tells_of_a_stopped_account_once(badge: Badge, provider: type[ScriptedProvider]) -> None:
    errors = io.StringIO()
    provider.script.extend([ProviderAuthError("The key was refused."), signals(signal.SIGTERM)])
    sweeps: list[str] = []

    def another_after_three_sweeps(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "MIN(" in sql and len(sweeps) < 3:
            sweeps.append(sql)
            if len(sweeps) == 3:
                AccountHealth.objects.update(next_check_at=timezone.now())
        return execute(sql, params, many, context)

    with connection.execute_wrapper(another_after_three_sweeps):
        output = run("--watch", "1", errors=errors)

    assert errors.getvalue().splitlines() == ['The account "Scripted" is stopped: The key was refused.']
    assert (
        output.splitlines()[-1] == "Ended by a signal after 4 sweeps. 3 attempts: 2 done, 1 waiting for their account."
    )
