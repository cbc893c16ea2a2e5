"""Deliveries: attempted under a lease, settled once, never lost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import DataError
from django.utils import timezone

from badges.data import Award, IssuedBadge
from badges.exceptions import (
    ProviderError,
    ProviderRateLimited,
    ProviderRejected,
    ProviderUnavailable,
    UnexpectedAnswer,
)
from badges.issuing import awards
from badges.issuing.deliveries import retry_now, run_due
from badges.issuing.sweep import sweep
from badges.models import Badge, Delivery, DeliveryAttempt, ProviderAccount
from tests.factories import UserFactory, moment
from tests.integration.issuing.helpers import issue_of, make_due
from tests.integration.issuing.scripted import ScriptedProvider

pytestmark = pytest.mark.django_db
Status = Delivery.Status


def test_a_failure_leaves_the_award_and_waits_with_its_error(badge: Badge, provider: type[ScriptedProvider]) -> None:
    provider.script.append(ProviderUnavailable("Credly answered 503.", status_code=503))

    run_due(badge.pk)

    badge.refresh_from_db()
    delivery = issue_of(badge)
    assert badge.is_awarded
    assert (delivery.status, delivery.attempts, delivery.last_error) == (Status.PENDING, 1, "Credly answered 503.")
    assert delivery.next_attempt_at > timezone.now()
    attempt = delivery.history.get()
    assert (attempt.number, attempt.outcome, attempt.status_code) == (1, DeliveryAttempt.Outcome.RETRY, 503)


def test_what_waits_is_not_attempted_before_its_time(badge: Badge, provider: type[ScriptedProvider]) -> None:
    provider.script.append(ProviderUnavailable("Down."))
    run_due(badge.pk)

    assert run_due(badge.pk) == []
    assert provider.calls == ["issue"]


def test_a_refusal_for_good_ends_dead_with_the_providers_words(badge: Badge, provider: type[ScriptedProvider]) -> None:
    provider.script.append(ProviderRejected("Credly: Invalid Badge Template ID.", status_code=422))

    run_due(badge.pk)

    delivery = issue_of(badge)
    assert (delivery.status, delivery.last_error) == (Status.DEAD, "Credly: Invalid Badge Template ID.")
    assert delivery.finished_at is not None


def test_a_dead_delivery_can_be_retried(badge: Badge, provider: type[ScriptedProvider]) -> None:
    provider.script.append(ProviderRejected("No."))
    run_due(badge.pk)

    assert retry_now(issue_of(badge))
    run_due(badge.pk)

    assert issue_of(badge).status == Status.DONE


def test_a_finished_delivery_is_not_retried(badge: Badge) -> None:
    run_due(badge.pk)

    assert not retry_now(issue_of(badge))


@pytest.mark.parametrize("external_id", ["", "9" * 300, "nul\x00byte"])
def test_an_identifier_that_cannot_be_stored_waits_and_does_not_hold_up_the_others(
    badge: Badge, provider: type[ScriptedProvider], external_id: str
) -> None:
    provider.held[badge.uuid] = IssuedBadge(external_id, "accepted")
    [other] = awards.award(UserFactory(), {badge.template.pk: moment(5)})

    sweep()

    other.refresh_from_db()
    assert other.external_id != ""
    assert issue_of(badge).status == Status.PENDING
    assert "identifier that is empty, too long or unreadable" in issue_of(badge).last_error


def test_what_a_provider_answers_too_long_is_cut_to_what_fits(badge: Badge, provider: type[ScriptedProvider]) -> None:
    provider.held[badge.uuid] = IssuedBadge("ext", "x" * 60, f"https://provider.example.com/{'x' * 1000}")

    run_due(badge.pk)

    badge.refresh_from_db()
    assert (badge.external_id, badge.state, badge.url) == ("ext", "x" * 50, "")


def test_an_attempt_that_cannot_be_written_down_fails_like_any_other(
    badge: Badge, provider: type[ScriptedProvider], monkeypatch: pytest.MonkeyPatch
) -> None:
    create, failures = DeliveryAttempt.objects.create, [DataError("value too long")]

    def fail_once(**values: Any) -> DeliveryAttempt:
        if values["delivery"].action == Delivery.Action.ISSUE and failures:
            raise failures.pop()
        return create(**values)

    monkeypatch.setattr(DeliveryAttempt.objects, "create", fail_once)

    run_due(badge.pk)

    assert issue_of(badge).status == Status.PENDING
    assert issue_of(badge).last_error.startswith("DataError at ")


def test_a_delivery_is_given_up_after_it_has_failed_for_the_configured_time(
    badge: Badge, provider: type[ScriptedProvider]
) -> None:
    provider.script.extend([ProviderUnavailable("Down."), ProviderUnavailable("Still down.")])
    run_due(badge.pk)
    Delivery.objects.filter(badge=badge, failures=1).update(give_up_at=timezone.now(), failures=4)
    make_due(issue_of(badge))

    run_due(badge.pk)

    delivery = issue_of(badge)
    assert (delivery.status, delivery.last_error) == (Status.DEAD, "Still down.")
    assert "longer than deliveries are tried" in delivery.history.get(number=2).reason


def test_waiting_alone_gives_no_delivery_up(badge: Badge, provider: type[ScriptedProvider]) -> None:
    Delivery.objects.filter(badge=badge).update(created=timezone.now() - timedelta(days=30))
    provider.script.append(ProviderUnavailable("Down."))

    run_due(badge.pk)

    assert issue_of(badge).status == Status.PENDING


@pytest.mark.parametrize(
    ("error", "at_least"),
    [
        (ProviderRateLimited("Slow down."), 60),
        (ProviderRateLimited("Slow down.", retry_after=120), 120),
        (UnexpectedAnswer("Not JSON: <html>"), 30),
    ],
)
def test_how_long_a_delivery_waits_depends_on_the_error(
    badge: Badge, provider: type[ScriptedProvider], error: ProviderError, at_least: int
) -> None:
    provider.script.append(error)

    run_due(badge.pk)

    assert issue_of(badge).next_attempt_at >= timezone.now() + timedelta(seconds=at_least - 5)


def test_an_error_of_our_own_waits_too_and_tells_no_secret(badge: Badge, provider: type[ScriptedProvider]) -> None:
    provider.script.append(KeyError("anna@example.com very-secret-key"))

    run_due(badge.pk)

    delivery = issue_of(badge)
    assert delivery.status == Status.PENDING
    assert delivery.last_error.startswith("KeyError at ")
    assert "anna" not in delivery.last_error
    assert "secret" not in delivery.last_error


def test_an_account_without_a_key_waits_and_says_so(badge: Badge) -> None:
    ProviderAccount.objects.update(api_key="")

    run_due(badge.pk)

    delivery = issue_of(badge)
    assert delivery.status == Status.PENDING
    assert "has no API key" in delivery.last_error


def test_a_learner_without_an_email_ends_dead_with_what_to_do(badge: Badge, provider: type[ScriptedProvider]) -> None:
    badge.user.email = ""
    badge.user.save()

    run_due(badge.pk)

    assert issue_of(badge).status == Status.DEAD
    assert "has no e-mail address" in issue_of(badge).last_error
    assert provider.calls == []


def test_a_delivery_under_lease_is_left_to_its_worker(badge: Badge, provider: type[ScriptedProvider]) -> None:
    others: list[object] = []
    provider.script.append(lambda award: others.extend(run_due(badge.pk)))

    run_due(badge.pk)

    assert others == []
    assert provider.calls == ["issue"]


def test_a_worker_that_lost_its_lease_changes_nothing(badge: Badge, provider: type[ScriptedProvider]) -> None:
    def slow(award: Award) -> None:
        make_due(issue_of(badge))
        run_due(badge.pk)
        Badge.objects.update(state="accepted")
        raise ProviderUnavailable("Too late.")

    provider.script.append(slow)

    outcomes = [attempt.outcome for attempt in run_due(badge.pk)]

    badge.refresh_from_db()
    assert outcomes == ["done", "lost"]
    assert (badge.state, issue_of(badge).status, issue_of(badge).last_error) == ("accepted", Status.DONE, "")
