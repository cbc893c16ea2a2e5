"""What could not be processed is kept: once, with all that is needed to process it, and as people decided about it."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import OperationalError

from badges.data import IncomingEvent, Origin
from badges.exceptions import UnknownEventType, UnreadableMessage, UnreadablePayload
from badges.models import DeadEvent
from badges.processing.dead_events import decoded, encoded, incoming, park, park_message, record_lost
from badges.processing.replaying import discard, put_back
from tests import factories
from tests.factories import PASSING, moment
from tests.integration.bus_messages import TOPIC, fields, origin

pytestmark = pytest.mark.django_db
Kind, Status = DeadEvent.Kind, DeadEvent.Status
ERROR = UnreadablePayload("It cannot be applied.")
UNREADABLE = UnreadableMessage("The body is no Avro.")


def event(event_id: uuid.UUID | None = None, *, at: Origin | None = None, username: str = "anna") -> IncomingEvent:
    metadata = factories.metadata(event_id=event_id)
    return incoming(metadata, {"course_passing_status": factories.passing_status(username)}, at)


class TestAnEventThatFailed:
    def test_is_kept_with_payload_metadata_place_and_error(self) -> None:
        failed = event(at=origin(7))

        dead = park(failed, ERROR, attempts=5)

        dead.refresh_from_db()
        assert (dead.kind, dead.status, dead.error, dead.attempts) == (Kind.FAILED, Status.WAITING, str(ERROR), 5)
        assert (dead.event_id, dead.event_type, dead.event_time) == (failed.event_id, PASSING, moment(0))
        assert (dead.topic, dead.message_id) == (TOPIC, "1767225600000-7")
        assert dead.payload["course_passing_status"]["user"]["pii"]["username"] == "anna"
        assert dead.metadata["id"] == str(failed.event_id)
        assert dead.metadata["time"] == moment(0).isoformat()

    def test_needs_no_place_on_a_bus(self) -> None:
        first, second = park(event(), ERROR), park(event(), ERROR)
        assert {first.message_id, second.message_id} == {None}

    def test_tells_of_a_foreign_error_only_what_is_safe(self, caplog: pytest.LogCaptureFixture) -> None:
        try:
            raise ValueError("anna@example.com is wrong")
        except ValueError as error:
            dead = park(event(), error)
        assert dead.error.startswith("ValueError at test_dead_events.py:")
        assert "anna" not in caplog.text

    def test_that_fails_again_is_the_same_row_with_the_newest_error(self) -> None:
        failed = event(at=origin())
        park(failed, ERROR, attempts=5)

        park(failed, UnreadablePayload("Something else."), attempts=2)

        dead = DeadEvent.objects.get()
        assert (dead.error, dead.attempts) == ("Something else.", 7)

    def test_that_comes_in_another_message_is_the_same_row_at_its_first_place(self) -> None:
        failed = uuid.uuid4()
        park(event(failed, at=origin(1)), ERROR)

        park(event(failed, at=origin(2)), ERROR)

        assert DeadEvent.objects.get().message_id == origin(1).message_id

    def test_learns_its_place_later(self) -> None:
        failed = uuid.uuid4()
        park(event(failed), ERROR)
        park(event(failed, at=origin(2)), ERROR)
        assert DeadEvent.objects.get().message_id == origin(2).message_id

    def test_does_not_come_back_when_it_was_discarded(self) -> None:
        failed = event(at=origin())
        discard(park(failed, ERROR), "A test of ours.")

        park(failed, UnreadablePayload("Something else."))

        dead = DeadEvent.objects.get()
        assert (dead.status, dead.error, dead.attempts) == (Status.DISCARDED, str(ERROR), 1)

    def test_comes_back_when_it_was_replayed(self) -> None:
        failed = event()
        DeadEvent.objects.filter(pk=park(failed, ERROR).pk).update(status=Status.REPLAYED)

        assert park(failed, ERROR).status == Status.WAITING

    def test_does_not_take_the_row_of_an_older_stream_with_the_same_message_id(self) -> None:
        older, newer = uuid.uuid4(), uuid.uuid4()
        park(event(older, at=origin()), ERROR)

        park(event(newer, at=origin()), ERROR)

        assert dict(DeadEvent.objects.values_list("event_id", "message_id")) == {
            older: origin().message_id,
            newer: None,
        }

    def test_is_left_to_its_caller_while_the_database_is_busy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(**values: Any) -> None:
            raise OperationalError(1213, "Deadlock found")

        monkeypatch.setattr("badges.processing.retries.PAUSE", 0.0)
        monkeypatch.setattr(DeadEvent.objects, "create", refuse)
        with pytest.raises(OperationalError):
            park(event(), ERROR)


class TestAMessageThatCannotBeRead:
    def test_is_kept_as_it_is(self) -> None:
        message = fields(event_data=b"\xff\x00", note=b"\x00\xfe")

        dead = park_message(message, origin(3), UNREADABLE)

        dead.refresh_from_db()
        assert (dead.kind, dead.status, dead.error) == (Kind.UNREADABLE, Status.WAITING, str(UNREADABLE))
        assert (dead.topic, dead.message_id) == (TOPIC, origin(3).message_id)
        assert decoded(dead.body) == message
        assert (dead.event_id, dead.payload) == (None, {})

    def test_is_found_by_what_its_headers_say(self) -> None:
        sent = uuid.uuid4()
        dead = park_message(fields(event_id=sent, at=5, event_data=b"?"), origin(), UNREADABLE)
        assert (dead.event_type, dead.event_time, dead.metadata["id"]) == (PASSING, moment(5), str(sent))

    @pytest.mark.parametrize("headers", [{}, {b"type": b"\xff" * 900, b"time": b"nonsense"}, {b"time": b"2026-01-01"}])
    def test_needs_no_readable_header(self, headers: dict[bytes, bytes]) -> None:
        dead = park_message(headers, origin(), UNREADABLE)
        dead.refresh_from_db()
        assert (dead.event_time, decoded(dead.body)) == (None, headers)

    def test_keeps_in_its_headers_no_personal_data(self) -> None:
        dead = park_message(fields(event_data=b"?", note=b"anna@example.com"), origin(), UNREADABLE)
        assert "anna" not in str(dead.metadata)

    def test_of_an_unknown_type_is_told_apart(self) -> None:
        dead = park_message(fields(type=b"org.new.v1"), origin(), UnknownEventType("Unknown."))
        assert (dead.kind, dead.event_type) == (Kind.UNKNOWN_TYPE, "org.new.v1")

    def test_that_comes_again_is_the_same_row(self) -> None:
        message = fields(event_data=b"?")
        park_message(message, origin(), UNREADABLE)
        park_message(message, origin(), UNREADABLE)
        park_message(message, origin(2), UNREADABLE)
        assert sorted(DeadEvent.objects.values_list("message_id", "attempts")) == [
            (origin(1).message_id, 2),
            (origin(2).message_id, 1),
        ]

    def test_does_not_come_back_when_it_was_discarded(self) -> None:
        discard(park_message(fields(), origin(), UNREADABLE), "Garbage.")
        assert park_message(fields(), origin(), UNREADABLE).status == Status.DISCARDED

    def test_becomes_the_event_that_it_is_when_it_can_be_decoded_and_fails_then(self) -> None:
        park_message(fields(), origin(), UNREADABLE)
        failed = event(at=origin())

        park(failed, ERROR)

        dead = DeadEvent.objects.get()
        assert (dead.kind, dead.event_id, dead.error, dead.attempts) == (Kind.FAILED, failed.event_id, str(ERROR), 2)
        assert dead.payload

    def test_is_closed_when_it_turns_out_to_be_an_event_that_is_here_already(self) -> None:
        message = park_message(fields(), origin(1), UNREADABLE)
        failed = uuid.uuid4()
        known = park(event(failed, at=origin(2)), ERROR)

        park(event(failed, at=origin(1)), ERROR)

        message.refresh_from_db()
        assert (message.status, message.note) == (
            Status.DISCARDED,
            f"It is the same event as dead event {known.pk}.",
        )
        assert DeadEvent.objects.filter(status=Status.WAITING).get() == known

    def test_does_not_hide_the_event_that_was_read_from_it_before(self) -> None:
        known = park(event(at=origin()), ERROR)
        park_message(fields(event_data=b"?"), origin(), UNREADABLE)
        known.refresh_from_db()
        assert (known.kind, known.error) == (Kind.FAILED, str(ERROR))


class TestALostMessage:
    def test_is_recorded_and_told_loudly(self, caplog: pytest.LogCaptureFixture) -> None:
        dead = record_lost(origin(4))

        dead.refresh_from_db()
        assert (dead.kind, dead.status, dead.message_id) == (Kind.LOST, Status.WAITING, origin(4).message_id)
        assert dead.event_time == moment(0)
        assert "is LOST" in caplog.text
        assert caplog.records[-1].levelname == "ERROR"

    def test_is_recorded_once(self, caplog: pytest.LogCaptureFixture) -> None:
        record_lost(origin())
        caplog.clear()
        record_lost(origin())
        assert DeadEvent.objects.count() == 1
        assert "ERROR" not in {record.levelname for record in caplog.records}

    def test_is_not_lost_when_its_event_is_kept_here(self) -> None:
        park(event(at=origin()), ERROR)
        assert record_lost(origin()).kind == Kind.FAILED

    def test_that_is_found_again_and_fails_is_that_event(self) -> None:
        record_lost(origin())
        park(event(at=origin()), ERROR)
        assert DeadEvent.objects.get().kind == Kind.FAILED

    def test_of_a_strange_id_has_no_time(self) -> None:
        assert record_lost(Origin(TOPIC, "nonsense")).event_time is None


def test_what_was_discarded_can_be_put_back() -> None:
    dead = park(event(), ERROR)
    discard(dead, "By mistake.")

    assert put_back(dead)
    assert not put_back(dead)

    dead.refresh_from_db()
    assert (dead.status, dead.note) == (Status.WAITING, "By mistake.")


@pytest.mark.parametrize("message", [{}, {b"": b""}, {b"\xff\x00 %": bytes(range(256))}])
def test_the_fields_of_a_message_survive_as_json(message: dict[bytes, bytes]) -> None:
    assert decoded(encoded(message)) == message
