"""Callbacks are written with what causes them, and reach each endpoint in order."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from badges.exceptions import CallbackRefused, NotDelivered
from badges.issuing import actions, awards
from badges.issuing.actions import Done
from badges.issuing.callback_lanes import Subject, due_subjects
from badges.issuing.deliveries import run_callbacks, run_due
from badges.issuing.sweep import sweep
from badges.issuing.tasks import deliver_badges
from badges.models import Badge, BadgeTemplate, Callback, CallbackEndpoint, Delivery
from tests.factories import UserFactory, moment
from tests.integration.issuing.helpers import make_due
from tests.integration.issuing.scripted import ScriptedProvider

pytestmark = pytest.mark.django_db
Action, Status = Delivery.Action, Delivery.Status


@pytest.fixture(autouse=True)
def sent(provider: type[ScriptedProvider], monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What was sent: the endpoint's name and the action. An endpoint named "bad" refuses, one named "away" is away."""
    # After the settings are changed, because that registers the handlers anew.
    told: list[tuple[str, str]] = []

    def handle(delivery: Delivery) -> Done:
        callback = delivery.callback
        assert callback is not None
        told.append((callback.endpoint.name, callback.action))
        if callback.endpoint.name == "away":
            raise NotDelivered("It is away.")
        if callback.endpoint.name == "bad":
            raise CallbackRefused("It refused.")
        return Done("Sent.")

    monkeypatch.setitem(actions._handlers, Action.CALLBACK.value, handle)
    return told


def endpoint(name: str = "one", **values: Any) -> CallbackEndpoint:
    """An endpoint that wants to know everything."""
    return CallbackEndpoint.objects.create(name=name, url="https://receiver.example.com/", **values)


def callbacks_of(badge: Badge) -> list[tuple[str, str, str]]:
    """The endpoint, the action and the status of each callback about a badge, in their order."""
    rows = Delivery.objects.filter(callback__badge=badge).order_by("pk")
    return list(rows.values_list("callback__endpoint__name", "callback__action", "status"))


def awarded(template: BadgeTemplate) -> Badge:
    """A badge that is awarded now."""
    return awards.award(UserFactory(), {template.pk: moment(5)})[0]


def test_an_award_is_told_to_each_endpoint_that_wants_to_know(template: BadgeTemplate) -> None:
    endpoint("one")
    endpoint("two")
    endpoint("without awards", sends_awards=False)
    endpoint("off", is_active=False)

    badge = awarded(template)

    assert callbacks_of(badge) == [("one", "award", "pending"), ("two", "award", "pending")]


def test_without_an_endpoint_nothing_is_written(template: BadgeTemplate) -> None:
    assert callbacks_of(awarded(template)) == []


def test_a_revocation_follows_the_award_in_its_order(template: BadgeTemplate, sent: list[tuple[str, str]]) -> None:
    endpoint()
    badge = awarded(template)
    with transaction.atomic():
        awards.revoke([badge], timezone.now())

    run_callbacks(Subject(badge_id=badge.pk))

    assert sent == [("one", "award"), ("one", "revoke")]


def test_a_revocation_waits_for_an_award_that_could_not_be_told(
    template: BadgeTemplate, sent: list[tuple[str, str]]
) -> None:
    endpoint("away")
    badge = awarded(template)
    with transaction.atomic():
        awards.revoke([badge], timezone.now())

    run_callbacks(Subject(badge_id=badge.pk))
    run_callbacks(Subject(badge_id=badge.pk))

    assert sent == [("away", "award")]
    assert due_subjects() == []


def test_a_revocation_follows_an_award_that_was_refused(template: BadgeTemplate, sent: list[tuple[str, str]]) -> None:
    endpoint("bad")
    badge = awarded(template)
    with transaction.atomic():
        awards.revoke([badge], timezone.now())

    run_callbacks(Subject(badge_id=badge.pk))

    assert callbacks_of(badge) == [("bad", "award", "dead"), ("bad", "revoke", "dead")]


def test_one_endpoint_does_not_wait_for_another(template: BadgeTemplate, sent: list[tuple[str, str]]) -> None:
    endpoint("away")
    endpoint("one")

    run_callbacks(Subject(badge_id=awarded(template).pk))

    assert sent == [("away", "award"), ("one", "award")]


def test_an_endpoint_that_rests_is_not_asked(template: BadgeTemplate, sent: list[tuple[str, str]]) -> None:
    endpoint(paused_until=timezone.now() + timedelta(minutes=1))
    badge = awarded(template)

    run_callbacks(Subject(badge_id=badge.pk))

    assert sent == []
    assert due_subjects() == []


def test_one_that_failed_is_sent_again_by_a_sweep(template: BadgeTemplate, sent: list[tuple[str, str]]) -> None:
    away = endpoint("away")
    badge = awarded(template)
    run_callbacks(Subject(badge_id=badge.pk))
    CallbackEndpoint.objects.filter(pk=away.pk).update(name="one")
    make_due(Delivery.objects.get(callback__badge=badge))

    report = sweep()

    assert sent == [("away", "award"), ("one", "award")]
    assert report.broken == []
    assert callbacks_of(badge) == [("one", "award", "done")]


def test_badges_without_end_do_not_keep_callbacks_waiting(template: BadgeTemplate, sent: list[tuple[str, str]]) -> None:
    endpoint()
    for _ in range(3):
        awarded(template)

    sweep(limit=2)

    assert sent == [("one", "award")]


def test_the_task_of_a_badge_sends_its_callbacks(template: BadgeTemplate, sent: list[tuple[str, str]]) -> None:
    endpoint()
    badge = awarded(template)

    deliver_badges.call([badge.pk])

    assert sent == [("one", "award")]


def test_a_callback_that_fails_holds_up_neither_signal_nor_provider(template: BadgeTemplate) -> None:
    endpoint("away")
    badge = awarded(template)
    run_callbacks(Subject(badge_id=badge.pk))

    run_due(badge.pk)

    assert set(badge.deliveries.values_list("status", flat=True)) == {Status.DONE}


def test_a_delivery_is_about_a_badge_or_a_callback_and_not_both(template: BadgeTemplate) -> None:
    endpoint()
    badge = awarded(template)
    with pytest.raises(IntegrityError), transaction.atomic():
        Delivery.objects.filter(callback__badge=badge).update(badge=badge)


def test_an_award_is_told_to_an_endpoint_once(template: BadgeTemplate) -> None:
    one = endpoint()
    badge = awarded(template)
    with pytest.raises(IntegrityError), transaction.atomic():
        Callback.objects.create(endpoint=one, badge=badge, action=Callback.Action.AWARD)
