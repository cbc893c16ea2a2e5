"""Deliveries are cancelled or marked as done by hand, with a reason."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db.models import JSONField, Value
from django.test import Client
from django.utils import timezone

from badges.data import Award, IssuedBadge
from badges.issuing import by_hand
from badges.issuing.by_hand import NotPossible
from badges.issuing.deliveries import LOST, run_due
from badges.models import Delivery, DeliveryAttempt
from tests import factories
from tests.factories import DeliveryFactory
from tests.integration.admin.pages import Staff, act, messages, url
from tests.integration.fake_provider import FakeProvider

pytestmark = pytest.mark.django_db
Action, Status = Delivery.Action, Delivery.Status
REASON = "Issued at the provider's own site."


def text_of(page: Any) -> str:
    assert page.status_code == 200
    return str(page.content.decode())


def left_by_its_worker() -> Delivery:
    """A delivery in progress whose worker was killed."""
    made: Delivery = DeliveryFactory(
        status=Status.IN_PROGRESS, attempts=1, leased_until=timezone.now() - timedelta(minutes=1)
    )
    return made


def attempt(delivery: Delivery, number: int, status: int | None, *, changes: bool = True) -> None:
    """An attempt whose call to the provider was answered so."""
    DeliveryAttempt.objects.create(
        delivery=delivery,
        number=number,
        started_at=timezone.now(),
        duration_ms=5,
        outcome=DeliveryAttempt.Outcome.RETRY,
        exchanges=[{"doing": "issuing a badge", "status": status, "changes": changes}],
    )


def confirm(client: Client, page: Any, *, to: str, **entered: Any) -> Any:
    """Send the form of the page that asks for a reason."""
    form = page.context["form"]
    data = {"ids": form["ids"].value(), **entered}
    return client.post(page.context["action_address"] or to, data, follow=True)


@pytest.mark.parametrize(
    ("action", "slug", "status", "said"),
    [
        ("cancel", "cancel", Status.CANCELLED, "2 deliveries were cancelled."),
        ("mark_done", "done", Status.DONE, "2 deliveries were marked as done."),
    ],
)
class TestEnding:
    def test_asks_for_a_reason_and_keeps_it(
        self, admin_client: Client, action: str, slug: str, status: str, said: str
    ) -> None:
        rows = [DeliveryFactory(), DeliveryFactory(status=Status.DEAD, last_error="Refused.")]

        page = act(admin_client, "delivery", action, *rows)
        assert {delivery.status for delivery in Delivery.objects.all()} == {Status.PENDING, Status.DEAD}
        done = confirm(admin_client, page, to=slug, reason=REASON)

        assert messages(done) == [said]
        for delivery in Delivery.objects.all():
            assert delivery.status == status
            assert delivery.note.endswith(f"by hand: {REASON}")
            assert delivery.finished_at is not None
        assert LogEntry.objects.filter(change_message__endswith=REASON).count() == 2

    def test_without_a_reason_changes_nothing(
        self, admin_client: Client, action: str, slug: str, status: str, said: str
    ) -> None:
        delivery = DeliveryFactory()

        page = act(admin_client, "delivery", action, delivery)
        refused = confirm(admin_client, page, to=slug, reason="  ")

        assert "Enter a reason" in text_of(refused)
        assert refused.context["plan"].chosen == [delivery]
        delivery.refresh_from_db()
        assert (delivery.status, delivery.note) == (Status.PENDING, "")

    def test_leaves_alone_what_is_finished_or_in_a_workers_hands_and_says_why(
        self, admin_client: Client, action: str, slug: str, status: str, said: str
    ) -> None:
        rows = [DeliveryFactory(status=one) for one in (Status.DONE, Status.CANCELLED, Status.IN_PROGRESS)]

        page = text_of(act(admin_client, "delivery", action, *rows))

        assert "None of the selected deliveries can be changed so" in page
        for why in ("1: A worker has it now.", "1: It is done.", "1: It is cancelled."):
            assert why in page

    def test_leaves_alone_what_a_worker_took_while_the_page_was_open(
        self, admin_client: Client, action: str, slug: str, status: str, said: str
    ) -> None:
        taken, other = DeliveryFactory(), DeliveryFactory()
        page = act(admin_client, "delivery", action, taken, other)
        Delivery.objects.filter(pk=taken.pk).move(
            Status.IN_PROGRESS, lease_token=other.badge.uuid, leased_until=timezone.now() + timedelta(minutes=5)
        )

        done = confirm(admin_client, page, to=slug, reason=REASON)

        assert messages(done)[-1].startswith("1 delivery was left alone")
        taken.refresh_from_db()
        other.refresh_from_db()
        assert (taken.status, other.status) == (Status.IN_PROGRESS, status)

    def test_takes_what_a_worker_left_whose_lease_is_over(
        self, admin_client: Client, action: str, slug: str, status: str, said: str
    ) -> None:
        left = left_by_its_worker()
        address = url("delivery", left.pk, slug)
        assert address in text_of(admin_client.get(url("delivery", left.pk, "change")))

        page = admin_client.get(address)
        confirm(admin_client, page, to=slug, reason=REASON)

        assert "The worker of 1 delivery is gone" in text_of(page)
        assert "The provider may have done it" in text_of(page)
        left.refresh_from_db()
        assert (left.status, left.lease_token, left.leased_until) == (status, None, None)

    def test_takes_all_that_match_the_filter_and_nothing_that_comes_later(
        self, admin_client: Client, action: str, slug: str, status: str, said: str
    ) -> None:
        dead = DeliveryFactory.create_batch(3, status=Status.DEAD)
        waiting = DeliveryFactory()
        page = admin_client.post(
            f"{url('delivery')}?state=dead",
            {"action": action, "select_across": "1", "_selected_action": [dead[0].pk]},
        )
        assert "3 deliveries will be changed" in text_of(page)
        later = DeliveryFactory(status=Status.DEAD)

        confirm(admin_client, page, to=slug, reason=REASON)

        ended = Delivery.objects.filter(status=status).values_list("pk", flat=True)
        assert sorted(ended) == [delivery.pk for delivery in dead]
        assert Delivery.objects.get(pk=later.pk).status == Status.DEAD
        assert Delivery.objects.get(pk=waiting.pk).status == Status.PENDING

    def test_is_a_button_of_the_page(
        self, admin_client: Client, action: str, slug: str, status: str, said: str
    ) -> None:
        delivery = DeliveryFactory()
        address = url("delivery", delivery.pk, slug)
        assert f'href="{address}"' in text_of(admin_client.get(url("delivery", delivery.pk, "change")))

        page = admin_client.get(address)
        done = confirm(admin_client, page, to=slug, reason=REASON)

        assert done.redirect_chain[-1][0] == url("delivery", delivery.pk, "change")
        assert Delivery.objects.get().status == status

    def test_needs_the_permission_to_change(self, staff: Staff, action: str, slug: str, status: str, said: str) -> None:
        delivery = DeliveryFactory()
        client = staff("view_delivery")
        address = url("delivery", delivery.pk, slug)

        assert address not in text_of(client.get(url("delivery", delivery.pk, "change")))
        for answer in (
            client.get(address),
            client.post(address, {"reason": REASON, "ids": delivery.pk}),
            client.post(url("delivery", slug), {"reason": REASON, "ids": delivery.pk}),
        ):
            assert answer.status_code == 403
        assert Delivery.objects.get().status == Status.PENDING
        assert text_of(staff("view_delivery", "change_delivery").get(address))

    def test_needs_the_token_against_forgery(
        self, admin_user: Any, action: str, slug: str, status: str, said: str
    ) -> None:
        delivery = DeliveryFactory()
        client = Client(enforce_csrf_checks=True)
        client.force_login(admin_user)

        answer = client.post(url("delivery", delivery.pk, slug), {"reason": REASON, "ids": delivery.pk})

        assert answer.status_code == 403
        assert Delivery.objects.get().status == Status.PENDING

    def test_costs_the_same_for_one_and_for_many(
        self,
        admin_client: Client,
        django_assert_max_num_queries: Any,
        action: str,
        slug: str,
        status: str,
        said: str,
    ) -> None:
        rows = DeliveryFactory.create_batch(11)
        page = act(admin_client, "delivery", action, rows[0])
        with django_assert_max_num_queries(30) as few:
            confirm(admin_client, page, to=slug, reason=REASON)
        with django_assert_max_num_queries(30) as asking:
            page = act(admin_client, "delivery", action, rows[1])
        with django_assert_max_num_queries(len(asking.captured_queries)):
            page = act(admin_client, "delivery", action, *rows[1:])
        with django_assert_max_num_queries(len(few.captured_queries)):
            confirm(admin_client, page, to=slug, reason=REASON)
        assert Delivery.objects.filter(status=status).count() == 11


class TestThePageTells:
    def test_that_an_attempted_issue_may_have_reached_the_provider(self, admin_client: Client) -> None:
        attempted = DeliveryFactory(attempts=2)
        attempt(attempted, 2, 422)
        assert "may have reached the provider" in text_of(admin_client.get(url("delivery", attempted.pk, "cancel")))

    @pytest.mark.parametrize(
        ("status", "changes", "is_told"),
        [
            (None, True, True),
            (502, True, True),
            (201, True, True),
            (422, True, False),
            (429, True, False),
            (None, False, False),
            (200, False, False),
        ],
    )
    def test_whether_an_answer_leaves_open_what_was_done(
        self, admin_client: Client, status: int | None, changes: bool, is_told: bool
    ) -> None:
        issue = DeliveryFactory(attempts=2, status=Status.DEAD)
        attempt(issue, 1, status, changes=changes)
        attempt(issue, 2, 422)
        page = text_of(admin_client.get(url("delivery", issue.pk, "cancel")))
        assert ("may have reached the provider" in page) is is_told

    def test_survives_exchanges_that_are_none(self, admin_client: Client) -> None:
        issue = DeliveryFactory(attempts=1)
        attempt(issue, 1, 422)
        for stored in (None, 7, "x", {"changes": True}, [1, None, "x"]):
            DeliveryAttempt.objects.update(exchanges=Value(stored, JSONField()))
            assert "may have reached" not in text_of(admin_client.get(url("delivery", issue.pk, "cancel")))

    def test_how_many_may_have_reached_the_provider_in_as_many_queries_for_one_as_for_many(
        self, admin_client: Client, django_assert_max_num_queries: Any
    ) -> None:
        rows = DeliveryFactory.create_batch(6, attempts=1)
        for delivery in rows[:5]:
            attempt(delivery, 1, None)
        attempt(rows[5], 1, 422)
        with django_assert_max_num_queries(30) as one:
            act(admin_client, "delivery", "cancel", rows[0])
        with django_assert_max_num_queries(len(one.captured_queries)):
            page = act(admin_client, "delivery", "cancel", *rows)
        assert "5 issues were attempted, and may have reached the provider" in text_of(page)

    def test_nothing_of_the_kind_of_one_that_was_never_attempted(self, admin_client: Client) -> None:
        new = DeliveryFactory()
        page = text_of(admin_client.get(url("delivery", new.pk, "cancel")))
        assert "may have reached" not in page
        assert "the provider never gets it" in page

    def test_that_a_cancelled_revocation_leaves_the_badge_valid(self, admin_client: Client) -> None:
        revocation = DeliveryFactory(action=Action.REVOKE)
        page = text_of(admin_client.get(url("delivery", revocation.pk, "cancel")))
        assert "stays valid at the provider" in page

    def test_which_deliveries_are_changed(self, admin_client: Client) -> None:
        rows = DeliveryFactory.create_batch(21)
        page = text_of(act(admin_client, "delivery", "cancel", *rows))
        assert str(rows[0].badge) in page
        assert "and 1 more" in page

    def test_that_more_are_selected_than_are_ended_at_once(
        self, admin_client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("badges.admin.ending.LIMIT", 2)
        page = act(admin_client, "delivery", "cancel", *DeliveryFactory.create_batch(5))
        assert "3 more are selected" in text_of(page)

        confirm(admin_client, page, to="cancel", reason=REASON)

        assert Delivery.objects.filter(status=Status.CANCELLED).count() == 2


class TestTheIdentifierAtTheProvider:
    def test_is_asked_of_a_single_issue_and_kept_with_the_badge(self, admin_client: Client) -> None:
        delivery = DeliveryFactory(badge__template=factories.CredlyBadgeTemplateFactory())
        page = admin_client.get(url("delivery", delivery.pk, "done"))

        confirm(admin_client, page, to="done", reason=REASON, external_id=" abc-1 ")

        delivery.badge.refresh_from_db()
        assert delivery.badge.external_id == "abc-1"

    @pytest.mark.parametrize("action", [Action.REVOKE, Action.ANNOUNCE_AWARDED])
    def test_is_asked_of_no_other_action(self, admin_client: Client, action: str) -> None:
        delivery = DeliveryFactory(action=action)
        assert "external_id" not in admin_client.get(url("delivery", delivery.pk, "done")).context["form"].fields

    def test_is_asked_of_no_two(self, admin_client: Client) -> None:
        page = act(admin_client, "delivery", "mark_done", *DeliveryFactory.create_batch(2))
        assert "external_id" not in page.context["form"].fields

    def test_that_belongs_to_several_is_refused(self) -> None:
        rows = DeliveryFactory.create_batch(2)
        with pytest.raises(NotPossible, match="single issue"):
            by_hand.end([row.pk for row in rows], Status.DONE, REASON, external_id="abc")
        assert set(Delivery.objects.values_list("status", flat=True)) == {Status.PENDING}


def test_what_waited_behind_it_goes_on(
    admin_client: Client, django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []
    monkeypatch.setattr("badges.issuing.by_hand.enqueue_on_commit", begun.append)
    badge = factories.BadgeFactory()
    issue = DeliveryFactory(badge=badge, status=Status.DEAD)
    DeliveryFactory(badge=badge, action=Action.REVOKE)
    alone = DeliveryFactory(status=Status.DEAD)

    by_hand.end([issue.pk, alone.pk], Status.CANCELLED, REASON)

    assert begun == [badge.pk]


def test_what_a_worker_brings_after_its_lease_and_such_an_end_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    delivery = DeliveryFactory(badge__template=factories.CredlyBadgeTemplateFactory())

    def issue_slowly(self: FakeProvider, award: Award) -> IssuedBadge:
        Delivery.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
        by_hand.end([delivery.pk], Status.CANCELLED, REASON)
        return IssuedBadge("ext-1", "accepted", "https://provider.example.com/1")

    monkeypatch.setattr(FakeProvider, "issue", issue_slowly)

    [attempt] = run_due(delivery.badge_id)

    delivery.refresh_from_db()
    assert (attempt.outcome, delivery.status) == (LOST, Status.CANCELLED)


@pytest.mark.parametrize("ids", ["", "x", "1,,2", "-1", "9" * 30, "\u0661", "1\x00"])
def test_ids_that_are_none_change_nothing(admin_client: Client, ids: str) -> None:
    answer = admin_client.post(url("delivery", "cancel"), {"reason": REASON, "ids": ids})
    assert "Nothing was changed" in text_of(answer)


def test_markup_in_a_reason_is_only_text(admin_client: Client) -> None:
    delivery = DeliveryFactory()
    by_hand.end([delivery.pk], Status.CANCELLED, "<script>alert(1)</script>")
    assert "<script>alert(1)" not in text_of(admin_client.get(url("delivery", delivery.pk, "change")))
