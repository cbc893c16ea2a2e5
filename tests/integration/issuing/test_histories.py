"""Whatever happens to the deliveries of a badge, and in whatever order: in the end here and there agree."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from hypothesis.strategies import sampled_from

from badges.exceptions import (
    AccountUnusable,
    CeilingReached,
    ProviderAuthError,
    ProviderRateLimited,
    ProviderRejected,
    ProviderUnavailable,
    UnexpectedAnswer,
)
from badges.issuing import awards
from badges.issuing.account_checks import check
from badges.issuing.deliveries import retry_now, run_due
from badges.models import MOVES, Badge, Delivery, ProviderAccount
from tests.factories import UserFactory, moment
from tests.integration.issuing.helpers import let_the_rest_end, make_due
from tests.integration.issuing.scripted import ScriptedProvider, killed, scripted_template

pytestmark = pytest.mark.django_db

ALLOWED = {
    ("pending", "in_progress"),
    ("pending", "pending"),
    ("pending", "cancelled"),
    ("pending", "done"),
    ("in_progress", "in_progress"),
    ("in_progress", "pending"),
    ("in_progress", "done"),
    ("in_progress", "dead"),
    ("in_progress", "cancelled"),
    ("dead", "pending"),
    ("dead", "cancelled"),
    ("dead", "done"),
    ("done", "pending"),
}
FAILURES: dict[str, Callable[[], Exception]] = {
    "unreachable": lambda: ProviderUnavailable("Down."),
    "nonsense": lambda: UnexpectedAnswer("What?", outcome_unknown=True),
    "rate limit": lambda: ProviderRateLimited("Slow down."),
    "our ceiling": lambda: CeilingReached("Wait.", retry_after=5.0),
    "key refused": lambda: ProviderAuthError("The key was refused."),
    "key missing": lambda: AccountUnusable("There is no key."),
    "refused for good": lambda: ProviderRejected("No."),
    "bug": lambda: KeyError("x"),
}


class Moves:
    """Every change of a delivery's status, as the database sees it: statement by statement."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, str]] = set()
        self._looks = False

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if self._looks or not sql.startswith("UPDATE") or "badging_delivery" not in sql.split("SET", maxsplit=1)[0]:
            return execute(sql, params, many, context)
        before = self._statuses()
        result = execute(sql, params, many, context)
        after = self._statuses()
        self.seen |= {(before[pk], status) for pk, status in after.items() if pk in before and before[pk] != status}
        return result

    def _statuses(self) -> dict[int, str]:
        self._looks = True
        try:
            return dict(Delivery.objects.values_list("pk", "status"))
        finally:
            self._looks = False


class Deliveries(RuleBasedStateMachine):
    """One learner's badge: workers, failures, deaths, people and time, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = contextlib.ExitStack()
        self.finished: dict[int, str] = {}
        self.moves = Moves()

    @initialize()
    def award(self) -> None:
        """Each example of hypothesis begins with the same database."""
        ScriptedProvider.reset()
        self.stack.enter_context(rolled_back())
        self.stack.enter_context(connection.execute_wrapper(self.moves))
        self.template = scripted_template()
        [badge] = awards.award(UserFactory(), {self.template.pk: moment(5)})
        self.badge_id = badge.pk

    def teardown(self) -> None:
        try:
            if hasattr(self, "badge_id"):
                self.heal_and_compare()
        finally:
            self.stack.close()

    @rule(failure=sampled_from(sorted(FAILURES)))
    def the_next_call_fails(self, failure: str) -> None:
        ScriptedProvider.script.append(FAILURES[failure]())

    @rule()
    def the_next_worker_is_killed(self) -> None:
        ScriptedProvider.script.append(killed)

    @rule()
    def the_next_answer_is_lost(self) -> None:
        ScriptedProvider.lose_answers.append(ProviderUnavailable("Lost.", outcome_unknown=True))

    @rule()
    def a_worker_comes(self) -> None:
        with contextlib.suppress(SystemExit):
            run_due(self.badge_id)

    @rule()
    def time_passes(self) -> None:
        let_the_rest_end()
        for delivery in self.deliveries():
            make_due(delivery)

    @precondition(lambda self: Badge.objects.get(pk=self.badge_id).is_awarded)
    @rule()
    def the_badge_is_revoked(self) -> None:
        with transaction.atomic():
            awards.revoke([Badge.objects.select_for_update().get(pk=self.badge_id)], moment(9))

    @rule()
    def somebody_retries(self) -> None:
        for delivery in self.deliveries():
            retry_now(delivery)

    @rule()
    def the_key_works_again(self) -> None:
        check(ProviderAccount.objects.get(templates=self.template))

    @invariant()
    def a_finished_delivery_stays_finished(self) -> None:
        if hasattr(self, "badge_id"):
            now = {delivery.pk: delivery.status for delivery in self.deliveries()}
            assert all(now[pk] == status for pk, status in self.finished.items())
            self.finished = {pk: status for pk, status in now.items() if status in ("done", "cancelled")}

    @invariant()
    def only_allowed_moves_were_made(self) -> None:
        assert self.moves.seen <= ALLOWED

    @invariant()
    def an_attempt_is_a_row_unless_its_worker_died(self) -> None:
        if hasattr(self, "badge_id"):
            for delivery in self.deliveries():
                assert delivery.history.count() <= delivery.attempts

    @invariant()
    def a_stopped_account_burns_nothing(self) -> None:
        if hasattr(self, "badge_id"):
            waiting = Delivery.objects.filter(history__outcome="wait").exclude(history__outcome__in=("retry", "dead"))
            assert not waiting.filter(failures__gt=0).exists()

    def deliveries(self) -> list[Delivery]:
        """All of them, in order."""
        return list(Delivery.objects.filter(badge_id=self.badge_id).order_by("pk"))

    def heal_and_compare(self) -> None:
        """The provider is well again, and an operator retries what was given up."""
        ScriptedProvider.script.clear()
        ScriptedProvider.lose_answers.clear()
        for _ in range(4):
            self.the_key_works_again()
            self.somebody_retries()
            self.time_passes()
            self.a_worker_comes()
        badge = Badge.objects.get(pk=self.badge_id)
        held = ScriptedProvider.held.get(badge.uuid)
        assert not Delivery.objects.filter(status__in=(*Delivery.OPEN, Delivery.Status.DEAD)).exists()
        assert (held is not None and held.is_valid) == badge.is_awarded
        if held is not None:
            assert (badge.external_id, badge.state) == (held.external_id, held.state)


@contextlib.contextmanager
def rolled_back() -> Iterator[None]:
    """What happens within leaves nothing."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def test_in_the_end_here_and_there_agree(provider: type[ScriptedProvider]) -> None:
    run_state_machine_as_test(
        Deliveries,
        settings=settings(
            max_examples=60,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
        ),
    )


def test_the_table_of_moves_is_the_one_that_was_decided() -> None:
    assert {(source, target) for source, targets in MOVES.items() for target in targets} == ALLOWED
