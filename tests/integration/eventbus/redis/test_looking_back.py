"""A newer penalty that found nothing is looked back for, whatever comes in between."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError

from badges.eventbus.redis import batches, hindsight
from badges.models import Badge, BadgeTemplate, Fulfillment
from badges.processing import dead_events
from badges.processing.pipeline import BatchOutcome, process_batch
from tests.factories import COURSE, BadgeTemplateFactory, moment
from tests.integration import bus_messages
from tests.integration.eventbus.redis.bus import Bus, once
from tests.integration.processing.helpers import OTHER_COURSE, fails, passes, send


class Deadlocked(OperationalError):
    def __init__(self) -> None:
        super().__init__(1213, "Deadlock found")


@pytest.fixture
def losable(transactional_db: None) -> BadgeTemplate:
    """A badge for two courses; who fails one loses what it gave."""
    template: BadgeTemplate = BadgeTemplateFactory()
    fails(template, passes(template, COURSE, "A"), course=COURSE)
    fails(template, passes(template, OTHER_COURSE, "B"), course=OTHER_COURSE)
    return template


def fulfilled() -> list[tuple[bool, Any]]:
    """What is known of the requirements, in their order."""
    rows = Fulfillment.objects.order_by("requirement")
    return list(rows.values_list("is_fulfilled", "event_time"))


@pytest.mark.usefixtures("losable")
def test_one_that_was_delivered_before_looks_back_although_it_changes_nothing(bus: Bus) -> None:
    bus.produce("anna", at=1)
    bus.take_and_die("one", 1)
    bus.produce("anna", at=2, is_passing=False)
    bus.consume("two")
    send("anna", at=1)
    assert fulfilled() == [(True, moment(1))], "it died between the commit and the look"

    bus.consume("one")

    assert fulfilled() == [(False, moment(2))]


@pytest.mark.usefixtures("losable")
def test_a_look_back_that_fails_is_made_up_for(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = [ZeroDivisionError(), ZeroDivisionError()]
    look_back = hindsight.look_back

    def fail_first(*args: Any, **kwargs: Any) -> BatchOutcome:
        if failures:
            raise failures.pop()
        return look_back(*args, **kwargs)

    bus.produce("anna", at=2, is_passing=False)
    bus.consume("two")
    bus.produce("anna", at=1)
    monkeypatch.setattr(batches, "look_back", fail_first)

    bus.consume("one")

    assert fulfilled() == [(False, moment(2))]
    assert bus.pending() == []


@pytest.mark.usefixtures("losable")
@pytest.mark.parametrize("deadlocks", [0, 1])
def test_what_a_look_back_finds_for_the_first_time_is_looked_back_for_in_turn(
    bus: Bus, monkeypatch: pytest.MonkeyPatch, deadlocks: int
) -> None:
    failures = [Deadlocked() for _ in range(deadlocks)]
    meanwhile = once(lambda: bus.take_and_die("two", 1))

    def lose(events: list[Any]) -> BatchOutcome:
        if failures and Fulfillment.objects.count() == 2:
            raise failures.pop()
        return process_batch(events)

    def process(events: list[Any]) -> BatchOutcome:
        meanwhile()
        return process_batch(events)

    monkeypatch.setattr(batches, "process_batch", process)
    monkeypatch.setattr(hindsight, "process_batch", lose)
    # The penalty of a batch undoes what another consumer has in its hands.
    bus.produce("anna", at=0, course=COURSE)
    bus.produce("anna", at=2, course=OTHER_COURSE, is_passing=False)
    others = bus.produce("anna", at=1, course=OTHER_COURSE)

    bus.consume("one", batch_size=2)

    assert bus.pending() == others
    assert not failures
    assert fulfilled() == [(True, moment(0)), (False, moment(2))]
    assert not Badge.objects.filter(status=Badge.Status.AWARDED).exists()


@pytest.mark.usefixtures("template")
def test_an_event_that_is_refused_and_cannot_be_stored_stays_on_the_bus(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    park, failures = dead_events.park, [dead_events.EventLost("It cannot be stored.")]

    def fail_first(*args: Any, **kwargs: Any) -> Any:
        if failures:
            raise failures.pop()
        return park(*args, **kwargs)

    produced = bus.add(bus_messages.fields("x" * 200))
    monkeypatch.setattr(batches, "park", fail_first)
    finished: list[list[str]] = []
    apply = batches.Batches._apply

    def note(self: batches.Batches, works: Any) -> None:
        apply(self, works)
        finished.append(list(self.finished))

    monkeypatch.setattr(batches.Batches, "_apply", note)

    bus.consume()

    assert finished == [[], [produced]], "it is not acknowledged before it is stored"
    assert bus.pending() == []
