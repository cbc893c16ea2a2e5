"""A penalty that another consumer finished before the older event that it undoes is applied all the same."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from django.utils import timezone
from edx_event_bus_redis.internal.producer import create_producer
from openedx_events.learning.signals import COURSE_PASSING_STATUS_UPDATED
from pytest_django import Settings

from badges.data import IncomingEvent, Origin
from badges.eventbus.redis import hindsight
from badges.eventbus.redis.hindsight import everyone_in, look_back
from badges.eventbus.redis.stream import Entry, Stream
from badges.models import Badge, BadgeTemplate, Fulfillment
from badges.processing.messages import decode
from badges.processing.pipeline import BatchOutcome, process_batch
from tests import factories
from tests.factories import BadgeTemplateFactory
from tests.integration.processing.helpers import fails, passes

pytestmark = pytest.mark.django_db
LONG_AGO = -3600 * 24 * 30


@pytest.fixture
def template() -> BadgeTemplate:
    """Awarded for one course, and lost with it."""
    template = BadgeTemplateFactory()
    fails(template, passes(template))
    return template


@pytest.fixture
def bus(redis_url: str, settings: Settings) -> Bus:
    settings.EVENT_BUS_REDIS_CONNECTION_URL = redis_url
    settings.EVENT_BUS_TOPIC_PREFIX = None
    return Bus()


class Bus:
    """A topic with a group, in which several consumers read."""

    def __init__(self) -> None:
        self.topic = f"topic-{uuid.uuid4()}"
        self.consumer("none").create_group("0")
        self._producer = create_producer()

    def consumer(self, name: str) -> Stream:
        return Stream(self.topic, "credentials", name)

    def produce(self, username: str, *, at: float, is_passing: bool = True) -> None:
        self._producer.send(
            signal=COURSE_PASSING_STATUS_UPDATED,
            topic=self.topic,
            event_key_field="course_passing_status.course.course_key",
            event_data={"course_passing_status": factories.passing_status(username, is_passing=is_passing)},
            event_metadata=factories.metadata(at=at),
        )

    def events(self, entries: list[Entry]) -> list[IncomingEvent]:
        events = []
        for entry in entries:
            origin = Origin(self.topic, entry.message_id)
            message = decode(entry.fields, origin)
            events.append(
                IncomingEvent(
                    message.metadata.event_type, message.event_id, message.metadata.time, message.arguments, {}, origin
                )
            )
        return events

    def apply(self, entries: list[Entry]) -> BatchOutcome:
        return process_batch(self.events(entries))


def ids(entries: list[Entry]) -> list[str]:
    return [entry.message_id for entry in entries]


def test_a_penalty_that_another_consumer_finished_first_takes_the_badge_away(bus: Bus, template: BadgeTemplate) -> None:
    bus.produce("anna", at=1)
    bus.produce("anna", at=2, is_passing=False)
    one, other = bus.consumer("one"), bus.consumer("other")
    older = one.read(1, 1)
    newer = other.read(1, 1)
    assert not bus.apply(newer)

    done = bus.apply(older)
    assert look_back(one, ids(older), done.begun).revoked

    assert Badge.objects.get().status == "revoked"
    assert not Fulfillment.objects.get().is_fulfilled


def test_a_penalty_that_the_bus_brought_first_counts_too(bus: Bus, template: BadgeTemplate) -> None:
    bus.produce("anna", at=LONG_AGO + 2, is_passing=False)
    bus.produce("anna", at=LONG_AGO + 1)
    one = bus.consumer("one")
    assert not bus.apply(one.read(1, 1))
    batch = one.read(1, 1)

    look_back(one, ids(batch), bus.apply(batch).begun)

    assert Badge.objects.get().status == "revoked"


@pytest.mark.parametrize("is_redelivered", [False, True])
def test_so_it_does_beside_a_younger_event_and_at_a_second_delivery(
    bus: Bus, template: BadgeTemplate, is_redelivered: bool
) -> None:
    bus.produce("anna", at=LONG_AGO + 2, is_passing=False)
    bus.produce("anna", at=LONG_AGO + 1)
    bus.produce("berta", at=(timezone.now() - factories.moment(0)).total_seconds())
    one = bus.consumer("one")
    bus.apply(one.read(1, 1))
    batch = one.read(2, 1)
    begun = bus.apply(batch).begun

    look_back(
        one, ids(batch), everyone_in(bus.events(batch)) if is_redelivered else begun, is_redelivered=is_redelivered
    )

    held = dict(Badge.objects.values_list("user__username", "status"))
    assert held == {"anna": "revoked", "berta": "awarded"}


def test_a_penalty_of_the_same_moment_counts(bus: Bus, template: BadgeTemplate) -> None:
    bus.produce("anna", at=1, is_passing=False)
    bus.produce("anna", at=1)
    one = bus.consumer("one")
    bus.apply(one.read(1, 1))
    batch = one.read(1, 1)

    assert look_back(one, ids(batch), bus.apply(batch).begun).revoked


def test_a_learner_whose_name_is_part_of_anothers_is_told_apart(bus: Bus, template: BadgeTemplate) -> None:
    for username in ("anna", "ann"):
        bus.produce(username, at=2, is_passing=False)
    bus.produce("ann", at=1)
    one = bus.consumer("one")
    bus.apply(one.read(2, 1))
    batch = one.read(1, 1)

    assert len(look_back(one, ids(batch), bus.apply(batch).begun).revoked) == 1


def test_what_is_older_than_the_first_word_changes_nothing(bus: Bus, template: BadgeTemplate) -> None:
    bus.produce("anna", at=1, is_passing=False)
    bus.produce("anna", at=2)
    one = bus.consumer("one")
    batch = one.read(2, 1)

    assert not look_back(one, ids(batch), bus.apply(batch).begun)

    assert Badge.objects.get().status == "awarded"


def test_what_nobody_has_taken_yet_is_left_for_its_turn(bus: Bus, template: BadgeTemplate) -> None:
    bus.produce("anna", at=1)
    one = bus.consumer("one")
    batch = one.read(1, 1)
    begun = bus.apply(batch).begun
    bus.produce("anna", at=2, is_passing=False)

    assert not look_back(one, ids(batch), begun)

    assert Badge.objects.get().status == "awarded"


def test_a_batch_that_is_delivered_again_looks_back_although_it_changes_nothing_itself(
    bus: Bus, template: BadgeTemplate
) -> None:
    """Its consumer died between the commit and the look."""
    bus.produce("anna", at=1)
    bus.produce("anna", at=2, is_passing=False)
    one, other = bus.consumer("one"), bus.consumer("other")
    batch = one.read(1, 1)
    bus.apply(other.read(1, 1))
    bus.apply(batch)

    assert not bus.apply(batch)
    done = look_back(one, ids(batch), everyone_in(bus.events(batch)), is_redelivered=True)

    assert done.revoked


def test_a_requirement_that_no_penalty_can_undo_is_not_looked_back_for(bus: Bus) -> None:
    passes(BadgeTemplateFactory())
    bus.produce("anna", at=1)
    batch = bus.consumer("one").read(1, 1)

    done = bus.apply(batch)

    assert done.awarded
    assert done.begun == ()


def test_messages_that_cannot_be_read_are_passed_over(bus: Bus, template: BadgeTemplate) -> None:
    bus.produce("anna", at=1)
    one, other = bus.consumer("one"), bus.consumer("other")
    one.client.xadd(bus.topic, {"type": factories.PASSING, "event_data": b"\xff"})
    bus.produce("anna", at=2, is_passing=False)
    batch = one.read(1, 1)
    other.read(2, 1)

    assert look_back(one, ids(batch), bus.apply(batch).begun).revoked


def test_an_ordinary_batch_of_a_consumer_that_is_alone_reads_no_message_again(
    bus: Bus, template: BadgeTemplate, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = bus.consumer("one")
    for username in ("anna", "berta"):
        bus.produce(username, at=(timezone.now() - factories.moment(0)).total_seconds())
    batch = one.read(2, 1)
    begun = bus.apply(batch).begun
    assert len(begun) == 2
    again: list[Entry] = []
    pages = Stream.pages

    def counted(self: Stream, first: str, last: str, size: int) -> Iterator[list[Entry]]:
        for page in pages(self, first, last, size):
            again.extend(page)
            yield page

    monkeypatch.setattr(Stream, "pages", counted)
    look_back(one, ids(batch), begun)

    assert not again


def test_a_message_that_fails_is_left_to_whoever_took_it(
    bus: Bus, template: BadgeTemplate, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus.produce("anna", at=1)
    bus.produce("anna", at=2)
    bus.produce("anna", at=3, is_passing=False)
    one, other = bus.consumer("one"), bus.consumer("other")
    batch = one.read(1, 1)
    other.read(2, 1)
    begun = bus.apply(batch).begun

    def fail_at_second(events: list[IncomingEvent]) -> BatchOutcome:
        if any(event.time == factories.moment(2) for event in events):
            raise RuntimeError
        return process_batch(events)

    monkeypatch.setattr(hindsight, "process_batch", fail_at_second)

    assert look_back(one, ids(batch), begun).revoked
