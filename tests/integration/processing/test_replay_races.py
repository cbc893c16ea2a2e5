"""People and consumers who work on the same dead event at once have the effect of one."""

from __future__ import annotations

import contextlib
import threading
from functools import partial
from typing import Any

import pytest
from django.db import connection

from badges.exceptions import BadgesError, UnreadablePayload
from badges.models import Badge, DeadEvent, Delivery
from badges.processing import dead_events
from badges.processing.catching_up import catch_up
from badges.processing.dead_events import incoming, park, record_lost
from badges.processing.pipeline import Outcome
from badges.processing.replaying import discard, replay
from tests import factories
from tests.factories import BadgeTemplateFactory
from tests.integration.bus_messages import origin
from tests.integration.processing.helpers import passes
from tests.integration.test_races import at_once

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets one writer in at a time: nothing races"),
]
ROUNDS = 10
ERROR = UnreadablePayload("It was too early.")


def event(number: int) -> Any:
    data = factories.passing_status(f"learner{number}")
    return incoming(factories.metadata(), {"course_passing_status": data}, origin(number))


def replayed(dead: DeadEvent) -> Outcome | None:
    """What a replay does; None where somebody else was first and discarded it."""
    try:
        return replay(DeadEvent.objects.get(pk=dead.pk))
    except BadgesError:
        return None


def test_two_people_who_replay_at_once_have_the_effect_of_one() -> None:
    passes(BadgeTemplateFactory())
    for number in range(ROUNDS):
        dead = park(event(number), ERROR)

        came = at_once(partial(replayed, dead), partial(replayed, dead))

        assert sorted(len(outcome.awarded) for outcome in came) == [0, 1]
    assert Badge.objects.count() == Delivery.objects.count() == ROUNDS
    assert set(DeadEvent.objects.values_list("status", flat=True)) == {"replayed"}


def test_one_who_replays_and_one_who_discards_do_one_of_both() -> None:
    passes(BadgeTemplateFactory())
    for number in range(ROUNDS):
        dead = park(event(number), ERROR)

        outcome, is_discarded = at_once(partial(replayed, dead), partial(discard, dead, "No."))

        assert bool(outcome) is not is_discarded
        assert DeadEvent.objects.get(pk=dead.pk).status == ("discarded" if is_discarded else "replayed")
    assert Badge.objects.count() == DeadEvent.objects.filter(status="replayed").count()


def test_who_parks_an_event_again_waits_for_whoever_has_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are held between reading and writing. Without a lock the one would undo what the other wrote."""
    same = event(1)
    dead = park(same, ERROR)
    meeting, update = threading.Barrier(2), dead_events._update

    def update_together(*arguments: Any, **options: Any) -> None:
        with contextlib.suppress(threading.BrokenBarrierError):
            meeting.wait(timeout=1)
        update(*arguments, **options)

    monkeypatch.setattr(dead_events, "_update", update_together)

    at_once(partial(park, same, ERROR), partial(park, same, ERROR))

    assert DeadEvent.objects.get(pk=dead.pk).attempts == 3
    assert meeting.broken, "the second one was not held back by a lock"


def test_consumers_that_park_the_same_event_at_once_make_one_row() -> None:
    for number in range(ROUNDS):
        failed = event(number)
        first, second, third = at_once(
            partial(park, failed, ERROR), partial(park, failed, ERROR), partial(record_lost, failed.origin)
        )
        assert first.pk == second.pk == third.pk
    assert DeadEvent.objects.count() == ROUNDS
    assert set(DeadEvent.objects.values_list("kind", flat=True)) == {"failed"}


def test_a_replay_and_a_catch_up_of_the_same_events_award_once_and_wait_for_nobody_for_ever() -> None:
    passes(BadgeTemplateFactory())
    for number in range(ROUNDS):
        events = [event(10 * number + one) for one in range(3)]
        rows = [park(one, ERROR) for one in events]

        at_once(partial(catch_up, events), *(partial(replayed, row) for row in rows))

    assert Badge.objects.count() == 3 * ROUNDS
    assert set(DeadEvent.objects.values_list("status", flat=True)) == {"replayed"}
