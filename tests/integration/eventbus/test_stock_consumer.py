"""Nothing is lost with the consumer of event-bus-redis, as far as a receiver can help it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from edx_event_bus_redis.internal import consumer as internal
from openedx_events.learning.signals import COURSE_PASSING_STATUS_UPDATED

from badges.eventbus import receivers
from badges.models import Badge, DeadEvent
from badges.processing import pipeline
from tests.factories import BadgeTemplateFactory
from tests.integration.eventbus.outage import Outage
from tests.integration.eventbus.stock import StockBus
from tests.integration.processing.helpers import passes

LEARNERS = ["anna", "berta", "clara"]


def holders() -> list[str]:
    return sorted(Badge.objects.values_list("user__username", flat=True))


@pytest.fixture
def _three_on_the_bus(transactional_db: None, stock_bus: StockBus) -> None:
    passes(BadgeTemplateFactory())
    for learner in LEARNERS:
        stock_bus.produce(learner)


@pytest.mark.usefixtures("_three_on_the_bus")
class TestAReceiverThatFails:
    """The consumer acknowledges whatever its receivers do."""

    def test_an_event_that_fails_is_parked_and_the_others_are_processed(
        self, stock_bus: StockBus, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail_for_berta(event: Any) -> pipeline.Outcome:
            if event.arguments["course_passing_status"].user.pii.username == "berta":
                raise ZeroDivisionError
            return pipeline.process_event(event)

        monkeypatch.setattr(receivers, "process_event", fail_for_berta)

        stock_bus.consume()

        assert holders() == ["anna", "clara"]
        assert DeadEvent.objects.get().payload["course_passing_status"]["user"]["pii"]["username"] == "berta"
        assert stock_bus.pending() == []

    def test_one_that_is_interrupted_is_parked(self, stock_bus: StockBus, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupted(event: Any) -> pipeline.Outcome:
            raise KeyboardInterrupt

        monkeypatch.setattr(receivers, "process_event", interrupted)

        with pytest.raises(KeyboardInterrupt):
            stock_bus.consume()

        assert stock_bus.pending() == []
        assert DeadEvent.objects.get().payload["course_passing_status"]["user"]["pii"]["username"] == "anna"


@pytest.mark.usefixtures("_three_on_the_bus")
class TestADatabaseThatIsAway:
    """The consumer fails before it calls a receiver where an open connection does not work any more."""

    def test_all_are_processed_when_it_is_back(self, stock_bus: StockBus, outage: Outage) -> None:
        connection.close()
        outage.begin(refusals=7)

        stock_bus.consume()

        assert outage.tries == 7
        assert holders() == LEARNERS
        assert not DeadEvent.objects.exists()

    def test_the_message_stays_pending_while_it_is_waited_for(self, stock_bus: StockBus, outage: Outage) -> None:
        pending: list[list[str]] = []
        outage.at_each_try = lambda: pending.append(stock_bus.pending())
        connection.close()
        outage.begin(refusals=3)

        stock_bus.consume()

        assert len(pending) == 3
        assert all(len(ids) == 1 and ids == pending[0] for ids in pending)
        assert stock_bus.pending() == []

    @pytest.mark.parametrize("when", LEARNERS)
    def test_one_that_goes_away_between_two_messages_costs_none(
        self, stock_bus: StockBus, outage: Outage, monkeypatch: pytest.MonkeyPatch, when: str
    ) -> None:
        prepare = internal.prepare_for_new_work_cycle
        left = list(LEARNERS)

        def go_away_first() -> None:
            if left.pop(0) == when:
                outage.begin(refusals=3)
            prepare()

        monkeypatch.setattr(internal, "prepare_for_new_work_cycle", go_away_first)
        connection.close()

        stock_bus.consume()

        assert outage.tries == 3
        assert holders() == LEARNERS
        assert not DeadEvent.objects.exists()

    def test_one_that_goes_away_in_the_middle_of_an_event_costs_none(
        self, stock_bus: StockBus, outage: Outage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calls: list[str] = []

        def go_away_within(event: Any) -> pipeline.Outcome:
            calls.append(event.arguments["course_passing_status"].user.pii.username)
            if len(calls) == 2:
                connection.ensure_connection()
                outage.begin(refusals=2)
            return pipeline.process_event(event)

        monkeypatch.setattr(receivers, "process_event", go_away_within)
        connection.close()

        stock_bus.consume()

        assert calls == ["anna", "berta", "berta", "clara"]
        assert holders() == LEARNERS

    def test_no_connection_is_left_behind(self, stock_bus: StockBus, outage: Outage) -> None:
        stock_bus.consume()

        assert connection.connection is None

    def test_what_another_receiver_leaves_open_can_cost_the_next_message(
        self, stock_bus: StockBus, outage: Outage
    ) -> None:
        """The limit of what a receiver can do, and a reason for the app's own consumer."""

        def leave_open(course_passing_status: Any, **kwargs: Any) -> None:
            if course_passing_status.user.pii.username == "anna":
                connection.ensure_connection()
                outage.begin(refusals=1)

        COURSE_PASSING_STATUS_UPDATED.connect(leave_open)
        connection.close()

        stock_bus.consume()

        assert holders() == ["anna", "clara"]


@pytest.mark.usefixtures("_three_on_the_bus")
def test_an_event_that_was_delivered_before_changes_nothing(stock_bus: StockBus) -> None:
    stock_bus.consume()
    badges = list(Badge.objects.order_by("pk").values())
    for learner in LEARNERS:
        stock_bus.produce(learner)

    stock_bus.consume()

    assert list(Badge.objects.order_by("pk").values()) == badges
