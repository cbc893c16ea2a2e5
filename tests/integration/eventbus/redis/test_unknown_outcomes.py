"""Nobody knows whether a batch was committed, or who has a message: it is taken for unfinished."""

from __future__ import annotations

import time
import uuid
from typing import Any

import pytest
from django.db import OperationalError
from pytest_django import Settings

from badges.eventbus.redis import batches
from badges.models import Badge, BadgeTemplate, Fulfillment
from badges.processing.pipeline import process_batch
from tests.factories import BadgeTemplateFactory, DeadEventFactory
from tests.integration.eventbus.redis.bus import GROUP, QUICK, Bus, holders
from tests.integration.processing.helpers import fails, passes


@pytest.fixture
def losable(transactional_db: None) -> BadgeTemplate:
    """A badge that is awarded for a course, and lost with it."""
    template: BadgeTemplate = BadgeTemplateFactory()
    fails(template, passes(template))
    return template


@pytest.mark.usefixtures("losable")
@pytest.mark.parametrize(
    "error",
    [
        pytest.param(OperationalError(2013, "Lost connection to server during query"), id="the-answer-was-lost"),
        pytest.param(RuntimeError(), id="what-another-app-does-on-commit-failed"),
    ],
)
def test_a_newer_penalty_counts_although_it_was_not_told_that_the_batch_is_committed(
    bus: Bus, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    bus.produce("anna", at=2, is_passing=False)
    bus.produce("anna", at=1)
    errors = [error]

    def process_and_fail(events: Any) -> Any:
        done = process_batch(events)
        if done and errors:
            raise errors.pop()
        return done

    monkeypatch.setattr(batches, "process_batch", process_and_fail)

    bus.consume(batch_size=1)

    assert Badge.objects.get().status == "revoked"
    assert not Fulfillment.objects.get().is_fulfilled


@pytest.mark.usefixtures("losable")
def test_a_penalty_that_staff_discarded_is_not_brought_back_by_an_older_event(bus: Bus) -> None:
    event_id = uuid.uuid4()
    [discarded] = bus.produce("anna", at=2, is_passing=False, event_id=event_id)
    bus.take_and_die("other", 1)
    bus.client.xack(bus.stream, GROUP, discarded)
    DeadEventFactory(event_id=event_id, status="discarded", topic=bus.stream, message_id=discarded)
    bus.produce("anna", at=1)

    bus.consume()

    assert Badge.objects.get().status == "awarded"


@pytest.mark.usefixtures("template")
def test_what_another_process_of_the_same_name_left_is_taken_over(bus: Bus, settings: Settings) -> None:
    settings.BADGES_CONFIG = {"consumer": {**QUICK, "claim_after": 0.05}}
    bus.make_group()
    end = time.monotonic() + 10

    def taken_over() -> bool:
        if not bus.client.xlen(bus.stream):
            # Between two reads of the running one, so that only the other one gets it.
            bus.produce("anna")
            assert bus.take_and_die("one", 1)
        assert time.monotonic() < end, "nobody takes it over"
        return holders() == ["anna"]

    bus.consume_until(taken_over)

    assert bus.pending() == []
