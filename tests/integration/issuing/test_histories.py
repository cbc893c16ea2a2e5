"""Whatever happens to the deliveries of a badge, and in whatever order: in the end here and there agree."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from django.db import transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from badges.data import Award
from badges.exceptions import ProviderAuthError, ProviderRateLimited, ProviderRejected, ProviderUnavailable
from badges.issuing import awards
from badges.issuing.deliveries import retry_now, run_due
from badges.models import Badge, BadgeTemplate, Delivery
from tests.factories import UserFactory, moment
from tests.integration.issuing.helpers import make_due
from tests.integration.issuing.scripted import ScriptedProvider

pytestmark = pytest.mark.django_db

FAILURES = {
    "unreachable": lambda: ProviderUnavailable("Down."),
    "rate limit": lambda: ProviderRateLimited("Slow down."),
    "key refused": lambda: ProviderAuthError("The key was refused."),
    "refused for good": lambda: ProviderRejected("No."),
    "bug": lambda: KeyError("x"),
}
STEPS = [*FAILURES, "killed before", "answer lost", "work", "time passes", "revoked", "retried by hand"]


def killed(award: Award) -> None:
    """The worker dies before the provider has done anything."""
    raise SystemExit


class History:
    """One badge, and what happens to it."""

    def __init__(self, badge: Badge) -> None:
        self.badge_id = badge.pk

    def take(self, step: str) -> None:
        """Let one thing happen."""
        if step in FAILURES:
            ScriptedProvider.script.append(FAILURES[step]())
        elif step == "killed before":
            ScriptedProvider.script.append(killed)
        elif step == "answer lost":
            ScriptedProvider.lose_answers.append(ProviderUnavailable("Lost.", outcome_unknown=True))
        elif step == "work":
            with contextlib.suppress(SystemExit):
                run_due(self.badge_id)
        elif step == "revoked":
            awards.revoke(Badge.objects.filter(pk=self.badge_id, status=Badge.Status.AWARDED), moment(9))
        else:
            for delivery in Delivery.objects.filter(badge_id=self.badge_id):
                (make_due if step == "time passes" else retry_now)(delivery)

    def heal(self) -> None:
        """The provider is well again, and an operator retries what was given up."""
        ScriptedProvider.script.clear()
        ScriptedProvider.lose_answers.clear()
        for _ in range(4):
            self.take("retried by hand")
            self.take("time passes")
            self.take("work")


@contextlib.contextmanager
def rolled_back() -> Iterator[None]:
    """Each example of hypothesis begins with the same database."""
    ScriptedProvider.reset()
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.sampled_from(STEPS), max_size=14))
@example(["answer lost", "work", "revoked", "time passes", "work"])
@example(["killed before", "work", "revoked", "time passes", "work"])
@example(["refused for good", "work", "revoked", "work", "retried by hand", "work"])
def test_in_the_end_here_and_there_agree(template: BadgeTemplate, steps: list[str]) -> None:
    with rolled_back():
        [badge] = awards.award(UserFactory(), {template.pk: moment(5)})
        history = History(badge)
        for step in steps:
            history.take(step)
        history.heal()

        badge.refresh_from_db()
        held = ScriptedProvider.held.get(badge.uuid)
        assert not Delivery.objects.filter(status__in=(*Delivery.OPEN, Delivery.Status.DEAD)).exists()
        assert (held is not None and held.is_valid) == badge.is_awarded
        if held is not None:
            assert (badge.external_id, badge.state) == (held.external_id, held.state)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.sampled_from(STEPS), max_size=14))
def test_each_attempt_is_a_row_and_no_finished_delivery_changes(template: BadgeTemplate, steps: list[str]) -> None:
    with rolled_back():
        [badge] = awards.award(UserFactory(), {template.pk: moment(5)})
        history = History(badge)
        finished: dict[int, str] = {}
        for step in steps:
            history.take(step)
            now = dict(Delivery.objects.values_list("pk", "status"))
            assert all(now[pk] == status for pk, status in finished.items())
            finished = {pk: status for pk, status in now.items() if status in ("done", "cancelled")}
        for delivery in Delivery.objects.exclude(status=Delivery.Status.IN_PROGRESS):
            assert delivery.history.count() <= delivery.attempts
