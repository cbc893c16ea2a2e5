"""An event says that a learner retires: from a bus or from the process itself, and it is never lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.checks import run_checks
from django.db import DatabaseError, OperationalError
from edx_event_bus_redis.internal.message import RedisMessage
from openedx_events.event_bus.avro.serializer import serialize_event_data_to_bytes
from openedx_events.learning.signals import COURSE_PASSING_STATUS_UPDATED

from badges.eventbus.receivers import DISPATCH_UID
from badges.models import Application, Badge, BadgeTemplate, DeadEvent, EmployeeRecord
from badges.privacy import by_event
from badges.privacy.retirement import retire
from badges.processing.replaying import NotPossible, discard, replay
from tests import factories
from tests.factories import PASSING
from tests.integration import bus_messages
from tests.integration.eventbus.redis.bus import QUICK, Bus
from tests.integration.issuing.erasing import SETTINGS, ErasingProvider
from tests.integration.privacy.leaving import EMAIL, NAME, everything, person, snapshot
from tests.integration.privacy.retired_signal import COURSE_RETIRED, EVENTS, LEARNER_RETIRED
from tests.integration.processing.helpers import passes

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def provider(provider: type[ErasingProvider], settings: Any) -> type[ErasingProvider]:
    retirement = {"events": EVENTS, "at_provider": "delete"}
    settings.BADGES_CONFIG = {**SETTINGS, "consumer": QUICK, "retirement": retirement}
    return provider


@pytest.fixture
def anna(template: BadgeTemplate) -> Any:
    return person("anna", NAME, template)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> list[Exception]:
    """Errors that retiring ends with, one at each call, before anything is done."""
    errors: list[Exception] = []

    def fail_or_retire(*args: Any, **kwargs: Any) -> Any:
        if errors:
            raise errors.pop(0)
        return retire(*args, **kwargs)

    monkeypatch.setattr(by_event, "retire", fail_or_retire)
    return errors


def send(username: str = "anna", *, is_from_bus: bool = False, **user: Any) -> None:
    data = factories.user_data(username, **user)
    if is_from_bus:
        LEARNER_RETIRED.send_event_with_custom_metadata(factories.metadata(EVENTS[0]), user=data)
    else:
        LEARNER_RETIRED.send_event(user=data)


def message(username: str = "anna", **user: Any) -> dict[bytes, bytes]:
    body = serialize_event_data_to_bytes({"user": factories.user_data(username, **user)}, LEARNER_RETIRED)
    fields: dict[bytes, bytes] = RedisMessage(bus_messages.TOPIC, body, factories.metadata(EVENTS[0])).to_binary_dict()
    return fields


def is_retired(user: Any) -> bool:
    return not Application.objects.filter(user=user).exists() and '"anna@' not in everything()


@pytest.mark.parametrize("is_from_bus", [True, False])
def test_the_learner_of_an_event_is_retired(anna: Any, provider: type[ErasingProvider], is_from_bus: bool) -> None:
    send(is_from_bus=is_from_bus)
    assert is_retired(anna)
    assert provider.held == {}
    assert not Badge.objects.filter(user=anna).exclude(status="revoked").exists()


def test_again_it_changes_nothing(anna: Any) -> None:
    send()
    before = everything()
    send()
    assert everything() == before


def test_somebody_without_a_user_record_is_known_by_name_and_address(transactional_db: None) -> None:
    factories.EmployeeRecordFactory(email=EMAIL)
    send()
    assert EmployeeRecord.objects.get().email == ""


def test_a_record_that_was_anonymized_before_is_known_by_its_lms_user_id(
    anna: Any, provider: type[ErasingProvider]
) -> None:
    anna.username, anna.email, anna.full_name, anna.lms_user_id = "retired__user_7", "", "", 7
    anna.save()
    send(id=7)
    assert is_retired(anna)
    assert provider.held == {}


def test_where_several_may_be_meant_a_person_decides(anna: Any) -> None:
    for _ in range(2):
        factories.UserFactory(lms_user_id=7)
    send("ghost", id=7)
    dead = DeadEvent.objects.get(event_type=EVENTS[0])
    assert "Use retire_learner --user-id for those that are meant" in dead.error
    assert Application.objects.filter(user=anna).exists()


def test_one_whose_learner_has_no_username_waits_for_a_person(anna: Any) -> None:
    send("", id=7)
    dead = DeadEvent.objects.get(event_type=EVENTS[0])
    assert "Use retire_learner --lms-user-id" in dead.error
    assert Application.objects.filter(user=anna).exists()


def test_neither_name_nor_address_is_logged(anna: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.clear()
    caplog.set_level("INFO", "badges")
    send()
    told = caplog.text.casefold()
    assert f"User {anna.pk} was retired".casefold() in told
    assert "anna" not in told


def test_it_is_no_event_that_earns_a_badge(transactional_db: None, settings: Any) -> None:
    passes(factories.BadgeTemplateFactory())
    settings.BADGES_CONFIG = {"retirement": {"events": [PASSING]}}
    COURSE_PASSING_STATUS_UPDATED.send_event(course_passing_status=factories.passing_status("anna"))
    assert not Badge.objects.exists()


class TestFailing:
    def test_what_fails_is_kept_and_can_be_replayed(
        self, anna: Any, failing: list[Exception], provider: type[ErasingProvider]
    ) -> None:
        failing.append(ZeroDivisionError("anna@example.com"))
        send()
        dead = DeadEvent.objects.get(event_type=EVENTS[0])
        assert (dead.status, "anna" in dead.error) == ("waiting", False)

        replay(dead)
        assert dead.status == "replayed"
        assert is_retired(anna)
        assert provider.held == {}

    def test_a_replay_that_fails_waits_with_its_new_error(self, anna: Any, failing: list[Exception]) -> None:
        failing += [ZeroDivisionError(), OverflowError()]
        send()
        dead = DeadEvent.objects.get(event_type=EVENTS[0])
        with pytest.raises(Exception, match="OverflowError"):
            replay(dead)
        dead.refresh_from_db()
        assert (dead.status, "OverflowError" in dead.error) == ("waiting", True)
        replay(dead)
        assert is_retired(anna)

    def test_one_that_was_discarded_is_not_replayed(self, anna: Any, failing: list[Exception]) -> None:
        failing.append(ZeroDivisionError())
        send()
        dead = DeadEvent.objects.get(event_type=EVENTS[0])
        discard(dead, "It was a mistake.")
        with pytest.raises(NotPossible):
            replay(dead)
        assert Application.objects.filter(user=anna).exists()


class TestOnOurConsumer:
    @pytest.fixture
    def bus(self, redis_url: str, settings: Any) -> Iterator[Bus]:
        settings.EVENT_BUS_REDIS_CONNECTION_URL = redis_url
        bus = Bus(redis_url)
        yield bus
        bus.client.close()

    def test_it_is_applied_after_what_came_with_it(self, bus: Bus, anna: Any, provider: type[ErasingProvider]) -> None:
        passes(factories.BadgeTemplateFactory())
        bus.produce("anna", "berta")
        bus.add(message())
        bus.consume()
        assert bus.pending() == []
        assert is_retired(anna)
        assert not Badge.objects.filter(user=anna, status="awarded").exists()
        assert set(Badge.objects.filter(status="awarded").values_list("user__username", flat=True)) == {"berta"}
        assert provider.held == {}

    def test_what_fails_for_a_while_is_tried_again(self, bus: Bus, anna: Any, failing: list[Exception]) -> None:
        failing += [ZeroDivisionError(), OverflowError(), OperationalError("server closed the connection")]
        bus.add(message())
        bus.consume()
        assert is_retired(anna)
        assert not DeadEvent.objects.filter(event_type=EVENTS[0]).exists()

    def test_what_keeps_failing_is_a_dead_event_that_replays(
        self, bus: Bus, anna: Any, failing: list[Exception]
    ) -> None:
        failing += [ZeroDivisionError()] * 6
        bus.produce("berta")
        bus.add(message())
        bus.consume()
        assert bus.pending() == []
        dead = DeadEvent.objects.get(event_type=EVENTS[0])
        assert (dead.status, dead.topic) == ("waiting", bus.stream)
        failing.clear()
        replay(dead)
        assert is_retired(anna)

    def test_read_again_it_changes_nothing(self, bus: Bus, anna: Any) -> None:
        bus.add(message())
        bus.consume()
        before = snapshot()
        bus.add(message())
        bus.consume()
        assert {**snapshot(), "BusConsumer": before["BusConsumer"]} == before

    def test_one_that_lost_against_another_transaction_is_done_again_with_what_came_with_it(
        self, bus: Bus, anna: Any, failing: list[Exception]
    ) -> None:
        failing.append(DatabaseError(1213, "Deadlock found"))
        passes(factories.BadgeTemplateFactory())
        bus.produce("berta")
        bus.add(message())
        bus.consume()
        assert is_retired(anna)
        assert Badge.objects.filter(user__username="berta").exists()


class TestConfiguration:
    def connected(self) -> bool:
        return any(DISPATCH_UID in str(receiver[0]) for receiver in LEARNER_RETIRED.receivers)

    def test_the_receiver_follows_the_settings(self, settings: Any) -> None:
        assert self.connected()
        settings.BADGES_CONFIG = {}
        assert not self.connected()
        settings.BADGES_CONFIG = {"retirement": {"events": EVENTS}}
        assert self.connected()
        settings.BADGES_ENABLED = False
        assert not self.connected()

    @pytest.mark.parametrize(
        ("retirement", "told"),
        [
            ({}, []),
            ({"events": EVENTS}, []),
            ({"events": ["org.openedx.nonsense.v1"]}, ["badges.E020"]),
            ({"events": [COURSE_RETIRED.event_type]}, ["badges.E021"]),
            ({"events": [PASSING]}, ["badges.E022"]),
            ({"events": "all"}, ["badges.E001"]),
            ({"at_provider": "burn"}, ["badges.E001"]),
            ({"at": "provider"}, ["badges.E001"]),
        ],
    )
    def test_what_is_wrong_is_told(self, settings: Any, retirement: Any, told: list[str]) -> None:
        settings.BADGES_CONFIG = {"retirement": retirement}
        found = [one for one in run_checks() if str(one.id).startswith("badges.E")]
        assert [one.id for one in found] == told
        assert all(one.hint for one in found)
