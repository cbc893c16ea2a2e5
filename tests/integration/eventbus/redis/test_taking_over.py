"""What was taken and not finished is taken up: its own, that of the dead, and what is gone (facts L5, L6)."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import Settings

from badges.eventbus.redis import batches, stats
from badges.eventbus.redis.stream import Stream
from badges.models import DeadEvent
from tests.integration import bus_messages
from tests.integration.eventbus.redis.bus import GROUP, QUICK, Bus, holders, once, told

pytestmark = pytest.mark.usefixtures("template")
LEARNERS = ["anna", "berta", "clara"]


def test_what_it_took_before_it_was_killed_comes_first(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    bus.produce(*LEARNERS)
    taken = bus.take_and_die("one", 2)
    order: list[str] = []
    take = batches.Batches.take

    def note(self: batches.Batches, entries: Any) -> None:
        order.extend(entry.message_id for entry in entries)
        take(self, entries)

    monkeypatch.setattr(batches.Batches, "take", note)

    bus.consume("one")

    assert holders() == LEARNERS
    assert order[:2] == taken
    assert bus.pending() == []


def test_more_than_a_batch_of_its_own_is_taken_up(bus: Bus) -> None:
    learners = [f"learner{number:02}" for number in range(25)]
    bus.produce(*learners)
    bus.take_and_die("one", 25)

    bus.consume("one", batch_size=4)

    assert holders() == learners


def test_what_a_dead_consumer_left_is_taken_over_at_the_start(bus: Bus) -> None:
    bus.produce(*LEARNERS)
    bus.take_and_die("of yesterday", 2)

    bus.consume("one", claim_msgs_older_than=0)

    assert holders() == LEARNERS
    assert bus.pending() == []


def test_and_later_too(bus: Bus) -> None:
    bus.produce("anna")
    taken = bus.client.pipeline()
    taken.xadd(bus.stream, bus_messages.fields("berta"))  # type: ignore[arg-type]
    taken.xreadgroup(GROUP, "other", {bus.stream: ">"}, count=1)
    # At once, or the consumer under test would take it first.
    die = once(taken.execute)

    def die_once() -> bool:
        if holders() == ["anna"] and not bus.pending():
            die()
        return "berta" in holders()

    bus.consume_until(die_once, claim_msgs_older_than=0)

    assert holders() == ["anna", "berta"]
    assert bus.pending() == []


def test_what_another_one_has_in_hand_is_left_to_it(bus: Bus) -> None:
    bus.produce(*LEARNERS)
    taken = bus.take_and_die("slow", 2)

    bus.consume("one", claim_msgs_older_than=60_000)

    assert holders() == ["clara"]
    assert bus.pending() == taken


def test_the_setting_says_after_how_long(bus: Bus, settings: Settings) -> None:
    settings.BADGES_CONFIG = {"consumer": {**QUICK, "claim_after": 1e-9}}
    bus.produce("anna")
    bus.take_and_die("other", 1)

    bus.consume("one")

    assert holders() == ["anna"]


@pytest.mark.parametrize("owner", ["one", "dead"])
def test_a_message_that_was_trimmed_is_recorded_as_lost_and_holds_up_nothing(
    bus: Bus, owner: str, caplog: pytest.LogCaptureFixture
) -> None:
    produced = bus.produce(*LEARNERS)
    bus.take_and_die(owner, 3)
    bus.client.xdel(bus.stream, produced[0])

    consumer = bus.consume("one", claim_msgs_older_than=0)

    assert holders() == ["berta", "clara"]
    dead = DeadEvent.objects.get()
    assert (dead.kind, dead.topic, dead.message_id) == ("lost", bus.stream, produced[0])
    assert bus.pending() == []
    assert (consumer.tally.events, consumer.tally.parked) == (3, 1)
    assert [record for record in caplog.records if record.levelname == "ERROR" and produced[0] in record.getMessage()]


def test_one_that_is_trimmed_between_two_looks_is_processed_by_whoever_has_it(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus.produce(*LEARNERS)
    bus.take_and_die("dead", 3)
    claim = Stream._claim

    def trim_first(self: Stream, *args: Any) -> set[str]:
        bus.client.xtrim(bus.stream, maxlen=0, approximate=False)
        return claim(self, *args)

    monkeypatch.setattr(Stream, "_claim", trim_first)

    bus.consume("one", claim_msgs_older_than=0)

    assert holders() == LEARNERS
    assert bus.pending() == []


def test_one_that_its_owner_acknowledges_meanwhile_is_left_out(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    produced = bus.produce(*LEARNERS)
    bus.take_and_die("slow", 3)
    claim = Stream._claim

    def acknowledge_first(self: Stream, *args: Any) -> set[str]:
        bus.client.xack(bus.stream, GROUP, produced[0])
        return claim(self, *args)

    monkeypatch.setattr(Stream, "_claim", acknowledge_first)

    bus.consume("one", claim_msgs_older_than=0)

    assert holders() == ["berta", "clara"]


def deliver_again(bus: Bus, message_id: str, times: int) -> None:
    """As if a message had been delivered so often, and had ended its consumer each time."""
    bus.client.xclaim(bus.stream, GROUP, "one", 0, [message_id], retrycount=times, justid=True)


def test_one_that_seems_to_end_the_process_is_taken_alone(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    produced = bus.produce(*LEARNERS)
    bus.take_and_die("one", 3)
    deliver_again(bus, produced[0], 5)
    taken: list[list[str]] = []
    take = batches.Batches.take

    def note(self: batches.Batches, entries: Any) -> None:
        taken.append([entry.message_id for entry in entries])
        take(self, entries)

    monkeypatch.setattr(batches.Batches, "take", note)

    bus.consume("one")

    assert taken == [produced[1:], produced[:1]]
    assert holders() == LEARNERS


def test_one_that_kept_ending_the_process_is_parked_without_being_decoded(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    produced = bus.produce(*LEARNERS)
    bus.take_and_die("one", 3)
    deliver_again(bus, produced[0], 20)

    bus.consume("one")

    assert holders() == ["berta", "clara"]
    dead = DeadEvent.objects.get()
    assert dead.message_id == produced[0]
    assert "seems to end the process" in dead.error
    assert bus.pending() == []


def test_until_then_it_is_tried(bus: Bus) -> None:
    produced = bus.produce("anna")
    bus.take_and_die("one", 1)
    deliver_again(bus, produced[0], 19)

    bus.consume("one")

    assert holders() == ["anna"]
    assert not DeadEvent.objects.exists()


def test_a_start_counts_as_one_delivery(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    bus.produce("anna")
    bus.take_and_die("one", 1)

    def die(self: object, entries: Any) -> None:
        raise SystemExit

    monkeypatch.setattr(batches.Batches, "take", die)
    for _ in range(2):
        with pytest.raises(SystemExit):
            bus.consume("one")

    [row] = bus.client.xpending_range(bus.stream, GROUP, "-", "+", 10)
    assert row["times_delivered"] == 3


def test_it_says_what_it_took_up(bus: Bus, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    produced = bus.produce(*LEARNERS)
    bus.take_and_die("one", 3)
    bus.client.xdel(bus.stream, produced[0])

    bus.consume("one")

    assert told(caplog, "messages_taken_up") == [
        "Took 2 messages up that were delivered before and not finished; 1 are lost."
    ]


def test_messages_that_were_trimmed_before_anybody_read_them_are_told_loudly(
    bus: Bus, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # Redis 7 counts them; the one of the tests may be older.
    monkeypatch.setattr(stats, "group_stats", lambda *args: stats.GroupStats(trimmed=3))
    bus.produce("anna")

    consumer = bus.consume()

    assert told(caplog, "messages_trimmed")[0].startswith(f"3 messages of {bus.stream} were trimmed before")
    assert "3 messages were trimmed" in consumer.tally.last_error
    assert holders() == ["anna"]
