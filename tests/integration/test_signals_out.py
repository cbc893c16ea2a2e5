"""The public signals that tell the platform of badges."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from openedx_events.event_bus import get_producer
from openedx_events.learning.data import BadgeData, BadgeTemplateData, UserData, UserPersonalData
from openedx_events.learning.signals import BADGE_AWARDED, BADGE_REVOKED

from badges.eventbus import receivers
from badges.issuing import awards
from badges.issuing.deliveries import run_due
from badges.models import Badge, DeadEvent, Delivery
from tests.factories import BadgeTemplateFactory, CredlyBadgeTemplateFactory, RequirementFactory, UserFactory, moment

pytestmark = pytest.mark.django_db


@pytest.fixture
def heard() -> Iterator[list[tuple[Any, dict[str, Any]]]]:
    """Every badge signal that is sent: (signal, its arguments)."""
    sent: list[tuple[Any, dict[str, Any]]] = []

    def listen(signal: Any, **kwargs: Any) -> None:
        sent.append((signal, kwargs))

    for signal in (BADGE_AWARDED, BADGE_REVOKED):
        signal.connect(listen, dispatch_uid="tests.listen")
    yield sent
    for signal in (BADGE_AWARDED, BADGE_REVOKED):
        signal.disconnect(listen, dispatch_uid="tests.listen")


def test_an_award_is_announced_with_the_complete_badge(heard: list[Any]) -> None:
    user = UserFactory(username="anna", lms_user_id=77)
    template = CredlyBadgeTemplateFactory()
    [badge] = awards.award(user, {template.pk: moment(5)})
    badge.deliveries.filter(action=Delivery.Action.ISSUE).delete()

    run_due(badge.pk)

    [(signal, arguments)] = heard
    assert signal is BADGE_AWARDED
    assert arguments["badge"] == BadgeData(
        uuid=str(badge.uuid),
        user=UserData(
            id=77,
            is_active=True,
            pii=UserPersonalData(username="anna", email="anna@example.com", name="Anna Maria Lee"),
        ),
        template=BadgeTemplateData(
            uuid=str(template.uuid),
            origin="credly",
            name=template.name,
            description=template.description,
            image_url=template.image_url,
        ),
    )
    assert (arguments["metadata"].time, arguments["from_event_bus"]) == (moment(5), False)


def test_a_revocation_is_announced_after_its_award(heard: list[Any]) -> None:
    [badge] = awards.award(UserFactory(), {BadgeTemplateFactory().pk: moment(5)})
    awards.revoke([badge], moment(6))

    run_due(badge.pk)

    assert [signal for signal, _ in heard] == [BADGE_AWARDED, BADGE_REVOKED]
    assert heard[1][1]["metadata"].time == moment(6)


def test_a_template_without_a_provider_has_the_origin_openedx(heard: list[Any]) -> None:
    [badge] = awards.award(UserFactory(), {BadgeTemplateFactory().pk: moment(5)})

    run_due(badge.pk)

    assert heard[0][1]["badge"].template.origin == "openedx"


def test_a_learner_without_an_lms_id_is_announced_with_the_id_here(heard: list[Any]) -> None:
    user = UserFactory(lms_user_id=None)
    [badge] = awards.award(user, {BadgeTemplateFactory().pk: moment(5)})

    run_due(badge.pk)

    assert heard[0][1]["badge"].user.id == user.pk


def test_an_announcement_that_the_producer_could_not_take_is_tried_again() -> None:
    def general_signal_handler(**kwargs: Any) -> None:
        raise ConnectionError

    [badge] = awards.award(UserFactory(), {BadgeTemplateFactory().pk: moment(5)})
    BADGE_AWARDED.connect(general_signal_handler, dispatch_uid="tests.producer")
    try:
        run_due(badge.pk)
    finally:
        BADGE_AWARDED.disconnect(general_signal_handler, dispatch_uid="tests.producer")

    delivery = badge.deliveries.get()
    assert delivery.status == Delivery.Status.PENDING
    assert "event bus" in delivery.last_error


def test_an_announcement_waits_while_the_bus_is_away(settings: Any) -> None:
    """The real producer swallows its errors, so that a lost announcement would look like one that was sent."""
    settings.EVENT_BUS_REDIS_CONNECTION_URL = "redis://127.0.0.1:9/0"
    settings.EVENT_BUS_PRODUCER_CONFIG = {
        BADGE_AWARDED.event_type: {"learning-badges-lifecycle": {"event_key_field": "badge.uuid", "enabled": True}}
    }
    get_producer.cache_clear()
    [badge] = awards.award(UserFactory(), {BadgeTemplateFactory().pk: moment(5)})
    try:
        run_due(badge.pk)
    finally:
        get_producer.cache_clear()

    delivery = badge.deliveries.get()
    assert delivery.status == Delivery.Status.PENDING
    assert "Redis does not answer" in delivery.last_error


def test_with_debug_on_a_broken_receiver_does_not_repeat_the_announcement_either(settings: Any) -> None:
    def broken(**kwargs: Any) -> None:
        raise ValueError

    settings.DEBUG = True
    [badge] = awards.award(UserFactory(), {BadgeTemplateFactory().pk: moment(5)})
    BADGE_AWARDED.connect(broken, dispatch_uid="tests.broken")
    try:
        run_due(badge.pk)
    finally:
        BADGE_AWARDED.disconnect(broken, dispatch_uid="tests.broken")

    assert badge.deliveries.get().status == Delivery.Status.DONE


def test_a_receiver_of_somebody_else_that_fails_does_not_repeat_the_announcement() -> None:
    def broken(**kwargs: Any) -> None:
        raise ValueError

    [badge] = awards.award(UserFactory(), {BadgeTemplateFactory().pk: moment(5)})
    BADGE_AWARDED.connect(broken, dispatch_uid="tests.broken")
    try:
        run_due(badge.pk)
    finally:
        BADGE_AWARDED.disconnect(broken, dispatch_uid="tests.broken")

    assert badge.deliveries.get().status == Delivery.Status.DONE


def test_a_badge_can_be_a_requirement_of_another_and_its_echo_from_the_bus_counts_once(settings: Any) -> None:
    settings.BADGES_CONFIG = {"events": [BADGE_AWARDED.event_type]}
    first, second = BadgeTemplateFactory(), BadgeTemplateFactory()
    RequirementFactory(
        template=second,
        event_type=BADGE_AWARDED.event_type,
        rules=[("template.uuid", "eq", str(first.uuid))],
    )
    user = UserFactory(username="anna")
    [badge] = awards.award(user, {first.pk: moment(5)})
    echoes: list[Any] = []
    BADGE_AWARDED.connect(lambda **kwargs: echoes.append(kwargs), dispatch_uid="tests.echo", weak=False)
    try:
        run_due(badge.pk)
    finally:
        BADGE_AWARDED.disconnect(dispatch_uid="tests.echo")

    with CaptureQueriesContext(connection) as queries:
        receivers.receive(**{**echoes[0], "from_event_bus": True})

    assert Badge.objects.filter(user=user, template=second).count() == 1
    assert not DeadEvent.objects.exists()
    assert all(query["sql"].startswith("SELECT") for query in queries)
