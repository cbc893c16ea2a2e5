"""``replay_events``: what it selects, does, prints and exits with."""

from __future__ import annotations

import os
import signal
import uuid
from typing import Any

import pytest
from django.db import OperationalError
from pytest_django import Settings

from badges.exceptions import UnreadableMessage, UnreadablePayload
from badges.models import Badge, DeadEvent, Delivery
from badges.processing.dead_events import incoming, park, park_message, record_lost
from badges.processing.pipeline import process_event
from badges.processing.replaying import discard
from tests import factories
from tests.factories import PASSING, BadgeTemplateFactory, DeadEventFactory
from tests.integration.bus_messages import fields, origin
from tests.integration.commands import Ended, run
from tests.integration.processing.helpers import passes

pytestmark = pytest.mark.django_db
Status = DeadEvent.Status


@pytest.fixture(autouse=True)
def _template() -> None:
    passes(BadgeTemplateFactory())


def replay(*arguments: str, **options: Any) -> Ended:
    return run("replay_events", *arguments, **options)


def parked(username: str = "anna", *, at: float = 0, error: str = "It was too early.") -> DeadEvent:
    metadata = factories.metadata(at=at)
    event = incoming(metadata, {"course_passing_status": factories.passing_status(username)})
    return park(event, UnreadablePayload(error))


def waiting() -> set[int]:
    return set(DeadEvent.objects.filter(status=Status.WAITING).values_list("pk", flat=True))


def test_all_are_replayed_and_counted() -> None:
    parked("anna"), parked("ben")

    ended = replay("--all")

    assert ended.status == 0
    assert ended.out == (
        "2 events replayed: 2 requirements fulfilled, 0 reset; 2 badges awarded, 0 revoked. 0 failed again.\n"
    )
    assert Badge.objects.count() == 2
    assert not waiting()


def test_a_second_run_changes_nothing() -> None:
    parked()
    replay("--all")
    ended = replay("--all")
    assert (ended.status, ended.out.split(":")[0]) == (0, "0 events replayed")


@pytest.mark.parametrize(
    ("arguments", "chosen"),
    [
        (["--event-type", PASSING], {"early", "late", "message"}),
        (["--kind", "failed"], {"early", "late", "other"}),
        (["--kind", "unreadable"], {"message"}),
        (["--error", "TOO EARLY"], {"early"}),
        (["--error", "too", "--event-type", PASSING], {"early", "late"}),
        (["--id", "early", "--id", "late"], {"early", "late"}),
        (["--event-id", "early"], {"early"}),
        (["--event-id", "message"], {"message"}),
        (["--id", "early", "--kind", "unreadable"], set()),
    ],
)
def test_what_fits_all_that_is_given_is_selected(arguments: list[str], chosen: set[str]) -> None:
    sent = uuid.uuid4()
    rows: dict[str, DeadEvent] = {
        "early": parked(),
        "late": parked(error="It was too late."),
        "other": DeadEventFactory(event_type="org.other.v1"),
        "message": park_message(fields(event_id=sent), origin(), UnreadableMessage("No Avro.")),
    }
    record_lost(origin(2))
    discard(parked(), "No.")
    words = {name: str(row.pk if "--id" in arguments else row.event_id or sent) for name, row in rows.items()}

    ended = replay(*(words.get(word, word) for word in arguments), "--dry-run")

    assert {name for name, row in rows.items() if f"dead event {row.pk}:" in ended.out} == chosen
    assert ended.out.endswith(
        f"{len(chosen)} event{'' if len(chosen) == 1 else 's'} would be replayed. Nothing was changed.\n"
    )


def test_a_dry_run_lists_in_the_order_of_the_events_and_changes_nothing() -> None:
    later, earlier = parked(at=60), parked(at=0)

    ended = replay("--all", "--dry-run")

    assert ended.status == 0
    assert ended.out.splitlines()[:2] == [
        f"dead event {earlier.pk}: {PASSING} {earlier.event_id}, 2026-01-01 00:00:00 UTC, failed: It was too early.",
        f"dead event {later.pk}: {PASSING} {later.event_id}, 2026-01-01 00:01:00 UTC, failed: It was too early.",
    ]
    assert waiting() == {later.pk, earlier.pk}
    assert "anna" not in ended.out


def test_what_fails_again_is_told_and_ends_with_3() -> None:
    fails, works = parked("x" * 200), parked()

    ended = replay("--all")

    assert ended.status == 3
    assert f"dead event {fails.pk}: The learner's username has 200 characters" in ended.errors
    assert "1 event could not be replayed" in ended.errors
    assert "1 event replayed" in ended.out
    assert waiting() == {fails.pk}
    works.refresh_from_db()
    assert works.status == Status.REPLAYED


def test_what_was_named_and_cannot_be_replayed_is_told() -> None:
    lost, discarded, done = record_lost(origin()), parked(), parked()
    discard(discarded, "A test of ours.")
    replay("--id", str(done.pk))

    ended = replay("--id", str(lost.pk), "--id", str(discarded.pk), "--id", "4711", "--id", str(done.pk))

    assert ended.status == 3
    assert f"dead event {lost.pk}: it is lost" in ended.errors
    assert f"dead event {discarded.pk}: it was discarded: A test of ours." in ended.errors
    assert "dead event 4711: there is none." in ended.errors
    assert "3 events could not be replayed" in ended.errors


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--dry-run"],
        ["--all", "--id", "1"],
        ["--id", "x"],
        ["--id", "-1"],
        ["--id", "9" * 30],
        ["--event-id", "x"],
        ["--kind", "lost"],
    ],
)
def test_wrong_arguments_end_with_2_or_are_refused(arguments: list[str]) -> None:
    parked()
    ended = replay(*arguments)
    assert ended.status in (1, 2)
    assert ended.errors
    assert len(waiting()) == 1


def test_a_database_that_is_busy_ends_it_with_1_and_nothing_is_blamed(monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(event: Any) -> None:
        raise OperationalError(1213, "Deadlock found")

    monkeypatch.setattr("badges.processing.retries.PAUSE", 0.0)
    monkeypatch.setattr("badges.processing.replaying.process_event", lose)
    parked(), parked()

    ended = replay("--all")

    assert ended.status == 1
    assert "2 events still to be replayed" in ended.errors
    assert set(DeadEvent.objects.values_list("error", "attempts")) == {("It was too early.", 1)}


def test_a_signal_ends_it_after_the_event_in_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(event: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return process_event(event)

    monkeypatch.setattr("badges.processing.replaying.process_event", interrupted)
    for username in ("anna", "ben", "eve"):
        parked(username)

    ended = replay("--all")

    assert ended.status == 1
    assert ended.out.startswith("1 event replayed")
    assert "2 events still to be replayed" in ended.errors
    assert Badge.objects.count() == 1


def test_on_a_terminal_it_shows_how_far_it_is() -> None:
    parked(), parked()
    assert "] 2/2" in replay("--all", terminal=True).out
    assert "]" not in replay("--all").out


def test_with_the_feature_off_nothing_is_processed(settings: Settings) -> None:
    parked()
    settings.BADGES_ENABLED = False
    ended = replay("--all")
    assert (ended.status, "BADGES_ENABLED is off" in ended.errors) == (1, True)
    assert len(waiting()) == 1


@pytest.mark.django_db(transaction=True)
def test_the_deliveries_are_begun_when_the_events_are_processed() -> None:
    parked()
    replay("--all")
    assert Delivery.objects.get().status == Delivery.Status.DONE
