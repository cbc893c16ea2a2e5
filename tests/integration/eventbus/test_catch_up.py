"""``catch_up`` reads a stream of a real Redis again, and processes what was never seen."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from openedx_events.learning.signals import COURSE_PASSING_STATUS_UPDATED

from badges.data import Origin
from badges.exceptions import UnreadableMessage, UnreadablePayload
from badges.models import Badge, DeadEvent, Delivery, Fulfillment
from badges.processing.catching_up import catch_up
from badges.processing.dead_events import incoming, park, park_message
from badges.processing.learners import identify
from badges.processing.replaying import discard
from tests import factories
from tests.factories import BadgeTemplateFactory, moment
from tests.integration.bus_messages import Bus, fields
from tests.integration.processing.helpers import passes

pytestmark = pytest.mark.django_db
Status, Kind = DeadEvent.Status, DeadEvent.Kind


@pytest.fixture(autouse=True)
def _template() -> None:
    passes(BadgeTemplateFactory())


def usernames() -> set[str]:
    return set(Badge.objects.values_list("user__username", flat=True))


class TestWhatWasNeverSeen:
    def test_has_its_effect_and_is_reported(self, bus: Bus) -> None:
        ids = [bus.put(username) for username in ("anna", "ben", "anna")]

        ended = bus.catch_up("--from-id", "0")

        assert ended.status == 0
        assert f'The stream "{bus.stream}" has 3 messages: {ids[0]} (' in ended.out
        assert "Read 3 messages, 3 of them of the types that are processed." in ended.out
        assert "2 requirements fulfilled, 0 reset; 2 badges awarded, 0 revoked." in ended.out
        assert usernames() == {"anna", "ben"}

    def test_has_the_time_and_id_of_its_event(self, bus: Bus) -> None:
        sent = uuid.uuid4()
        bus.put(at=7, event_id=sent)
        bus.catch_up("--from-id", "0")
        found = Fulfillment.objects.get()
        assert (found.event_id, found.event_time) == (sent, moment(7))

    def test_is_seen_once(self, bus: Bus) -> None:
        bus.put()
        bus.catch_up("--from-id", "0")
        rows = list(Fulfillment.objects.values())

        ended = bus.catch_up("--from-id", "0")

        assert "0 requirements fulfilled, 0 reset; 0 badges awarded" in ended.out
        assert list(Fulfillment.objects.values()) == rows

    @pytest.mark.parametrize("size", ["1", "2", "1000"])
    def test_is_read_in_pages(self, bus: Bus, size: str, monkeypatch: pytest.MonkeyPatch) -> None:
        pages: list[int] = []

        def counted(events: Any, **options: Any) -> Any:
            pages.append(len(events))
            return catch_up(events, **options)

        monkeypatch.setattr("badges.eventbus.redis.rereading.catch_up", counted)
        for number in range(5):
            bus.put(f"learner{number}")

        ended = bus.catch_up("--from-id", "0", "--batch-size", size)

        assert "Read 5 messages" in ended.out
        assert (sum(pages), max(pages)) == (5, min(5, int(size)))

    def test_is_no_news_for_other_apps_and_for_no_consumer_group(self, bus: Bus) -> None:
        heard: list[Any] = []

        def hear(**kwargs: Any) -> None:
            heard.append(kwargs)

        COURSE_PASSING_STATUS_UPDATED.connect(hear)
        bus.put()
        bus.client.xgroup_create(bus.stream, "credentials", "0")
        bus.client.xreadgroup("credentials", "one", {bus.stream: ">"})
        before = bus.client.xinfo_groups(bus.stream), bus.client.xpending(bus.stream, "credentials")

        bus.catch_up("--from-id", "0")

        assert not heard
        assert (bus.client.xinfo_groups(bus.stream), bus.client.xpending(bus.stream, "credentials")) == before

    def test_of_other_types_is_passed_over(self, bus: Bus) -> None:
        bus.put(type=b"org.openedx.learning.course.enrollment.created.v1", event_data=b"\xff")
        bus.put()
        ended = bus.catch_up("--from-id", "0")
        assert (ended.status, "Read 2 messages, 1 of them" in ended.out) == (0, True)
        assert not DeadEvent.objects.exists()

    @pytest.mark.django_db(transaction=True)
    def test_has_its_deliveries_begun(self, bus: Bus) -> None:
        bus.put()
        bus.catch_up("--from-id", "0")
        assert Delivery.objects.get().status == Delivery.Status.DONE


class TestTheRange:
    @pytest.fixture(autouse=True)
    def _messages(self, bus: Bus) -> None:
        for number in range(5):
            bus.put(f"learner{number}", seconds=60 * number)

    @pytest.mark.parametrize(
        ("arguments", "read"),
        [
            (["--since", "2026-01-01T00:02:00+00:00"], {2, 3, 4}),
            (["--since", "2026-01-01T03:02:00+03:00"], {2, 3, 4}),
            (["--since", "2026-01-01T00:02:00Z", "--until", "2026-01-01T00:03:00Z"], {2, 3}),
            (["--from-id", "0", "--until", str(int(moment(60).timestamp() * 1000))], {0, 1}),
            (["--from-id", str(int(moment(180).timestamp() * 1000))], {3, 4}),
            (["--since", "1h"], set()),
            (["--since", "2026-01-01T00:02:00Z", "--until", "2025-01-01T00:00:00Z"], set()),
        ],
    )
    def test_is_what_the_bus_took_then(self, bus: Bus, arguments: list[str], read: set[int]) -> None:
        ended = bus.catch_up(*arguments)
        assert ended.status == 0
        assert usernames() == {f"learner{number}" for number in read}

    def test_ends_where_the_stream_ended_when_it_began(self, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
        def produced_meanwhile(events: Any, **options: Any) -> Any:
            bus.put("new")
            return catch_up(events, **options)

        monkeypatch.setattr("badges.eventbus.redis.rereading.catch_up", produced_meanwhile)
        assert "Read 5 messages" in bus.catch_up("--from-id", "0", "--batch-size", "2").out

    def test_that_the_stream_does_not_have_any_more_is_told_and_ends_with_3(self, bus: Bus) -> None:
        bus.client.xtrim(bus.stream, maxlen=2, approximate=False)

        ended = bus.catch_up("--since", "2026-01-01T00:01:00Z")

        assert ended.status == 3
        first = int(moment(180).timestamp() * 1000)
        assert f"The stream begins at {first}-0, after the asked start" in ended.errors
        assert "(2026-01-01 00:01:00 UTC)" in ended.errors
        assert "cannot be caught up from here" in ended.errors
        assert usernames() == {"learner3", "learner4"}

    def test_of_a_stream_that_was_emptied_is_gone(self, bus: Bus) -> None:
        bus.client.xtrim(bus.stream, maxlen=0, approximate=False)
        ended = bus.catch_up("--since", "2026-01-01T00:01:00Z")
        assert (ended.status, "has no messages" in ended.out, "is gone" in ended.errors) == (3, True, True)

    @pytest.mark.parametrize(
        "arguments",
        [
            [],
            ["--from-id", "0", "--since", "1h"],
            ["--from-id", "x"],
            ["--from-id", "-1"],
            ["--since", "yesterday"],
            ["--since", "2026-01-01T00:02:00"],
            ["--since", "5"],
            ["--from-id", "0", "--until", "x"],
            ["--from-id", "0", "--batch-size", "0"],
            ["--from-id", "0", "--batch-size", "100000"],
        ],
    )
    def test_that_is_none_is_refused(self, bus: Bus, arguments: list[str]) -> None:
        assert bus.catch_up(*arguments).errors.startswith("Error: ")
        assert not usernames()

    def test_may_be_as_long_as_one_likes(self, bus: Bus) -> None:
        assert bus.catch_up("--since", "999999999d").status in (0, 3)
        assert len(usernames()) == 5


class TestDeadEvents:
    def parked(self, event_id: uuid.UUID) -> DeadEvent:
        event = incoming(
            factories.metadata(event_id=event_id), {"course_passing_status": factories.passing_status("anna")}
        )
        return park(event, UnreadablePayload("It was too early."))

    def test_that_succeed_now_are_done(self, bus: Bus) -> None:
        sent = uuid.uuid4()
        dead = self.parked(sent)
        bus.put(event_id=sent)

        ended = bus.catch_up("--from-id", "0")

        dead.refresh_from_db()
        assert (dead.status, usernames()) == (Status.REPLAYED, {"anna"})
        assert "1 dead event done by this." in ended.out
        assert ended.status == 0

    def test_that_were_discarded_are_left_out(self, bus: Bus) -> None:
        sent = uuid.uuid4()
        discard(self.parked(sent), "A test of ours.")
        bus.put(event_id=sent)

        ended = bus.catch_up("--from-id", "0")

        assert not usernames()
        assert DeadEvent.objects.get().status == Status.DISCARDED
        assert "1 message left out: staff discarded" in ended.out
        assert ended.status == 0

    def test_that_could_not_be_decoded_and_now_can_are_done(self, bus: Bus) -> None:
        sent = uuid.uuid4()
        message_id = bus.put(event_id=sent)
        park_message(fields(event_id=sent), Origin(bus.stream, message_id), UnreadableMessage("No Avro."))

        bus.catch_up("--from-id", "0")

        dead = DeadEvent.objects.get()
        assert (dead.status, dead.event_id, usernames()) == (Status.REPLAYED, sent, {"anna"})
        assert dead.payload

    def test_that_could_not_be_decoded_and_were_discarded_are_left_out(self, bus: Bus) -> None:
        for garbage in (None, b"\xff"):
            changes: dict[str, Any] = {} if garbage is None else {"event_data": garbage}
            message_id = bus.put(**changes)
            discard(park_message({}, Origin(bus.stream, message_id), UnreadableMessage("No Avro.")), "Garbage.")
        for arguments in (["--dry-run"], []):
            ended = bus.catch_up("--from-id", "0", *arguments)
            assert ("2 messages left out" in ended.out, ended.status) == (True, 0)
        assert not usernames()

    def test_are_made_of_what_cannot_be_decoded(self, bus: Bus) -> None:
        bus.put(event_data=b"\xff")
        bus.put(type=b"org.new.v1")
        bus.put(type=None)
        bus.put("ben")

        ended = bus.catch_up("--from-id", "0")

        assert ended.status == 3
        assert "3 messages cannot be decoded, and were parked as dead events." in ended.out
        assert sorted(DeadEvent.objects.values_list("kind", flat=True)) == ["unknown_type", "unreadable", "unreadable"]
        assert usernames() == {"ben"}

    def test_are_made_of_what_can_never_be_applied(self, bus: Bus) -> None:
        message_id = bus.put("x" * 200)
        bus.put("ben")

        ended = bus.catch_up("--from-id", "0")

        assert ended.status == 3
        assert "1 event cannot be applied, and was parked as a dead event." in ended.out
        dead = DeadEvent.objects.get()
        assert (dead.kind, dead.topic, dead.message_id) == (Kind.FAILED, bus.stream, message_id)
        assert usernames() == {"ben"}

    def test_are_made_of_the_one_event_that_breaks_a_batch(self, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
        def break_down(event: Any) -> Any:
            found = identify(event)
            if found is not None and found.username == "bad":
                raise ZeroDivisionError("bad@example.com")
            return found

        monkeypatch.setattr("badges.processing.learners.identify", break_down)
        for username in ("anna", "bad", "ben"):
            bus.put(username)

        rehearsed = bus.catch_up("--from-id", "0", "--dry-run")
        ended = bus.catch_up("--from-id", "0")

        assert "1 event cannot be applied, and would be parked" in rehearsed.out
        assert usernames() == {"anna", "ben"}
        assert DeadEvent.objects.get().error.startswith("ZeroDivisionError at badges/processing/")
        assert "bad@" not in ended.errors + ended.out


class TestADryRun:
    def test_tells_what_would_change_and_changes_nothing(self, bus: Bus) -> None:
        sent = uuid.uuid4()
        TestDeadEvents().parked(sent)
        bus.put("anna", event_id=sent)
        bus.put("ben")
        bus.put("x" * 200)
        bus.put(event_data=b"\xff")

        ended = bus.catch_up("--from-id", "0", "--dry-run")

        for text in (
            "2 requirements would be fulfilled, 0 reset; 2 badges would be awarded, 0 revoked.",
            "1 event cannot be applied, and would be parked as a dead event.",
            "1 message cannot be decoded, and would be parked as a dead event.",
            "1 dead event would be done by this.",
            "Nothing was changed.",
        ):
            assert text in ended.out
        assert ended.status == 3
        assert (Badge.objects.count(), Fulfillment.objects.count(), Delivery.objects.count()) == (0, 0, 0)
        assert list(DeadEvent.objects.values_list("status", "attempts")) == [(Status.WAITING, 1)]

    def test_sees_what_its_pages_do_to_each_other(self, bus: Bus) -> None:
        for _ in range(4):
            bus.put("anna")
        ended = bus.catch_up("--from-id", "0", "--dry-run", "--batch-size", "1")
        assert "1 requirement would be fulfilled, 0 reset; 1 badge would be awarded" in ended.out

    def test_that_is_too_long_for_one_transaction_says_so(self, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in ("badges.eventbus.redis.rereading", "badges.management.commands.catch_up"):
            monkeypatch.setattr(f"{module}.REHEARSED_AT_ONCE", 2)
        for _ in range(4):
            bus.put("anna")
        ended = bus.catch_up("--from-id", "0", "--dry-run", "--batch-size", "1")
        assert "2 requirements would be fulfilled" in ended.out
        assert "in stretches of 2" in ended.out


def test_on_a_terminal_it_shows_how_far_it_is(bus: Bus) -> None:
    bus.put()
    since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    ended = bus.catch_up("--since", since, terminal=True)
    assert "1 read, 1 awarded, 100 % of the time" in ended.out
    assert "\r" not in bus.catch_up("--since", since).out
