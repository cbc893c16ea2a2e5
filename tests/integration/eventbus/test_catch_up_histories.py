"""Whatever was processed before, in whatever order, parked or discarded: after ``catch_up`` the state is that of the
history in its order, without what staff discarded."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from attrs import frozen
from django.db import transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis.strategies import integers, lists, permutations, sampled_from, tuples

from badges.data import IncomingEvent, Origin
from badges.exceptions import UnreadableMessage, UnreadablePayload
from badges.models import Badge, DeadEvent, Fulfillment
from badges.processing.dead_events import incoming, park, park_message
from badges.processing.pipeline import process_event
from badges.processing.replaying import discard
from tests import factories
from tests.factories import COURSE, BadgeTemplateFactory
from tests.integration.bus_messages import Bus, fields
from tests.integration.processing.helpers import OTHER_COURSE, fails, passes

pytestmark = pytest.mark.django_db
Status = DeadEvent.Status
FATES = ("unseen", "processed", "processed twice", "parked", "not decoded", "discarded")

BECOMES = {"parked": Status.REPLAYED, "not decoded": Status.REPLAYED, "discarded": Status.DISCARDED}


@frozen
class Happening:
    """What one learner did in one course, and what became of its event before."""

    username: str
    course: str
    is_passing: bool
    fate: str


happenings = tuples(
    sampled_from(["anna", "ben"]),
    sampled_from([COURSE, OTHER_COURSE]),
    sampled_from([True, False]),
    sampled_from(FATES),
).map(lambda values: Happening(*values))
histories = lists(happenings, min_size=1, max_size=12).flatmap(
    lambda history: tuples(sampled_from([history]), permutations(range(len(history))), integers(1, 5))
)


@contextlib.contextmanager
def undone() -> Iterator[None]:
    """What happens within is rolled back."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def state() -> set[tuple[str, int]]:
    """Which learner has which requirement fulfilled."""
    fulfilled = Fulfillment.objects.filter(is_fulfilled=True)
    return set(fulfilled.values_list("progress__user__username", "requirement_id"))


def meet(event: IncomingEvent, happening: Happening, place: Origin) -> None:
    """What became of an event before."""
    error = UnreadablePayload("It failed.")
    if happening.fate.startswith("processed"):
        process_event(event)
        if happening.fate.endswith("twice"):
            process_event(event)
    elif happening.fate == "parked":
        park(event, error)
    elif happening.fate == "discarded":
        discard(park(event, error), "A test of ours.")
    elif happening.fate == "not decoded":
        park_message(fields(), place, UnreadableMessage("No Avro."))


@pytest.fixture(autouse=True)
def _template() -> None:
    template = BadgeTemplateFactory()
    # One of them can be taken back, and the other cannot.
    fails(template, passes(template, COURSE, "A"), course=COURSE)
    passes(template, OTHER_COURSE, "B")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(
    # A penalty that came before there was progress leaves no trace; read again in order, it has its effect.
    ([Happening("anna", COURSE, True, "unseen"), Happening("anna", COURSE, False, "processed")], [1, 0], 5)
)
@given(histories)
def test_catching_up_gives_the_state_of_the_ordered_history(
    redis_url: str, case: tuple[list[Happening], list[int], int]
) -> None:
    history, order, size = case
    bus = Bus(redis_url)
    with undone(), contextlib.closing(bus.client), pytest.MonkeyPatch.context() as patch:
        patch.setattr("django.conf.settings.EVENT_BUS_REDIS_CONNECTION_URL", redis_url)
        events, ids = [], []
        for number, one in enumerate(history):
            metadata = factories.metadata(at=number)
            message_id = bus.put(
                one.username,
                seconds=number,
                at=number,
                event_id=metadata.id,
                course=one.course,
                is_passing=one.is_passing,
            )
            ids.append(message_id)
            data = factories.passing_status(one.username, course=one.course, is_passing=one.is_passing)
            events.append(incoming(metadata, {"course_passing_status": data}))
        with undone():
            for event, one in zip(events, history, strict=True):
                if one.fate != "discarded":
                    process_event(event)
            expected = state()
        for number in order:
            meet(events[number], history[number], Origin(bus.stream, ids[number]))

        before = state()
        rehearsed = bus.catch_up("--from-id", "0", "--batch-size", str(size), "--dry-run")
        assert state() == before
        ended = bus.catch_up("--from-id", "0", "--batch-size", str(size))
        again = bus.catch_up("--from-id", "0", "--batch-size", str(size))

        assert state() == expected
        told = next(line for line in rehearsed.out.splitlines() if "awarded" in line)
        assert told.replace("would be ", "") in ended.out
        assert "0 requirements fulfilled, 0 reset; 0 badges awarded, 0 revoked." in again.out
        assert Badge.objects.count() <= 2
        statuses = dict(DeadEvent.objects.values_list("event_id", "status"))
        for event, one in zip(events, history, strict=True):
            assert statuses.get(event.event_id) == BECOMES.get(one.fate)
        bus.client.delete(bus.stream)
