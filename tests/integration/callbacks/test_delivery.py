"""Callbacks are deliveries: sent, retried with the same identity, in order, given up, cancelled; and endpoints rest."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from typing import Any

import jwt
import pytest
from django.db import transaction
from django.utils import timezone
from pytest_django import Settings
from standardwebhooks import Webhook

from badges.issuing.awards import award, revoke
from badges.issuing.callback_delivery import send_test
from badges.issuing.callback_health import resting_endpoints
from badges.issuing.callback_lanes import Subject
from badges.issuing.callback_signing import standard_form
from badges.issuing.deliveries import run_callbacks
from badges.issuing.sweep import sweep
from badges.models import Application, CallbackEndpoint, Delivery, DeliveryAttempt, Evidence, Review, ReviewItem
from tests import factories
from tests.integration.callbacks.conftest import PRIVATE
from tests.integration.callbacks.receiver import Received, Receiver, receiving

pytestmark = pytest.mark.django_db
Action, Status = Delivery.Action, Delivery.Status
SECRET = "a secret of at least thirty-two bytes"


@pytest.fixture
def endpoint(receiver: Receiver) -> CallbackEndpoint:
    made: CallbackEndpoint = factories.CallbackEndpointFactory(name="Receiver", url=receiver.url, secret=SECRET)
    return made


def waiting(endpoint: CallbackEndpoint, action: str = "award", **badge: Any) -> Delivery:
    made: Delivery = factories.CallbackDeliveryFactory(
        callback__endpoint=endpoint, callback__action=action, callback__badge=factories.BadgeFactory(**badge)
    )
    return made


def run(delivery: Delivery) -> Delivery:
    """Send what is due about the badge of this one."""
    assert delivery.callback is not None
    Delivery.objects.filter(status=Status.PENDING).move(Status.PENDING, next_attempt_at=timezone.now())
    run_callbacks(Subject(badge_id=delivery.callback.badge_id))
    delivery.refresh_from_db()
    return delivery


def genuine(request: Received, secret: str = SECRET) -> Any:
    """The message, once both of its signatures are verified."""
    token = request.headers["authorization"].removeprefix('JWT token="').removesuffix('"')
    claims = jwt.decode(token, secret, algorithms=["HS256"])
    assert claims["path"] == request.path
    assert claims["method"] == "POST"
    return Webhook(standard_form(secret)).verify(request.body, request.headers)


class TestSending:
    def test_tells_the_receiver_what_happened(self, endpoint: CallbackEndpoint, receiver: Receiver) -> None:
        delivery = run(waiting(endpoint))
        assert delivery.status == Status.DONE
        assert delivery.callback is not None
        assert delivery.callback.badge is not None
        [request] = receiver.received
        message = genuine(request)
        assert (message["action"], message["uid"]) == ("award", str(delivery.callback.badge.uuid))
        assert request.headers["webhook-id"] == str(delivery.callback.message_id)

    def test_is_signed_with_the_secret_of_its_endpoint(self, endpoint: CallbackEndpoint, receiver: Receiver) -> None:
        endpoint.secret = "another secret of at least thirty-two bytes"
        endpoint.save()
        run(waiting(endpoint))
        assert genuine(receiver.received[0], "another secret of at least thirty-two bytes")

    def test_is_repeated_with_the_same_id(self, endpoint: CallbackEndpoint, receiver: Receiver) -> None:
        receiver.answer(503)
        delivery = run(waiting(endpoint))
        assert (delivery.status, delivery.failures) == (Status.PENDING, 1)
        assert run(delivery).status == Status.DONE
        first, second = receiver.received
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        assert first.body == second.body

    def test_waits_as_long_as_the_receiver_asks(self, endpoint: CallbackEndpoint, receiver: Receiver) -> None:
        receiver.answer(429, Retry_After="3600")
        delivery = run(waiting(endpoint))
        assert delivery.next_attempt_at - timezone.now() > timedelta(minutes=59)

    def test_is_given_up_at_once_where_it_is_refused(self, endpoint: CallbackEndpoint, receiver: Receiver) -> None:
        receiver.answer(400, b"unknown badge")
        delivery = run(waiting(endpoint))
        assert delivery.status == Status.DEAD
        assert "HTTP 400" in delivery.last_error

    def test_is_not_wanted_by_an_endpoint_that_is_switched_off(
        self, endpoint: CallbackEndpoint, receiver: Receiver
    ) -> None:
        CallbackEndpoint.objects.update(is_active=False)
        delivery = run(waiting(endpoint))
        assert (delivery.status, receiver.received) == (Status.CANCELLED, [])
        assert "switched off" in delivery.note

    @pytest.mark.parametrize(("action", "switch"), [("award", "sends_awards"), ("revoke", "sends_revocations")])
    def test_is_not_wanted_by_one_that_is_told_of_other_things(
        self, endpoint: CallbackEndpoint, receiver: Receiver, action: str, switch: str
    ) -> None:
        CallbackEndpoint.objects.update(**{switch: False})
        assert run(waiting(endpoint, action)).status == Status.CANCELLED
        assert receiver.received == []

    def test_waits_where_the_secret_cannot_be_read(
        self, endpoint: CallbackEndpoint, receiver: Receiver, settings: Settings
    ) -> None:
        delivery = waiting(endpoint)
        settings.BADGES_ENCRYPTION_KEYS = ["another key"]
        assert run(delivery).status == Status.PENDING
        assert "cannot be decrypted" in delivery.last_error
        assert delivery.next_attempt_at > timezone.now(), "it is not tried again and again"


class TestTheHistory:
    def test_tells_what_was_asked_and_answered(self, endpoint: CallbackEndpoint, receiver: Receiver) -> None:
        receiver.answer(503, b"come back, anna")
        delivery = run(waiting(endpoint))
        [exchange] = DeliveryAttempt.objects.get(delivery=delivery).exchanges
        assert exchange["doing"] == "sending a callback"
        assert exchange["path"] == receiver.url.split("/")[2]
        assert (exchange["status"], exchange["answered"]) == (503, "come back, anna")
        assert '"action": "award"' in exchange["asked"]

    def test_names_no_learner_and_no_secret(
        self, endpoint: CallbackEndpoint, receiver: Receiver, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        user = factories.UserFactory(email="Anna.Lee@example.com")
        receiver.answer(500, f"{SECRET} anna.lee@example.com".encode())
        delivery = run(waiting(endpoint, user=user))
        token = receiver.received[0].headers["authorization"]
        kept = json.dumps(list(DeliveryAttempt.objects.values("detail", "reason", "exchanges")))
        endpoint.refresh_from_db()
        for text in (kept, delivery.last_error, endpoint.last_error, caplog.text):
            assert "lee@example" not in text.lower()
            assert SECRET not in text
            assert token not in text

    def test_keeps_nothing_of_what_was_written_in_a_review(
        self, endpoint: CallbackEndpoint, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("badges.issuing.callback_delivery.LONGEST_TOLD", 100_000)
        application = Application.objects.create(
            template=factories.BadgeTemplateFactory(),
            user=factories.UserFactory(email="private1@example.com"),
            submitted_at=timezone.now(),
        )
        Evidence.objects.create(application=application, kind="link", url="https://x/private2", reflection="private3")
        review = Review.objects.create(
            application=application, author_email="private4@x.org", comment="private5", reviewed_at=timezone.now()
        )
        ReviewItem.objects.create(review=review, comment="private6")
        factories.CallbackDeliveryFactory(
            callback__endpoint=endpoint, callback__badge=None, callback__review=review, callback__action="review"
        )
        sweep()
        assert receiver.received[0].body.count(b"private") == 6
        [exchange] = DeliveryAttempt.objects.get().exchanges
        assert '"slug"' in exchange["asked"]
        assert "private" not in json.dumps(exchange)


class TestOrder:
    def test_a_revocation_is_not_told_before_its_award(self, endpoint: CallbackEndpoint, receiver: Receiver) -> None:
        receiver.answer(503)
        first = waiting(endpoint)
        assert first.callback is not None
        badge = first.callback.badge
        factories.CallbackDeliveryFactory(callback__endpoint=endpoint, callback__badge=badge, callback__action="revoke")
        run(first)
        assert [genuine(request)["action"] for request in receiver.received] == ["award"]
        run(first)
        assert [genuine(request)["action"] for request in receiver.received] == ["award", "award", "revoke"]

    def test_another_endpoint_does_not_wait(self, endpoint: CallbackEndpoint, receiver: Receiver) -> None:
        receiver.answer(503)
        first = waiting(endpoint)
        assert first.callback is not None
        with receiving() as other:
            factories.CallbackDeliveryFactory(callback__endpoint__url=other.url, callback__badge=first.callback.badge)
            run(first)
            assert len(other.received) == 1


class TestTheEndpoint:
    @pytest.fixture(autouse=True)
    def _patient(self, settings: Settings, receiver: Receiver) -> None:
        settings.BADGES_CONFIG = {
            "callbacks": PRIVATE,
            "deliveries": {"failures": 3, "pause": 60, "longest_pause": 200},
        }

    def fail(self, endpoint: CallbackEndpoint, receiver: Receiver, times: int = 1) -> CallbackEndpoint:
        for _ in range(times):
            CallbackEndpoint.objects.update(paused_until=None)
            receiver.answer(500)
            run(waiting(endpoint))
        endpoint.refresh_from_db()
        return endpoint

    def test_rests_after_failures_in_a_row(self, endpoint: CallbackEndpoint, receiver: Receiver) -> None:
        assert self.fail(endpoint, receiver, 2).paused_until is None
        assert resting_endpoints() == []
        assert self.fail(endpoint, receiver).paused_until is not None
        assert resting_endpoints() == [endpoint.pk]

    def test_is_left_alone_while_it_rests(self, endpoint: CallbackEndpoint, receiver: Receiver) -> None:
        self.fail(endpoint, receiver, 3)
        seen, delivery = len(receiver.received), waiting(endpoint)
        sweep()
        assert run(delivery).status == Status.PENDING
        assert len(receiver.received) == seen

    def test_rests_longer_and_longer_up_to_a_limit(self, endpoint: CallbackEndpoint, receiver: Receiver) -> None:
        pauses = []
        for times in (3, 1, 1, 1):
            row = self.fail(endpoint, receiver, times)
            assert row.paused_until is not None
            pauses.append(round((row.paused_until - timezone.now()).total_seconds(), -1))
        assert pauses == [60, 120, 200, 200]

    def test_is_well_again_after_a_success(self, endpoint: CallbackEndpoint, receiver: Receiver) -> None:
        self.fail(endpoint, receiver, 3)
        CallbackEndpoint.objects.update(paused_until=timezone.now())
        run(waiting(endpoint))
        endpoint.refresh_from_db()
        assert (endpoint.failures, endpoint.paused_until, endpoint.last_error) == (0, None, "")
        assert endpoint.last_success_at is not None

    def test_that_wants_no_more_is_switched_off(
        self, endpoint: CallbackEndpoint, receiver: Receiver, caplog: pytest.LogCaptureFixture
    ) -> None:
        receiver.answer(410)
        assert run(waiting(endpoint)).status == Status.DEAD
        endpoint.refresh_from_db()
        assert not endpoint.is_active
        assert "was switched off" in caplog.text

    def test_a_defect_of_our_own_record_is_not_its_failure(
        self, endpoint: CallbackEndpoint, receiver: Receiver
    ) -> None:
        assert run(waiting(endpoint, user=factories.UserFactory(email=""))).status == Status.DEAD
        endpoint.refresh_from_db()
        assert endpoint.failures == 0


def test_a_test_message_is_signed_and_tells_nothing(endpoint: CallbackEndpoint, receiver: Receiver) -> None:
    assert send_test(endpoint).status == 200
    message = genuine(receiver.received[0])
    assert (message["action"], message["endpoint"]) == ("test", "Receiver")


@pytest.mark.django_db(transaction=True)
def test_an_award_and_its_revocation_are_told(endpoint: CallbackEndpoint, receiver: Receiver) -> None:
    template, user = factories.BadgeTemplateFactory(), factories.UserFactory()
    with transaction.atomic():
        [badge] = award(user, {template.pk: factories.moment(0)})
    with transaction.atomic():
        revoke([badge], factories.moment(5))
    sweep()
    told = [genuine(request) for request in receiver.received]
    assert [(one["action"], one["uid"]) for one in told] == [
        ("award", str(badge.uuid)),
        ("revoke", str(badge.uuid)),
    ]
