"""The receiver: connected to exactly the configured events, and losing none of them."""

from __future__ import annotations

import traceback
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import DatabaseError
from django.utils import timezone
from openedx_events.learning.signals import (
    CCX_COURSE_PASSING_STATUS_UPDATED,
    COURSE_ENROLLMENT_CREATED,
    COURSE_PASSING_STATUS_UPDATED,
)

from badges.eventbus.receivers import DISPATCH_UID, connect_configured, receive
from badges.exceptions import BadgesError, UnreadablePayload
from badges.models import Badge, BadgeProgress, DeadEvent
from badges.processing.dead_events import EventLost
from badges.processing.replaying import replay
from tests import factories
from tests.factories import PASSING, BadgeTemplateFactory
from tests.integration.processing.helpers import OTHER_COURSE, passes

pytestmark = pytest.mark.django_db
SIGNALS = (COURSE_PASSING_STATUS_UPDATED, CCX_COURSE_PASSING_STATUS_UPDATED, COURSE_ENROLLMENT_CREATED)


def connected() -> set[str]:
    """The event types that our receiver listens to."""
    return {
        signal.event_type
        for signal in SIGNALS
        if any(DISPATCH_UID in str(receiver[0]) for receiver in signal.receivers)
    }


def send(username: str = "anna", **kwargs: Any) -> None:
    """Send the signal, as the consumer does."""
    COURSE_PASSING_STATUS_UPDATED.send_event_with_custom_metadata(
        factories.metadata(**kwargs), course_passing_status=factories.passing_status(username)
    )


def test_the_receiver_is_connected_to_exactly_the_configured_events(settings: Any) -> None:
    settings.BADGES_CONFIG = {"events": [COURSE_ENROLLMENT_CREATED.event_type]}

    assert connected() == {COURSE_ENROLLMENT_CREATED.event_type}


def test_without_configuration_it_is_connected_to_the_default_events() -> None:
    assert connected() == {COURSE_PASSING_STATUS_UPDATED.event_type, CCX_COURSE_PASSING_STATUS_UPDATED.event_type}


def test_with_the_feature_off_nothing_is_connected(settings: Any) -> None:
    settings.BADGES_ENABLED = False

    assert connected() == set()


def test_an_unknown_event_type_does_not_keep_the_others_out(settings: Any) -> None:
    settings.BADGES_CONFIG = {"events": ["org.openedx.nonsense.v1", PASSING]}

    assert connected() == {PASSING}


def test_an_unusable_configuration_connects_nothing_and_says_why(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.BADGES_CONFIG = {"events": "not a list"}

    assert connected() == set()
    assert 'BADGES_CONFIG["events"] must be a list of strings.' in caplog.text


def test_connecting_twice_counts_once() -> None:
    connect_configured()
    connect_configured()
    passes(BadgeTemplateFactory())

    send()

    assert BadgeProgress.objects.count() == 1


def test_a_signal_leads_to_a_badge() -> None:
    passes(BadgeTemplateFactory())

    send()

    assert Badge.objects.get().user.username == "anna"


def test_an_event_that_cannot_be_read_is_parked_and_the_next_one_is_processed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    passes(BadgeTemplateFactory())

    send("x" * 200)
    send("anna")

    dead = DeadEvent.objects.get()
    assert "user record holds 150" in dead.error
    assert dead.payload["course_passing_status"]["user"]["pii"]["email"] == f"{'x' * 200}@example.com"
    assert "example.com" not in caplog.text
    assert Badge.objects.get().user.username == "anna"


def test_the_sender_of_a_signal_sees_no_error_of_ours(settings: Any) -> None:
    settings.DEBUG = True
    passes(BadgeTemplateFactory())

    send("x" * 200)

    assert DeadEvent.objects.exists()


def test_an_event_that_matters_to_nobody_is_not_kept_whatever_it_holds() -> None:
    passes(BadgeTemplateFactory(), OTHER_COURSE)

    send("x" * 200)

    assert not DeadEvent.objects.exists()


def test_an_event_that_is_parked_twice_is_one_dead_event() -> None:
    passes(BadgeTemplateFactory())
    metadata = factories.metadata()
    for _ in range(2):
        send("x" * 200, event_id=metadata.id)

    assert DeadEvent.objects.count() == 1


@pytest.mark.parametrize(("username", "stored"), [("nul\x00byte", "nul\ufffdbyte"), ("lone\ud800half", "lone?half")])
def test_what_a_database_cannot_store_is_replaced_in_the_parked_payload(username: str, stored: str) -> None:
    passes(BadgeTemplateFactory())

    send(username)

    assert DeadEvent.objects.get().payload["course_passing_status"]["user"]["pii"]["username"] == stored


def test_an_event_from_the_future_is_parked_instead_of_deciding_until_its_day_comes() -> None:
    passes(BadgeTemplateFactory())

    send("anna", at=datetime.now(UTC) + timedelta(days=2))

    assert "ahead of this machine" in DeadEvent.objects.get().error
    assert not BadgeProgress.objects.exists()


def test_a_clock_that_is_a_little_ahead_is_no_matter() -> None:
    passes(BadgeTemplateFactory())

    send("anna", at=datetime.now(UTC) + timedelta(minutes=5))

    assert Badge.objects.get().awarded_at <= timezone.now()


def test_an_event_that_can_neither_be_processed_nor_stored_tells_nothing_of_its_learner(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(**kwargs: Any) -> None:
        raise DatabaseError("Failing row contains (anna@example.com).")

    passes(BadgeTemplateFactory())
    monkeypatch.setattr(DeadEvent.objects, "create", refuse)
    data = factories.passing_status("x" * 200)

    with pytest.raises(EventLost) as lost:
        receive(COURSE_PASSING_STATUS_UPDATED, metadata=factories.metadata(), course_passing_status=data)

    told = "".join(traceback.format_exception(lost.value))
    assert "could be neither processed" in told
    assert "example.com" not in told


def test_a_parked_event_is_replayed_when_its_cause_is_mended() -> None:
    passes(BadgeTemplateFactory())
    send("x" * 200)
    dead = DeadEvent.objects.get()
    dead.payload["course_passing_status"]["user"]["pii"]["username"] = "anna"
    dead.save()

    outcome = replay(dead)

    dead.refresh_from_db()
    assert outcome.awarded
    assert dead.status == DeadEvent.Status.REPLAYED
    assert Badge.objects.get().user.username == "anna"


def test_replaying_twice_changes_nothing() -> None:
    passes(BadgeTemplateFactory())
    send("x" * 200)
    dead = DeadEvent.objects.get()
    dead.payload["course_passing_status"]["user"]["pii"]["username"] = "anna"
    dead.save()
    replay(dead)

    assert not replay(dead)
    assert Badge.objects.count() == 1


@pytest.mark.parametrize(
    "payload", [{}, [], {"course_passing_status": {"is_passing": "yes"}}, {"course_passing_status": 5}]
)
def test_a_replay_that_fails_keeps_the_event_with_its_new_error(payload: Any) -> None:
    dead = factories.DeadEventFactory(payload=payload, error="The old error.")

    with pytest.raises(BadgesError):
        replay(dead)

    dead.refresh_from_db()
    assert dead.status == DeadEvent.Status.WAITING
    assert dead.error != "The old error."


def test_a_replay_of_a_type_that_is_not_configured_keeps_the_event_and_says_why(settings: Any) -> None:
    passes(BadgeTemplateFactory())
    send("x" * 200)
    settings.BADGES_CONFIG = {"events": [COURSE_ENROLLMENT_CREATED.event_type]}
    dead = DeadEvent.objects.get()

    with pytest.raises(BadgesError, match="Add the type"):
        replay(dead)
    assert DeadEvent.objects.get().status == DeadEvent.Status.WAITING


def test_a_replay_of_an_unreadable_learner_fails_again() -> None:
    passes(BadgeTemplateFactory())
    send("x" * 200)

    with pytest.raises(UnreadablePayload, match="150"):
        replay(DeadEvent.objects.get())
    assert not get_user_model().objects.exists()
