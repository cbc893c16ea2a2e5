"""However consumers of a group share a stream, and wherever they die: with hindsight, progress is that of the ordered
history."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator

import pytest
from attrs import define, field, frozen
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from badges.data import Origin
from badges.eventbus.redis.hindsight import everyone_in, look_back
from badges.eventbus.redis.stream import Entry, Stream
from badges.models import Badge, BadgeProgress, Fulfillment
from badges.processing.dead_events import incoming
from badges.processing.messages import decode
from badges.processing.pipeline import process_batch, process_event
from tests.factories import COURSE, BadgeTemplateFactory, metadata, moment, passing_status
from tests.integration import bus_messages
from tests.integration.processing.helpers import OTHER_COURSE, fails, passes

pytestmark = pytest.mark.django_db
TAKEN_AT = int(moment(60).timestamp() * 1000)
"""When the bus took the messages, all in two milliseconds: after all that they tell of."""
FATES = ("finished", "died before the commit", "died before the look back")


@frozen
class Deed:
    """A learner passes or fails a course."""

    learner: str
    course: str
    passes: bool
    time: int

    @property
    def event_id(self) -> uuid.UUID:
        return uuid.uuid5(uuid.NAMESPACE_OID, repr(self))


@frozen
class Turn:
    """A consumer takes some messages, or is done with those that it took first."""

    consumer: int
    takes: int
    """0: it is done."""
    fate: str


deeds = st.builds(
    Deed, st.sampled_from(["anna", "ben"]), st.sampled_from([COURSE, OTHER_COURSE]), st.booleans(), st.integers(0, 4)
)
turns = st.builds(Turn, st.integers(0, 2), st.integers(0, 3), st.sampled_from(FATES))


@define
class Group:
    """Some consumers of one group."""

    topic: str
    consumers: list[Stream] = field(init=False)
    in_hand: list[list[list[Entry]]] = field(init=False, factory=lambda: [[], [], []])
    """Of each consumer, the batches that it took and is not done with."""
    left: list[Entry] = field(init=False, factory=list)
    """What those who died had in their hands."""

    def __attrs_post_init__(self) -> None:
        self.consumers = [Stream(self.topic, "credentials", f"consumer{number}") for number in range(3)]
        self.consumers[0].create_group("0")

    def play(self, turn: Turn) -> None:
        consumer, batches = self.consumers[turn.consumer], self.in_hand[turn.consumer]
        if turn.takes:
            if entries := consumer.read(turn.takes, 0.001):
                batches.append(entries)
        elif batches:
            self.work_off(consumer, batches.pop(0), turn.fate)

    def work_off(self, consumer: Stream, entries: list[Entry], fate: str, *, again: bool = False) -> None:
        if fate != "finished":
            self.left += entries
        if fate == "died before the commit":
            return
        events = []
        for entry in entries:
            origin = Origin(self.topic, entry.message_id)
            message = decode(entry.fields, origin)
            events.append(incoming(message.metadata, message.arguments, origin))
        done = process_batch(events)
        if fate == "finished":
            begun = everyone_in(events) if again else done.begun
            look_back(consumer, [entry.message_id for entry in entries], begun, is_redelivered=again)

    def come_to_an_end(self, size: int) -> None:
        """What is unread is read, what is in hand is worked off, and what the dead have left is taken over."""
        while entries := self.consumers[0].read(size, 0.001):
            self.in_hand[0].append(entries)
        for consumer, batches in zip(self.consumers, self.in_hand, strict=True):
            for batch in batches:
                self.work_off(consumer, batch, "finished")
        left, self.left = self.left, []
        for start in range(0, len(left), size):
            self.work_off(self.consumers[0], left[start : start + size], "finished", again=True)


@contextlib.contextmanager
def forgotten() -> Iterator[None]:
    """What happens within leaves nothing."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def progress() -> dict[tuple[str, int], tuple[bool, object]]:
    """(learner, requirement) -> whether it is fulfilled, and since when."""
    rows = Fulfillment.objects.values_list("progress__user__username", "requirement_id", "is_fulfilled", "event_time")
    return {(learner, requirement): (fulfilled, time) for learner, requirement, fulfilled, time in rows}


@pytest.fixture
def _configured(db: None) -> None:
    template = BadgeTemplateFactory()
    first, second = passes(template, COURSE, "A"), passes(template, OTHER_COURSE, "B")
    fails(template, first, second, course=COURSE)
    fails(template, second, course=OTHER_COURSE)


@pytest.mark.usefixtures("_configured")
@settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(messages=st.lists(deeds, min_size=1, max_size=14), play=st.lists(turns, max_size=14), size=st.integers(1, 4))
def test_progress_is_that_of_the_ordered_history_whoever_takes_what_and_dies(
    redis_url: str, messages: list[Deed], play: list[Turn], size: int
) -> None:
    with forgotten():
        for deed in sorted(messages, key=lambda deed: (deed.time, not deed.passes)):
            data = passing_status(deed.learner, course=deed.course, is_passing=deed.passes)
            process_event(incoming(metadata(at=deed.time, event_id=deed.event_id), {"course_passing_status": data}))
        expected = progress()
    with forgotten(), pytest.MonkeyPatch.context() as patch:
        patch.setattr("django.conf.settings.EVENT_BUS_REDIS_CONNECTION_URL", redis_url)
        group = Group(f"topic-{uuid.uuid4()}")
        for number, deed in enumerate(messages, start=5):
            fields = bus_messages.fields(
                deed.learner, at=deed.time, event_id=deed.event_id, course=deed.course, is_passing=deed.passes
            )
            # Ids of which the one as a text is not before the other: 9 and 10.
            group.consumers[0].client.xadd(group.topic, fields, id=f"{TAKEN_AT + number // 12}-{number}")

        for turn in play:
            group.play(turn)
        group.come_to_an_end(size)

        assert progress() == expected
        complete = {(one.user_id, one.template_id) for one in BadgeProgress.objects.all() if one.is_complete}
        held = set(Badge.objects.filter(status=Badge.Status.AWARDED).values_list("user_id", "template_id"))
        assert held <= complete <= set(Badge.objects.values_list("user_id", "template_id"))
        group.consumers[0].client.delete(group.topic)
        for consumer in group.consumers:
            consumer.close()
