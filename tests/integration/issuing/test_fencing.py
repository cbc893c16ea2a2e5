"""What a worker may write: nothing once another one has its delivery, nothing old, and nothing with the feature off."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from badges.data import Award, Exchange, IssuedBadge
from badges.exceptions import ForbiddenMove, ProviderAuthError, ProviderUnavailable
from badges.issuing import awards, tasks
from badges.issuing.deliveries import run_due
from badges.issuing.sweep import sweep
from badges.models import Badge, Delivery, DeliveryAttempt
from badges.providers import traffic
from tests.factories import BadgeFactory, DeliveryFactory, UserFactory, moment
from tests.integration.issuing.helpers import issue_of, make_due
from tests.integration.issuing.scripted import ScriptedProvider, killed

pytestmark = pytest.mark.django_db
Action, Status = Delivery.Action, Delivery.Status


def overtaken(badge: Badge, provider: type[ScriptedProvider], then: Callable[[], None]) -> Callable[[Award], None]:
    """Something to do during a call: the lease ends, another worker begins and is still at it; then goes on."""

    def act(award: Award) -> None:
        make_due(issue_of(badge))
        provider.script.append(killed)
        with pytest.raises(SystemExit):
            run_due(badge.pk)
        then()

    return act


def fails() -> None:
    raise ProviderUnavailable("Too late.")


def succeeds() -> None:
    pass


@pytest.fixture(params=[fails, succeeds], ids=["fails", "succeeds"])
def slow_worker(badge: Badge, provider: type[ScriptedProvider], request: pytest.FixtureRequest) -> list[str]:
    """What came of the worker that was overtaken."""
    provider.script.append(overtaken(badge, provider, request.param))
    return [attempt.outcome for attempt in run_due(badge.pk) if attempt.action == Action.ISSUE]


def test_a_worker_whose_delivery_another_one_has_says_that_it_lost_it(slow_worker: list[str]) -> None:
    assert slow_worker == ["lost"]


def test_a_worker_whose_delivery_another_one_has_leaves_the_delivery_to_it(
    slow_worker: list[str], badge: Badge
) -> None:
    delivery = issue_of(badge)

    assert (delivery.status, delivery.attempts, delivery.failures) == (Status.IN_PROGRESS, 2, 0)
    assert delivery.leased_until is not None
    assert delivery.last_error == ""


def test_a_worker_whose_delivery_another_one_has_writes_no_attempt(slow_worker: list[str], badge: Badge) -> None:
    assert not issue_of(badge).history.exists()


def test_a_worker_whose_delivery_another_one_has_does_not_touch_the_badge(slow_worker: list[str], badge: Badge) -> None:
    as_before = Badge.objects.get(pk=badge.pk)

    assert (as_before.external_id, as_before.state, as_before.url) == ("", "", "")
    assert as_before.modified == badge.modified


def test_the_identifier_that_the_faster_worker_wrote_is_not_replaced(
    badge: Badge, provider: type[ScriptedProvider], monkeypatch: pytest.MonkeyPatch
) -> None:
    identifiers = iter(["ext-of-the-fast", "ext-of-the-slow"])

    def issue(self: ScriptedProvider, award: Award) -> IssuedBadge:
        self._play("issue", award)
        return IssuedBadge(next(identifiers), "pending")

    def slow(award: Award) -> None:
        make_due(issue_of(badge))
        run_due(badge.pk)

    monkeypatch.setattr(provider, "issue", issue)
    provider.script.append(slow)

    run_due(badge.pk)

    badge.refresh_from_db()
    assert badge.external_id == "ext-of-the-fast"
    assert issue_of(badge).history.get().number == 2


@pytest.fixture(params=["revoked", "rejected", "expired"])
def ended(badge: Badge, provider: type[ScriptedProvider], request: pytest.FixtureRequest) -> Badge:
    """A badge whose first attempt failed, and that the provider holds as one that is not valid any more."""
    provider.script.append(ProviderUnavailable("Down."))
    run_due(badge.pk)
    make_due(issue_of(badge))
    provider.held[badge.uuid] = IssuedBadge("ext-ended", request.param, is_valid=False)
    return badge


def test_an_invalid_badge_that_is_found_before_a_retry_does_not_stand_for_the_issue(
    ended: Badge, provider: type[ScriptedProvider]
) -> None:
    run_due(ended.pk)

    ended.refresh_from_db()
    assert provider.calls[:3] == ["issue", "find", "issue"]
    assert (issue_of(ended).status, ended.external_id) == (Status.DEAD, "")


def test_a_provider_that_issues_anew_after_an_invalid_badge_gives_the_new_one(
    ended: Badge, provider: type[ScriptedProvider], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider, "issue", lambda self, award: IssuedBadge("ext-new", "pending"))

    run_due(ended.pk)

    ended.refresh_from_db()
    assert (issue_of(ended).status, ended.external_id, ended.state) == (Status.DONE, "ext-new", "pending")


def test_an_issue_that_is_answered_by_an_invalid_badge_is_not_done(
    badge: Badge, provider: type[ScriptedProvider], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider, "issue", lambda self, award: IssuedBadge("ext", "rejected", is_valid=False))

    run_due(badge.pk)

    badge.refresh_from_db()
    assert (issue_of(badge).status, badge.external_id) == (Status.DEAD, "")


def test_what_is_done_counts_no_failures_any_more(badge: Badge, provider: type[ScriptedProvider]) -> None:
    provider.script.append(ProviderUnavailable("Down."))
    run_due(badge.pk)
    assert issue_of(badge).give_up_at is not None
    make_due(issue_of(badge))

    run_due(badge.pk)

    delivery = issue_of(badge)
    assert (delivery.status, delivery.failures, delivery.give_up_at) == (Status.DONE, 0, None)


@pytest.mark.parametrize("failures", [0, 1, 3])
def test_no_delivery_is_given_up_before_its_fifth_failure_however_late(
    badge: Badge, provider: type[ScriptedProvider], failures: int
) -> None:
    long_ago = timezone.now() - timedelta(days=30)
    Delivery.objects.filter(badge=badge).update(failures=failures, give_up_at=long_ago)
    provider.script.append(ProviderUnavailable("Down."))

    run_due(badge.pk)

    assert (issue_of(badge).status, issue_of(badge).failures) == (Status.PENDING, failures + 1)


def unstorable(award: Award) -> None:
    """A plug-in tells of a call in a way that no JSON can hold."""
    answered: Any = b"\xff"
    traffic.after(Exchange("issuing", "POST", "badges", "", 201, answered, 3, changes=True))


@pytest.mark.parametrize("trouble", [None, ProviderUnavailable("Down.")])
def test_an_attempt_whose_exchanges_cannot_be_stored_is_written_without_them(
    badge: Badge, provider: type[ScriptedProvider], trouble: Exception | None
) -> None:
    def act(award: Award) -> None:
        unstorable(award)
        if trouble is not None:
            raise trouble

    provider.script.append(act)

    run_due(badge.pk)

    attempt = issue_of(badge).history.get()
    assert (attempt.number, attempt.outcome, attempt.exchanges) == (1, DeliveryAttempt.Outcome.RETRY, [])


def test_a_badge_whose_attempt_could_not_be_stored_is_found_at_the_provider(
    badge: Badge, provider: type[ScriptedProvider]
) -> None:
    provider.script.append(unstorable)
    run_due(badge.pk)
    make_due(issue_of(badge))

    run_due(badge.pk)

    badge.refresh_from_db()
    assert (badge.external_id, len(provider.held)) == ("ext-1", 1)


def test_a_delivery_that_was_just_created_does_not_change_its_status_by_save() -> None:
    delivery = Delivery.objects.create(badge=BadgeFactory(), action=Action.ISSUE)
    delivery.status = Status.IN_PROGRESS

    with pytest.raises(ForbiddenMove):
        delivery.save()


def test_a_delivery_that_was_read_does_not_change_its_status_by_save() -> None:
    delivery = Delivery.objects.get(pk=DeliveryFactory().pk)
    delivery.status = Status.CANCELLED

    with pytest.raises(ForbiddenMove):
        delivery.save(update_fields=["status"])


def test_a_delivery_that_was_read_without_its_status_does_not_change_it_by_save() -> None:
    delivery = Delivery.objects.only("note").get(pk=DeliveryFactory().pk)
    delivery.status = Status.CANCELLED

    with pytest.raises(ForbiddenMove):
        delivery.save()


def test_a_delivery_that_was_created_in_bulk_does_not_change_its_status_by_save() -> None:
    if not connection.features.can_return_rows_from_bulk_insert:
        pytest.skip("MySQL does not tell which row was made.")
    [delivery] = Delivery.objects.bulk_create([Delivery(badge=BadgeFactory(), action=Action.ISSUE)])
    delivery.status = Status.CANCELLED

    with pytest.raises(ForbiddenMove):
        delivery.save()


def test_a_delivery_that_was_read_in_part_is_saved_in_part() -> None:
    delivery = Delivery.objects.only("note").get(pk=DeliveryFactory(last_error="Down.").pk)
    Delivery.objects.filter(pk=delivery.pk).move(Status.CANCELLED)
    delivery.note = "Seen."

    delivery.save()

    stored = Delivery.objects.get(pk=delivery.pk)
    assert (stored.status, stored.note, stored.last_error) == (Status.CANCELLED, "Seen.", "Down.")


@pytest.mark.parametrize("is_read", [False, True])
def test_a_delivery_that_is_saved_late_does_not_bring_an_old_status_back(is_read: bool) -> None:
    stale: Delivery = DeliveryFactory()
    if is_read:
        stale = Delivery.objects.get(pk=stale.pk)
    Delivery.objects.filter(pk=stale.pk).move(Status.CANCELLED)

    stale.note = "Late."
    stale.finished_at = timezone.now()
    stale.save()

    stored = Delivery.objects.get(pk=stale.pk)
    assert (stored.status, stored.note) == (Status.CANCELLED, "Late.")


def test_a_task_that_was_queued_before_the_feature_was_turned_off_does_nothing(
    badge: Badge, provider: type[ScriptedProvider], settings: Any
) -> None:
    settings.BADGES_ENABLED = False

    tasks.enqueue(badge.pk)

    assert set(badge.deliveries.values_list("status", "attempts")) == {(Status.PENDING, 0)}
    assert provider.calls == []


def waiting_for_a_stopped_account(badge: Badge, number: int) -> None:
    """So many badges that are announced, and wait for their account."""
    for _ in range(number):
        awards.award(UserFactory(), {badge.template.pk: moment(5)})
    sweep()


def queries_of_a_sweep() -> int:
    with CaptureQueriesContext(connection) as queries:
        sweep()
    return len(queries)


def test_a_sweep_asks_no_more_of_the_database_however_many_badges_wait_for_a_stopped_account(
    badge: Badge, provider: type[ScriptedProvider]
) -> None:
    provider.script.append(ProviderAuthError("Refused.", status_code=401))
    run_due(badge.pk)
    before = queries_of_a_sweep()

    waiting_for_a_stopped_account(badge, 15)

    assert queries_of_a_sweep() == before


def test_a_sweep_that_sees_an_account_stop_asks_nothing_for_the_badges_that_then_wait(
    badge: Badge, provider: type[ScriptedProvider]
) -> None:
    for _ in range(12):
        awards.award(UserFactory(), {badge.template.pk: moment(5)})
    Delivery.objects.filter(action=Action.ANNOUNCE_AWARDED).move(Status.CANCELLED)
    provider.script.append(ProviderAuthError("Refused.", status_code=401))
    seen: list[int] = []

    with CaptureQueriesContext(connection) as queries:
        sweep(on_badge=lambda number, total, attempts: seen.append(len(queries)))

    assert len(seen) == 13
    assert seen[0] == seen[-1]


def test_a_limit_is_not_filled_by_badges_whose_first_delivery_has_to_wait(
    badge: Badge, provider: type[ScriptedProvider]
) -> None:
    long_ago, later = timezone.now() - timedelta(hours=1), timezone.now() + timedelta(hours=1)
    for held_up in BadgeFactory.create_batch(3, template=badge.template):
        DeliveryFactory(badge=held_up, action=Action.ISSUE, attempts=1, next_attempt_at=later)
        DeliveryFactory(badge=held_up, action=Action.REVOKE, next_attempt_at=long_ago)

    sweep(limit=1)

    assert issue_of(badge).status == Status.DONE


def test_a_limit_is_not_filled_by_badges_whose_first_delivery_a_worker_has(
    badge: Badge, provider: type[ScriptedProvider]
) -> None:
    long_ago = timezone.now() - timedelta(hours=1)
    for held_up in BadgeFactory.create_batch(3, template=badge.template):
        ends, token = timezone.now() + timedelta(minutes=5), uuid.uuid4()
        DeliveryFactory(badge=held_up, status=Status.IN_PROGRESS, leased_until=ends, lease_token=token)
        DeliveryFactory(badge=held_up, action=Action.REVOKE, next_attempt_at=long_ago)

    sweep(limit=1)

    assert issue_of(badge).status == Status.DONE


def test_a_limit_is_not_filled_by_badges_that_wait_for_a_stopped_account(
    badge: Badge, provider: type[ScriptedProvider]
) -> None:
    provider.script.append(ProviderAuthError("Refused.", status_code=401))
    run_due(badge.pk)
    waiting_for_a_stopped_account(badge, 3)
    announced = BadgeFactory()
    DeliveryFactory(badge=announced, action=Action.ANNOUNCE_AWARDED)

    sweep(limit=1)

    assert announced.deliveries.get().status == Status.DONE
