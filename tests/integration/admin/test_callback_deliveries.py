"""Deliveries of callbacks on the screen of deliveries: seen, found, retried and ended like all others."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from badges.issuing import by_hand
from badges.issuing.sweep import sweep
from badges.models import Application, CallbackEndpoint, Delivery, Review
from tests import factories
from tests.integration.admin.pages import act, messages, url
from tests.integration.callbacks.conftest import PRIVATE
from tests.integration.callbacks.receiver import Receiver, receiving

pytestmark = pytest.mark.django_db
Status = Delivery.Status


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    settings.BADGES_CONFIG = {"callbacks": PRIVATE}
    with receiving() as running:
        yield running


def about_a_badge(**values: Any) -> Delivery:
    made: Delivery = factories.CallbackDeliveryFactory(**values)
    return made


def about_a_review(**values: Any) -> Delivery:
    template = factories.BadgeTemplateFactory(name="Reviewed")
    application = Application.objects.create(
        template=template, user=factories.UserFactory(username="otto"), submitted_at=timezone.now()
    )
    review = Review.objects.create(application=application, reviewed_at=timezone.now())
    made: Delivery = factories.CallbackDeliveryFactory(
        callback__badge=None, callback__review=review, callback__action="review", **values
    )
    return made


def listed(client: Client, **query: Any) -> list[int]:
    page = client.get(url("delivery"), query)
    assert page.status_code == 200
    return sorted(row.pk for row in page.context["cl"].result_list)


def content(client: Client, delivery: Delivery) -> str:
    page = client.get(url("delivery", delivery.pk, "change"))
    assert page.status_code == 200
    return str(page.content.decode())


class TestTheList:
    def test_shows_all_kinds(self, admin_client: Client) -> None:
        rows: list[Delivery] = [
            factories.DeliveryFactory(),
            about_a_badge(callback__endpoint__name="Backpack"),
            about_a_review(),
        ]
        assert listed(admin_client) == [row.pk for row in rows]
        text = admin_client.get(url("delivery")).content.decode()
        assert "callback (award) to Backpack" in text
        assert "for Reviewed" in text

    def test_finds_by_learner_template_and_identity(self, admin_client: Client) -> None:
        badge = factories.BadgeFactory(user__username="anna", template__name="Python")
        mine, other = about_a_badge(callback__badge=badge), about_a_review()
        factories.DeliveryFactory()
        assert mine.callback is not None
        for term in ("anna", "Python", str(badge.uuid), str(mine.callback.message_id)):
            assert listed(admin_client, q=term) == [mine.pk], term
        assert listed(admin_client, q="otto") == [other.pk]
        # A number may be in a name, too.
        assert mine.pk in listed(admin_client, q=str(mine.pk))

    def test_filters_by_endpoint_and_action(self, admin_client: Client) -> None:
        mine, other = about_a_badge(), factories.DeliveryFactory()
        about_a_review()
        assert mine.callback is not None
        assert listed(admin_client, endpoint=mine.callback.endpoint_id) == [mine.pk]
        assert listed(admin_client, endpoint="99999999999999999999") == []
        assert listed(admin_client, endpoint="x") == []
        assert listed(admin_client, action__exact="issue") == [other.pk]

    def test_filters_by_what_they_wait_for(self, admin_client: Client) -> None:
        ready, resting = about_a_badge(), about_a_badge()
        assert resting.callback is not None
        CallbackEndpoint.objects.filter(pk=resting.callback.endpoint_id).update(
            paused_until=timezone.now() + timedelta(hours=1)
        )
        announced = factories.DeliveryFactory(action="announce_awarded")
        assert listed(admin_client, due="now") == [ready.pk, announced.pk]
        assert listed(admin_client, due="account") == [resting.pk]

    def test_costs_no_query_a_row(self, admin_client: Client, django_assert_max_num_queries: Any) -> None:
        for make in (about_a_badge, about_a_review):
            make()
        with django_assert_max_num_queries(20) as few:
            admin_client.get(url("delivery"))
        for _ in range(4):
            about_a_badge()
        with django_assert_max_num_queries(len(few.captured_queries)):
            admin_client.get(url("delivery"))


class TestThePage:
    def test_tells_whom_it_tells(self, admin_client: Client) -> None:
        delivery = about_a_badge(callback__endpoint__name="Backpack")
        assert delivery.callback is not None
        text = content(admin_client, delivery)
        assert f"/admin/badges/callbackendpoint/{delivery.callback.endpoint_id}/change/" in text
        assert f"/admin/badges/badge/{delivery.callback.badge_id}/change/" in text
        assert str(delivery.callback.message_id) in text

    def test_of_a_review_names_the_application(self, admin_client: Client) -> None:
        assert "for Reviewed" in content(admin_client, about_a_review())

    def test_says_when_it_goes_on(self, admin_client: Client) -> None:
        first = about_a_badge(next_attempt_at=timezone.now() + timedelta(hours=5.5))
        assert first.callback is not None
        second = factories.CallbackDeliveryFactory(
            callback__endpoint=first.callback.endpoint,
            callback__badge=first.callback.badge,
            callback__action="revoke",
        )
        assert "in 5\xa0hours" in content(admin_client, first)
        assert "when the one before it is finished" in content(admin_client, second)
        CallbackEndpoint.objects.update(paused_until=timezone.now() + timedelta(days=2.5))
        assert "in 2\xa0days" in content(admin_client, first)


class TestByHand:
    @pytest.mark.parametrize("make", [about_a_badge, about_a_review])
    def test_is_retried_at_once_also_where_its_endpoint_rests(
        self, admin_client: Client, receiver: Receiver, make: Any, django_capture_on_commit_callbacks: Any
    ) -> None:
        delivery = make(status="dead", callback__endpoint__url=receiver.url)
        CallbackEndpoint.objects.update(failures=9, paused_until=timezone.now() + timedelta(hours=1))
        with django_capture_on_commit_callbacks(execute=True):
            act(admin_client, "delivery", "retry", delivery)
        delivery.refresh_from_db()
        assert delivery.status == Status.DONE
        assert len(receiver.received) == 1

    @pytest.mark.parametrize("make", [about_a_badge, about_a_review])
    @pytest.mark.parametrize(("slug", "status"), [("cancel", "cancelled"), ("done", "done")])
    def test_is_ended_with_a_reason(self, admin_client: Client, make: Any, slug: str, status: str) -> None:
        delivery = make()
        asked = admin_client.get(url("delivery", delivery.pk, slug)).content.decode()
        assert ("A callback that is cancelled is never sent" in asked) == (slug == "cancel")
        answer = admin_client.post(
            url("delivery", delivery.pk, slug), {"reason": "Told by telephone.", "ids": delivery.pk}, follow=True
        )
        delivery.refresh_from_db()
        assert (delivery.status, messages(answer)[0].split()[0]) == (status, "1")
        assert delivery.note.endswith("Told by telephone.")

    def test_what_was_behind_goes_on(self, receiver: Receiver, django_capture_on_commit_callbacks: Any) -> None:
        first = about_a_badge(status="dead", callback__endpoint__url=receiver.url)
        assert first.callback is not None
        second = factories.CallbackDeliveryFactory(
            callback__endpoint=first.callback.endpoint, callback__badge=first.callback.badge, callback__action="revoke"
        )
        with django_capture_on_commit_callbacks(execute=True):
            by_hand.end([first.pk], Status.CANCELLED, "Not wanted.")
        sweep()
        second.refresh_from_db()
        assert second.status == Status.DONE

    def test_what_was_taken_is_sent_again_with_what_came_after_it(
        self, admin_client: Client, receiver: Receiver, django_capture_on_commit_callbacks: Any
    ) -> None:
        award = about_a_badge(callback__endpoint__url=receiver.url)
        assert award.callback is not None
        factories.CallbackDeliveryFactory(
            callback__endpoint=award.callback.endpoint, callback__badge=award.callback.badge, callback__action="revoke"
        )
        about_a_badge(callback__endpoint=award.callback.endpoint)
        review = about_a_review(callback__endpoint=award.callback.endpoint)
        sweep()
        first = [request.headers["webhook-id"] for request in receiver.received]
        assert len(first) == 4
        receiver.received.clear()

        with django_capture_on_commit_callbacks(execute=True):
            answer = act(admin_client, "delivery", "send_again", award, review)

        assert messages(answer) == ["3 callbacks are sent again."]
        again = [request.headers["webhook-id"] for request in receiver.received]
        assert again == [first[0], first[1], first[3]]
        assert set(Delivery.objects.values_list("status", "attempts")) == {(Status.DONE, 2), (Status.DONE, 1)}

    @pytest.mark.parametrize("status", ["pending", "dead", "cancelled", "in_progress"])
    def test_what_was_not_taken_is_not_sent_again(self, admin_client: Client, status: str) -> None:
        delivery, issue = about_a_badge(status=status), factories.DeliveryFactory(status="done")
        answer = act(admin_client, "delivery", "send_again", delivery, issue)
        assert messages(answer) == ["0 callbacks are sent again."]
        assert set(Delivery.objects.values_list("status", flat=True)) == {status, "done"}


def test_a_callback_waits_for_its_endpoint_alone(receiver: Receiver) -> None:
    """The account of its badge has nothing to do with it."""
    from badges.models import AccountHealth

    template = factories.CredlyBadgeTemplateFactory()
    AccountHealth.objects.create(account=template.account, stopped_at=timezone.now())
    delivery = about_a_badge(callback__badge__template=template, callback__endpoint__url=receiver.url)
    sweep()
    delivery.refresh_from_db()
    assert delivery.status == Status.DONE
