"""What an operator sees of the deliveries: when they go on, how old they are, what was asked and answered."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from badges.admin import delivery_texts
from badges.models import AccountHealth, Delivery, DeliveryAttempt
from tests import factories
from tests.factories import DeliveryFactory
from tests.integration.admin.pages import url

pytestmark = pytest.mark.django_db
Action, Status = Delivery.Action, Delivery.Status
HOUR = timedelta(hours=1)


def at_credly(**values: Any) -> Delivery:
    """A delivery of a badge that is issued at Credly."""
    template = values.pop("template", None) or factories.CredlyBadgeTemplateFactory()
    made: Delivery = DeliveryFactory(badge__template=template, **values)
    return made


def health_of(delivery: Delivery, **values: Any) -> AccountHealth:
    """The health of the account that a delivery needs."""
    account = delivery.own_badge.template.account
    assert account is not None
    return AccountHealth.objects.create(account=account, **values)


def next_time(delivery: Delivery) -> str:
    rows = delivery_texts.with_what_they_wait_for(Delivery.objects.filter(pk=delivery.pk))
    return delivery_texts.next_time(rows.get())


def listed(client: Client, **query: Any) -> list[Delivery]:
    page = client.get(url("delivery"), query)
    assert page.status_code == 200
    return list(page.context["cl"].result_list)


def content(client: Client, delivery: Delivery) -> str:
    page = client.get(url("delivery", delivery.pk, "change"))
    assert page.status_code == 200
    return str(page.content.decode())


class TestTheNextTime:
    def test_is_that_of_the_delivery(self) -> None:
        delivery = at_credly(next_attempt_at=timezone.now() + HOUR * 5.5)
        assert "in 5\xa0hours" in next_time(delivery)

    def test_is_now_where_it_is_due(self) -> None:
        assert next_time(at_credly()) == "due now"

    def test_is_open_where_the_account_is_stopped(self) -> None:
        delivery = at_credly()
        health_of(delivery, stopped_at=timezone.now())
        assert next_time(delivery) == "when the account works again"

    def test_is_when_the_account_has_rested_if_that_is_later(self) -> None:
        delivery = at_credly(next_attempt_at=timezone.now() + HOUR)
        health = health_of(delivery, paused_until=timezone.now() + HOUR * 3.5)
        assert "in 3\xa0hours" in next_time(delivery)
        health.paused_until = timezone.now() + HOUR / 2
        health.save()
        assert "in 59\xa0minutes" in next_time(delivery)

    def test_of_an_announcement_does_not_depend_on_the_account(self) -> None:
        delivery = at_credly(action=Action.ANNOUNCE_AWARDED)
        health_of(delivery, stopped_at=timezone.now())
        assert next_time(delivery) == "due now"

    def test_of_what_is_in_progress_is_the_end_of_the_lease(self) -> None:
        delivery = at_credly(status=Status.IN_PROGRESS, leased_until=timezone.now() + HOUR * 2.5)
        assert next_time(delivery).startswith("a worker has it, until")
        assert "in 2\xa0hours" in next_time(delivery)

    def test_of_what_its_worker_left_is_now_or_when_the_account_works(self) -> None:
        left = at_credly(status=Status.IN_PROGRESS, leased_until=timezone.now() - HOUR)
        assert next_time(left) == "its worker is gone; due now"
        health_of(left, stopped_at=timezone.now())
        assert next_time(left) == "its worker is gone; when the account works again"

    def test_of_a_revocation_is_after_the_issue(self) -> None:
        issue = at_credly(next_attempt_at=timezone.now() + HOUR)
        revocation = DeliveryFactory(badge=issue.badge, action=Action.REVOKE)
        announcement = DeliveryFactory(badge=issue.badge, action=Action.ANNOUNCE_REVOKED)
        assert next_time(revocation) == "when the one before it is finished"
        assert next_time(announcement) == "due now"

    @pytest.mark.parametrize("status", [Status.DONE, Status.DEAD, Status.CANCELLED])
    def test_is_none_of_what_is_finished(self, status: str) -> None:
        assert next_time(at_credly(status=status)) == "-"


class TestTheList:
    def test_says_how_old_each_is(self, admin_client: Client) -> None:
        delivery = at_credly()
        Delivery.objects.update(created=timezone.now() - HOUR * 27)
        page = admin_client.get(url("delivery")).content.decode()
        assert "1\xa0day" in page
        assert str(delivery.badge) in page

    def test_filters_by_age(self, admin_client: Client) -> None:
        rows = [at_credly() for _ in range(4)]
        for row, hours in zip(rows, (0.5, 2, 30, 80), strict=True):
            Delivery.objects.filter(pk=row.pk).update(created=timezone.now() - HOUR * hours)
        assert listed(admin_client, older_than=1) == rows[:0:-1]
        assert listed(admin_client, older_than=24) == [rows[3], rows[2]]
        assert listed(admin_client, older_than=72) == [rows[3]]
        assert listed(admin_client, older_than="nonsense") == []

    def test_filters_by_what_is_due(self, admin_client: Client) -> None:
        now = timezone.now()
        due, later = at_credly(), at_credly(next_attempt_at=now + HOUR)
        blocked = at_credly()
        health_of(blocked, stopped_at=now)
        announced = DeliveryFactory(badge=blocked.badge, action=Action.ANNOUNCE_AWARDED)
        left = at_credly(status=Status.IN_PROGRESS, leased_until=now - HOUR)
        at_credly(status=Status.IN_PROGRESS)
        at_credly(status=Status.DEAD)
        assert listed(admin_client, due="now") == [left, announced, due]
        assert listed(admin_client, due="account") == [blocked]
        assert listed(admin_client, due="later") == [later]
        assert listed(admin_client, due="nonsense") == []

    def test_filters_by_state(self, admin_client: Client) -> None:
        rows = {status: at_credly(status=status) for status in Status.values}
        for status, row in rows.items():
            assert listed(admin_client, state=status) == [row]
        assert listed(admin_client, state="waiting") == [rows["in_progress"], rows["pending"]]
        assert listed(admin_client, state="nonsense") == listed(admin_client, state="\x00") == []

    def test_filters_by_account_and_action(self, admin_client: Client) -> None:
        issue, _ = at_credly(), at_credly()
        revocation = DeliveryFactory(badge=issue.badge, action=Action.REVOKE)
        DeliveryFactory(badge=issue.badge, action=Action.ANNOUNCE_AWARDED)
        account = issue.own_badge.template.account_id
        assert listed(admin_client, account=account) == [revocation, issue]
        assert listed(admin_client, account=account, action__exact="revoke") == [revocation]
        assert listed(admin_client, account="9" * 30) == listed(admin_client, account="x") == []

    def test_finds_by_learner_template_identifier_uuid_and_number(self, admin_client: Client) -> None:
        # Names of their own: the number in a factory's name may stand in another row's, too.
        template = factories.CredlyBadgeTemplateFactory(name="Welding of thick plates")
        wanted = at_credly(template=template, badge__user__username="anna", badge__external_id=str(uuid.uuid4()))
        at_credly()
        badge = wanted.own_badge
        for term in ("anna", "anna@example.com", badge.template.name, badge.external_id, str(badge.uuid)):
            assert listed(admin_client, q=term) == [wanted], term
        assert wanted in listed(admin_client, q=str(wanted.pk))
        assert listed(admin_client, q=badge.uuid.hex) == [wanted]

    def test_costs_the_same_for_one_row_and_for_many(
        self, admin_client: Client, django_assert_max_num_queries: Any
    ) -> None:
        health_of(at_credly(), stopped_at=timezone.now())
        with django_assert_max_num_queries(15) as few:
            listed(admin_client)
        for _ in range(10):
            health_of(at_credly(), paused_until=timezone.now() + HOUR)
        with django_assert_max_num_queries(len(few.captured_queries)):
            assert len(listed(admin_client)) == 11


class TestThePage:
    def test_tells_every_attempt_with_what_was_asked_and_answered(self, admin_client: Client) -> None:
        delivery = at_credly(give_up_at=timezone.now() + HOUR * 50, note="Retried on Monday.")
        DeliveryAttempt.objects.create(
            delivery=delivery,
            number=1,
            started_at=timezone.now(),
            duration_ms=1234,
            outcome="retry",
            status_code=503,
            detail="Credly answered 503.",
            reason="Failure 1 in a row: the pauses double, up to a limit.",
            exchanges=[
                {
                    "doing": "issuing a badge",
                    "method": "POST",
                    "path": "organizations/1/badges",
                    "asked": '{"recipient_email": "********"}',
                    "status": 503,
                    "answered": "<b>Sorry</b>",
                    "duration_ms": 87,
                    "changes": True,
                },
                {"doing": "looking", "method": "GET", "path": "x", "status": None, "answered": "no route"},
            ],
        )
        page = content(admin_client, delivery)
        for text in (
            "Retried on Monday.",
            "in 2\xa0days",
            "took 1.2 s",
            "Credly answered 503.",
            "Failure 1 in a row",
            "issuing a badge <code>POST organizations/1/badges</code>: <strong>503</strong>, 87 ms",
            "&lt;b&gt;Sorry&lt;/b&gt;",
            "<strong>no answer</strong>",
        ):
            assert text in page
        assert "<b>Sorry" not in page

    @pytest.mark.parametrize("stored", [None, {}, "nonsense", [1, None, "x"], [{}], [{"duration_ms": "x"}]])
    def test_survives_exchanges_that_are_none(self, admin_client: Client, stored: Any) -> None:
        delivery = at_credly()
        attempt = DeliveryAttempt(
            delivery=delivery, number=1, started_at=timezone.now(), duration_ms=1, outcome="retry", exchanges=stored
        )
        if stored is not None:
            attempt.save()
        assert content(admin_client, delivery)

    def test_offers_what_may_be_done_and_nothing_else(self, admin_client: Client) -> None:
        for status in Status.values:
            delivery = at_credly(status=status)
            offered = url("delivery", delivery.pk, "cancel") in content(admin_client, delivery)
            assert offered == (status in (Status.PENDING, Status.DEAD)), status

    def test_is_titled_with_its_number_and_its_badge(self, admin_client: Client) -> None:
        delivery = at_credly()
        page = admin_client.get(url("delivery", delivery.pk, "change"))
        assert page.context["title"] == f"Delivery {delivery.pk}: issue at the provider"
        assert page.context["subtitle"] == str(delivery.badge)
        assert f"<h1>Delivery {delivery.pk}: issue at the provider</h1>" in page.content.decode()

    def test_says_how_the_account_does(self, admin_client: Client) -> None:
        delivery = at_credly()
        health_of(delivery, stopped_at=timezone.now() - HOUR * 2)
        assert "stopped for 2\xa0hours" in content(admin_client, delivery)

    def test_costs_the_same_for_one_attempt_and_for_many(
        self, admin_client: Client, django_assert_max_num_queries: Any
    ) -> None:
        def attempt(number: int) -> None:
            DeliveryAttempt.objects.create(
                delivery=delivery, number=number, started_at=timezone.now(), duration_ms=1, outcome="retry"
            )

        delivery = at_credly()
        attempt(1)
        with django_assert_max_num_queries(15) as few:
            content(admin_client, delivery)
        for number in range(2, 12):
            attempt(number)
        with django_assert_max_num_queries(len(few.captured_queries)):
            content(admin_client, delivery)


def test_the_page_of_a_badge_tells_when_its_deliveries_go_on(
    admin_client: Client, django_assert_max_num_queries: Any
) -> None:
    issue = at_credly()
    health_of(issue, stopped_at=timezone.now())
    with django_assert_max_num_queries(15) as few:
        page = admin_client.get(url("badge", issue.badge_id, "change")).content.decode()
    assert "when the account works again" in page
    assert url("delivery", issue.pk, "change") in page
    for action in (Action.REVOKE, Action.ANNOUNCE_AWARDED, Action.ANNOUNCE_REVOKED):
        DeliveryFactory(badge=issue.badge, action=action)
    with django_assert_max_num_queries(len(few.captured_queries)):
        admin_client.get(url("badge", issue.badge_id, "change"))
