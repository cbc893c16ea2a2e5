"""Dead events are processed again, once; or discarded, for a reason."""

from __future__ import annotations

import traceback
import uuid
from typing import Any

import pytest
from django.db import DatabaseError, OperationalError

from badges.exceptions import BadgesError, ConfigurationError, UnknownEventType, UnreadableMessage, UnreadablePayload
from badges.models import Badge, DeadEvent, Fulfillment
from badges.processing import messages
from badges.processing.dead_events import incoming, park, park_message, record_lost
from badges.processing.replaying import (
    Busy,
    NotPossible,
    alike,
    discard,
    discard_all,
    in_order,
    replay,
    replay_all,
    replayable,
)
from tests import factories
from tests.factories import PASSING, BadgeTemplateFactory, DeadEventFactory, moment
from tests.integration.bus_messages import fields, origin
from tests.integration.processing.helpers import passes

pytestmark = pytest.mark.django_db
Kind, Status = DeadEvent.Kind, DeadEvent.Status
ERROR = UnreadablePayload("It cannot be applied.")


def parked(username: str = "anna", *, at: float = 0, event_id: uuid.UUID | None = None) -> DeadEvent:
    """An event that failed, for a reason that is over."""
    metadata = factories.metadata(at=at, event_id=event_id)
    return park(incoming(metadata, {"course_passing_status": factories.passing_status(username)}), ERROR)


def unreadable(**values: Any) -> DeadEvent:
    """A message that could not be decoded by the openedx-events of then, and can be by that of now."""
    return park_message(fields(**values), origin(), UnreadableMessage("The body is no Avro."))


class TestAnEvent:
    def test_has_its_effect_with_its_own_id_and_time(self) -> None:
        passes(BadgeTemplateFactory())
        dead = parked(at=7)

        outcome = replay(dead)

        assert outcome.awarded == (Badge.objects.get().pk,)
        found = Fulfillment.objects.get()
        assert (found.event_id, found.event_time) == (dead.event_id, moment(7))
        assert dead.status == DeadEvent.objects.get().status == Status.REPLAYED

    def test_that_was_replayed_changes_nothing(self) -> None:
        template = BadgeTemplateFactory()
        passes(template)
        dead, read_before = parked(), DeadEvent.objects.get()
        replay(dead)
        Fulfillment.objects.all().delete()

        assert not replay(read_before)

        assert not Fulfillment.objects.exists()
        assert read_before.status == Status.REPLAYED

    def test_that_fails_again_waits_with_its_new_error(self) -> None:
        passes(BadgeTemplateFactory())
        dead = parked("x" * 200)

        with pytest.raises(UnreadablePayload, match="user record holds 150"):
            replay(dead)

        assert (dead.status, dead.kind, dead.attempts) == (Status.WAITING, Kind.FAILED, 2)
        assert "user record holds 150" in dead.error

    def test_that_breaks_something_tells_nothing_of_its_learner(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(event: Any) -> None:
            raise DatabaseError("Failing row contains (anna@example.com).")

        monkeypatch.setattr("badges.processing.replaying.process_event", fail)
        dead = parked()

        with pytest.raises(BadgesError, match="failed again: DatabaseError") as failed:
            replay(dead)

        assert "anna" not in "".join(traceback.format_exception(failed.value))
        assert dead.error.startswith("DatabaseError at badges/processing/replaying.py:")

    def test_is_not_blamed_for_a_busy_database(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def lose(event: Any) -> None:
            raise OperationalError(1213, "Deadlock found")

        monkeypatch.setattr("badges.processing.retries.PAUSE", 0.0)
        monkeypatch.setattr("badges.processing.replaying.process_event", lose)
        dead = parked()

        with pytest.raises(Busy, match="Nothing was changed"):
            replay(dead)

        assert (dead.status, dead.error, dead.attempts) == (Status.WAITING, str(ERROR), 1)

    def test_of_a_type_that_is_not_configured_waits(self, settings: Any) -> None:
        dead = parked()
        settings.BADGES_CONFIG = {"events": []}
        with pytest.raises(ConfigurationError, match="Add the type"):
            replay(dead)
        assert dead.status == Status.WAITING

    def test_that_is_gone_is_told(self) -> None:
        dead = parked()
        DeadEvent.objects.all().delete()
        with pytest.raises(NotPossible, match="no dead event"):
            replay(dead)

    def test_that_was_discarded_is_not_processed(self) -> None:
        passes(BadgeTemplateFactory())
        dead = parked()
        discard(dead, "A test of ours.")

        with pytest.raises(NotPossible, match=r"A test of ours\. .* put it back"):
            replay(dead)

        assert dead.status == Status.DISCARDED
        assert not Badge.objects.exists()


class TestAMessage:
    def test_is_decoded_again_and_becomes_its_event(self) -> None:
        passes(BadgeTemplateFactory())
        sent = uuid.uuid4()
        dead = unreadable(event_id=sent, at=9)

        outcome = replay(dead)

        assert outcome.awarded
        assert (dead.status, dead.event_id, dead.event_type, dead.event_time) == (
            Status.REPLAYED,
            sent,
            PASSING,
            moment(9),
        )
        assert dead.payload["course_passing_status"]["is_passing"] is True
        assert dead.metadata["sourcelib"]

    def test_that_still_cannot_be_decoded_waits_with_its_new_error(self) -> None:
        dead = unreadable(event_data=b"\xff")
        with pytest.raises(UnreadableMessage):
            replay(dead)
        assert (dead.status, dead.kind, dead.attempts, dead.event_id) == (Status.WAITING, Kind.UNREADABLE, 2, None)
        assert "is not what the type" in dead.error

    def test_of_an_unknown_type_works_when_openedx_events_knows_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def forget(event_type: str, origin: Any) -> None:
            raise UnknownEventType("Unknown.")

        passes(BadgeTemplateFactory())
        with monkeypatch.context() as patch:
            patch.setattr(messages, "_signal", forget)
            dead = park_message(fields(), origin(), UnknownEventType("Unknown."))
            with pytest.raises(UnknownEventType):
                replay(dead)
        assert dead.kind == Kind.UNKNOWN_TYPE

        assert replay(dead).awarded

    def test_that_is_decoded_and_fails_then_is_an_event_that_failed(self) -> None:
        passes(BadgeTemplateFactory())
        sent = uuid.uuid4()
        dead = unreadable(event_id=sent, username="x" * 200)

        with pytest.raises(UnreadablePayload):
            replay(dead)

        assert (dead.kind, dead.status, dead.event_id) == (Kind.FAILED, Status.WAITING, sent)
        assert "150" in dead.error

    def test_whose_event_has_a_row_already_is_replayed_without_taking_its_id(self) -> None:
        passes(BadgeTemplateFactory())
        sent = uuid.uuid4()
        known, dead = parked(event_id=sent), unreadable(event_id=sent)

        assert replay(dead).awarded
        assert not replay(known)

        assert (dead.status, dead.event_id) == (Status.REPLAYED, None)

    def test_whose_event_was_discarded_is_not_processed(self) -> None:
        passes(BadgeTemplateFactory())
        sent = uuid.uuid4()
        dead = unreadable(event_id=sent)
        discard(parked(event_id=sent), "A test of ours.")

        with pytest.raises(NotPossible, match="same event as dead event"):
            replay(dead)
        assert not Badge.objects.exists()

    @pytest.mark.parametrize("body", [None, {}, {"type": "no base64"}, {"type": 5}, []])
    def test_that_was_stored_as_nonsense_is_told(self, body: Any) -> None:
        dead = DeadEventFactory(kind=Kind.UNREADABLE, event_id=None, event_time=None, topic="t", body=body)
        with pytest.raises(UnreadableMessage, match="Discard it"):
            replay(dead)
        assert dead.status == Status.WAITING


def test_what_is_lost_cannot_be_replayed_only_discarded() -> None:
    dead = record_lost(origin())

    with pytest.raises(NotPossible, match="is lost, and cannot be replayed"):
        replay(dead)
    assert not replayable(DeadEvent.objects.all()).exists()
    assert discard(dead, "The grade was sent again by hand.")


class TestMany:
    def test_are_replayed_in_the_order_of_their_events_and_each_is_told(self) -> None:
        passes(BadgeTemplateFactory())
        last = DeadEventFactory(kind=Kind.LOST, event_id=None, event_time=None)
        later, fails, earlier = parked("later", at=9), parked("x" * 200, at=5), parked("earlier", at=1)

        told = list(replay_all(in_order(DeadEvent.objects.all())))

        assert [one.dead_event_id for one in told] == [earlier.pk, fails.pk, later.pk, last.pk]
        assert [bool(one.error) for one in told] == [False, True, False, True]
        assert [len(one.outcome.awarded) for one in told] == [1, 0, 1, 0]

    def test_that_failed_alike_are_found(self) -> None:
        one, two = parked(), parked()
        for other in (
            {"status": Status.REPLAYED},
            {"error": "Another."},
            {"event_type": "another"},
            {"kind": Kind.UNREADABLE},
        ):
            DeadEventFactory(**{"error": str(ERROR), **other})

        assert set(alike(one)) == {one, two}
        assert not alike().exists()

    @pytest.mark.parametrize(
        ("error", "others", "is_alike"),
        [
            ("Message 1767-1 of a.b (x) is no [Avro]+.", "Message 999-22 of a.b (x) is no [Avro]+.", True),
            ("It is 2026-11-20T10:00:00+00:00, 5 days.", "It is 2027-01-01T00:00:00+00:00, 61 days.", True),
            (
                "Event 8e0e6a52-3a0f-4c39-9f0e-0b9a4c1d2e3f failed?",
                "Event 1b4e28ba-2fa1-4d2b-883f-0016d3cca427 failed?",
                True,
            ),
            ("Message 1 of a.b failed.", "Message 1 of aXb failed.", False),
            ("It failed.", "It failed. Twice.", False),
            ("100 % \\ 'of' it_ \n \"was\" ^bad$", "7 % \\ 'of' it_ \n \"was\" ^bad$", True),
        ],
    )
    def test_that_failed_alike_differ_in_numbers_at_the_most(self, error: str, others: str, is_alike: bool) -> None:
        one, other = parked(), parked()
        DeadEvent.objects.filter(pk=one.pk).update(error=error)
        DeadEvent.objects.filter(pk=other.pk).update(error=others)
        one.refresh_from_db()
        assert set(alike(one)) == ({one, other} if is_alike else {one})


class TestDiscarding:
    def test_keeps_the_event_and_the_reason(self) -> None:
        dead = parked()
        assert discard(dead, " A test of ours. ")
        dead.refresh_from_db()
        assert (dead.status, dead.note) == (Status.DISCARDED, "A test of ours.")
        assert dead.payload

    @pytest.mark.parametrize("reason", ["", "  \n"])
    def test_needs_a_reason(self, reason: str) -> None:
        dead = parked()
        with pytest.raises(NotPossible, match="reason"):
            discard(dead, reason)
        assert DeadEvent.objects.get().status == Status.WAITING

    def test_leaves_alone_what_is_finished(self) -> None:
        replayed, discarded = DeadEventFactory(status="replayed"), DeadEventFactory(status="discarded", note="Why.")
        assert discard_all([replayed.pk, discarded.pk], "Another reason.") == []
        assert set(DeadEvent.objects.values_list("status", "note")) == {("replayed", ""), ("discarded", "Why.")}
