"""A badge that we did not award is recorded; it is adopted where its template and its learner are ours."""

from __future__ import annotations

from typing import Any

import pytest

from badges.models import Badge, BadgeNotification, Delivery, ProviderBadge
from tests import credly_events as at_credly
from tests.credly_events import BADGE, ORGANIZATION, OTHER, SECOND_BADGE, TEMPLATE, badge, event, time
from tests.factories import BadgeFactory, UserFactory
from tests.integration.webhooks.credly import World, apply_event

Action, Status = Delivery.Action, Delivery.Status
ELSEWHERE = {"id": "0a02c83a-7323-4290-a8ac-ce346ef1a5c3", "name": "Rust"}


def test_a_badge_of_ours_that_was_issued_there_is_adopted_and_announced(credly: World) -> None:
    row = credly.happens("badge.created", 1, badge=badge(public=False))
    adopted = Badge.objects.get()
    assert (adopted.user, adopted.template_id) == (credly.learner, credly.template.pk)
    assert (adopted.external_id, adopted.state, adopted.is_public) == (BADGE, "pending", False)
    assert adopted.awarded_at == at_credly.moment_of({"occurred_at": time(0)})
    assert dict(Delivery.objects.values_list("action", "status")) == {
        Action.ANNOUNCE_AWARDED: Status.PENDING,
        Action.ISSUE: Status.DONE,
    }
    assert "was adopted and announced" in row.note


def test_with_its_adoption_the_recorded_address_is_emptied(credly: World) -> None:
    credly.happens("badge.created", badge=badge())
    recorded = ProviderBadge.objects.get()
    assert (recorded.badge, recorded.email, recorded.note) == (Badge.objects.get(), "", "")


def test_an_adopted_badge_follows(credly: World) -> None:
    credly.happens("badge.created", badge=badge())
    credly.happens("badge.state.changed", 5, badge=badge(state="accepted", state_updated_at=time(5)))
    recorded = ProviderBadge.objects.get()
    assert (Badge.objects.get().state, recorded.state, recorded.email) == ("accepted", "accepted", "")


def test_an_adopted_badge_that_is_revoked_there_is_revoked_here(credly: World) -> None:
    credly.happens("badge.created", badge=badge())
    credly.happens("badge.state.changed", 5, badge=badge(state="revoked", state_updated_at=time(5)))
    assert not Badge.objects.get().is_awarded
    assert Delivery.objects.get(action=Action.REVOKE).status == Status.DONE


def test_the_address_is_compared_in_whatever_case(credly: World) -> None:
    credly.happens("badge.created", badge=badge(recipient_email=" Anna@Example.COM "))
    assert Badge.objects.get().user == credly.learner


def test_a_badge_that_was_issued_on_our_behalf_is_adopted(credly: World) -> None:
    credly.happens("badge.created", badge=badge(issuer=at_credly.issuer(OTHER, "Partner")))
    recorded = ProviderBadge.objects.get()
    assert (recorded.relation, recorded.other_organization) == ("for_us", "Partner")
    assert recorded.badge == Badge.objects.get()


def test_a_badge_that_we_issued_on_behalf_of_another_is_only_recorded(credly: World) -> None:
    theirs = {"id": TEMPLATE, "name": "Python", "owner": {"id": OTHER, "name": "Partner"}}
    row = credly.happens("badge.created", badge=badge(badge_template=theirs))
    recorded = ProviderBadge.objects.get()
    assert (recorded.relation, recorded.other_organization) == ("for_other", "Partner")
    assert "on behalf of another organization" in row.note
    assert not Badge.objects.exists()


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"badge_template": ELSEWHERE}, "template"),
        ({"badge_template": None}, "template"),
        ({"recipient_email": "nobody@example.com"}, "learner"),
        ({"recipient_email": None}, "learner"),
        ({"state": "revoked"}, "not valid"),
        ({"state": "rejected"}, "not valid"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "not valid"),
    ],
)
def test_a_badge_that_cannot_be_adopted_is_recorded_with_the_reason(
    credly: World, values: dict[str, Any], reason: str
) -> None:
    row = credly.happens("badge.created", badge=badge(**values))
    recorded = ProviderBadge.objects.get()
    assert not Badge.objects.exists()
    assert recorded.badge is None
    assert recorded.external_id == BADGE
    assert reason in recorded.note
    assert recorded.note in row.note
    assert row.status == "processed"


def test_no_address_stands_in_a_note(credly: World) -> None:
    row = credly.happens("badge.created", badge=badge(recipient_email="nobody@example.com"))
    assert "nobody" not in row.note + ProviderBadge.objects.get().note


@pytest.mark.parametrize("is_active", [True, False])
def test_several_learners_with_one_address_are_nobody_unless_one_is_active(credly: World, is_active: bool) -> None:
    UserFactory(email="ANNA@example.com", is_active=is_active)
    credly.happens("badge.created", badge=badge())
    assert Badge.objects.exists() is not is_active


def test_a_learner_who_has_the_badge_gets_no_second_one(credly: World) -> None:
    ours = credly.own_badge(external_id="another")
    row = credly.happens("badge.created", badge=badge())
    assert Badge.objects.get().external_id == "another"
    assert str(ours.uuid) in row.note
    assert ProviderBadge.objects.get().badge is None


def test_a_badge_that_is_revoked_here_stays_so(credly: World) -> None:
    credly.own_badge(external_id="another", status="revoked")
    row = credly.happens("badge.created", badge=badge())
    assert not Badge.objects.get().is_awarded
    assert "is revoked here, and stays so" in row.note


def test_a_template_that_becomes_known_makes_the_badge_ours_with_the_next_event(credly: World) -> None:
    credly.happens("badge.created", badge=badge(badge_template=ELSEWHERE))
    type(credly.template).objects.update(external_id=ELSEWHERE["id"])
    credly.happens("badge.state.changed", 5, badge=badge(state="accepted", badge_template=ELSEWHERE))
    assert Badge.objects.get().state == "accepted"
    assert ProviderBadge.objects.get().badge == Badge.objects.get()


def test_a_badge_that_is_told_of_before_its_template_is_adopted_with_the_template(credly: World) -> None:
    credly.happens("badge.created", 2, badge=badge(badge_template=ELSEWHERE))
    stranger = badge(id=SECOND_BADGE, badge_template=ELSEWHERE, recipient_email="nobody@example.com")
    credly.happens("badge.created", 2, badge=stranger)
    row = credly.happens("badge_template.created", 1, badge_template=at_credly.template(**ELSEWHERE))
    adopted = Badge.objects.get()
    assert (adopted.external_id, adopted.state, adopted.template.name) == (BADGE, "pending", "Rust")
    assert adopted.awarded_at == at_credly.moment_of({"occurred_at": time(0)})
    assert "was adopted and announced" in row.note
    assert Delivery.objects.get(action=Action.ISSUE).status == Status.DONE
    assert set(ProviderBadge.objects.values_list("badge", "email")) == {(adopted.pk, ""), (None, "nobody@example.com")}


def test_a_template_adopts_no_badge_that_is_not_ours(credly: World) -> None:
    revoked = badge(state="revoked", badge_template=ELSEWHERE)
    of_another = badge(id=SECOND_BADGE, badge_template={**ELSEWHERE, "owner": {"id": OTHER, "name": "Partner"}})
    for one in (revoked, of_another):
        credly.happens("badge.created", 2, badge=one)
    credly.happens("badge_template.created", 1, badge_template=at_credly.template(**ELSEWHERE))
    assert not Badge.objects.exists()


def test_what_was_told_before_its_adoption_is_kept(credly: World) -> None:
    """The revocation comes before the issue that it revokes: the end is the same as in order."""
    credly.happens("badge.state.changed", 9, badge=badge(state="revoked", state_updated_at=time(9), public=False))
    assert not Badge.objects.exists()
    credly.happens("badge.created", 1, badge=badge())
    adopted = Badge.objects.get()
    assert (adopted.state, adopted.status, adopted.is_public) == ("revoked", "revoked", False)


def test_a_notification_adopts_the_badge_that_it_is_about(credly: World) -> None:
    credly.happens("pending_badge_notification.no_user.sent", badge=badge())
    assert BadgeNotification.objects.get().badge == Badge.objects.get()


def test_our_identifier_of_a_badge_that_we_lost_is_taken_again(credly: World) -> None:
    lost = "7d5224b7-2be7-4a6b-ab8c-bccac09b2a28"
    credly.happens("badge.created", badge=badge(issuer_earner_id=lost))
    assert str(Badge.objects.get().uuid) == lost


def test_an_identifier_of_ours_at_another_account_makes_no_second_badge_of_it(credly: World) -> None:
    elsewhere = BadgeFactory()
    credly.happens("badge.created", badge=badge(issuer_earner_id=str(elsewhere.uuid)))
    assert Badge.objects.exclude(pk=elsewhere.pk).get().uuid != elsewhere.uuid


@pytest.mark.parametrize(
    "values",
    [
        {"state": "x" * 300, "recipient_email": f"{'x' * 300}@example.com"},
        {"badge_template": {"id": "x" * 255}, "replaces_badge_id": "y" * 255},
        {"state": "a\x00b", "recipient_email": "a\x00@example.com", "badge_template": {"id": "a\x00"}},
        {"state": "\ud800", "recipient_email": "\ud800@example.com", "replaces_badge_id": "\ud800"},
        {
            "issuer": at_credly.issuer(OTHER, "x" * 5000),
            "badge_template": {"id": "\ud800", "owner": {"id": ORGANIZATION}},
        },
        {"badge_url": f"https://x.example/{'x' * 2000}", "accept_badge_url": "https://x.example/\x00\ud800"},
        {"issued_at": "0001-01-01T00:00:00+23:59", "state_updated_at": "9999-12-31T23:59:59-23:59"},
        {"id": 10**200, "issuer_earner_id": 7, "public": "yes", "badge_template": []},
    ],
)
def test_values_that_no_column_holds_fail_nothing(credly: World, values: dict[str, Any]) -> None:
    for name in ("badge.created", "badge.deleted", "pending_badge_notification.sent", "user.public_badges.changed"):
        apply_event(event(name, badge=badge(**values)), credly.account)
    assert ProviderBadge.objects.count() == 1


def test_two_badges_of_one_learner_and_template_are_one_badge_here(credly: World) -> None:
    credly.happens("badge.created", 1, badge=badge())
    credly.happens("badge.created", 2, badge=badge(id=SECOND_BADGE))
    assert Badge.objects.get().external_id == BADGE
    assert ProviderBadge.objects.count() == 2
