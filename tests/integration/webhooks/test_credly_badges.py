"""Our badge follows Credly: state, page, visibility; taken away there, it is taken away here; what took its place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from badges.issuing.deliveries import run_due
from badges.models import AccountHealth, Badge, BadgeNotification, Delivery, ProviderBadge
from tests.credly_events import BADGE, SECOND_BADGE, badge, event, time
from tests.factories import CredlyOrganizationFactory, DeliveryFactory
from tests.integration.webhooks.credly import API, World, apply_event

Action, Status = Delivery.Action, Delivery.Status
PAGE = f"https://www.credly.com/badges/{BADGE}"


def now_of(ours: Badge) -> Badge:
    return Badge.objects.get(pk=ours.pk)


def deliveries_of(ours: Badge) -> dict[str, str]:
    return dict(Delivery.objects.filter(badge=ours).order_by("pk").values_list("action", "status"))


@pytest.mark.parametrize("state", ["accepted", "rejected"])
def test_what_the_learner_decides_is_shown(credly: World, state: str) -> None:
    ours = credly.own_badge(state="pending")
    row = credly.happens("badge.state.changed", 5, badge=badge(state=state, state_updated_at=time(5)))
    after = now_of(ours)
    assert (after.state, after.url, after.is_public, after.is_awarded) == (state, PAGE, True, True)
    assert row.note == (
        f'Badge {ours.uuid} is now "{state}" at the provider. '
        f"Badge {ours.uuid} is now visible to everybody at the provider."
    )
    assert not ProviderBadge.objects.exists()


def test_an_older_state_never_overwrites_a_newer_one(credly: World) -> None:
    ours = credly.own_badge()
    credly.happens("badge.state.changed", 5, badge=badge(state="accepted", state_updated_at=time(5)))
    row = credly.happens("badge.created", 1, badge=badge(state="pending", state_updated_at=time(1)))
    assert now_of(ours).state == "accepted"
    assert row.status == "ignored"


def test_of_two_states_at_the_same_time_the_later_one_in_a_life_counts(credly: World) -> None:
    ours = credly.own_badge()
    credly.happens("badge.state.changed", 5, badge=badge(state="accepted", state_updated_at=time(5)))
    credly.happens("badge.created", 5, badge=badge(state="pending", state_updated_at=time(5)))
    assert now_of(ours).state == "accepted"


@pytest.mark.parametrize("is_public", [True, False])
def test_visibility_follows(credly: World, is_public: bool) -> None:
    ours = credly.own_badge(is_public=not is_public)
    credly.happens("badge.privacy.changed", 5, badge=badge(public=is_public))
    assert now_of(ours).is_public is is_public
    credly.happens("badge.privacy.changed", 4, badge=badge(public=not is_public))
    assert now_of(ours).is_public is is_public


def test_of_two_visibilities_at_the_same_time_the_private_one_counts(credly: World) -> None:
    ours = credly.own_badge()
    credly.happens("badge.privacy.changed", 5, badge=badge(public=False))
    credly.happens("badge.privacy.changed", 5, badge=badge(public=True))
    assert now_of(ours).is_public is False


@pytest.mark.parametrize(("event_type", "state"), [("badge.state.changed", "revoked"), ("badge.deleted", "accepted")])
def test_a_badge_that_was_taken_away_there_is_revoked_here_and_announced(
    credly: World, event_type: str, state: str
) -> None:
    ours = credly.own_badge(state="accepted")
    row = credly.happens(event_type, 9, badge=badge(state=state, state_updated_at=time(9)))
    after = now_of(ours)
    assert (after.status, after.state) == ("revoked", "deleted" if event_type == "badge.deleted" else "revoked")
    assert after.revoked_at == row.occurred_at
    # Nothing is sent back: what would be is written down as done.
    assert deliveries_of(ours) == {
        Action.ISSUE: Status.DONE,
        Action.ANNOUNCE_REVOKED: Status.PENDING,
        Action.REVOKE: Status.DONE,
    }
    assert "was revoked here" in row.note


def test_a_badge_that_we_revoked_ourselves_is_not_announced_again(credly: World) -> None:
    ours = credly.own_badge(state="accepted", status="revoked")
    DeliveryFactory(badge=ours, action=Action.REVOKE, status=Status.DONE)
    credly.happens("badge.state.changed", 9, badge=badge(state="revoked", state_updated_at=time(9)))
    assert now_of(ours).state == "revoked"
    assert Action.ANNOUNCE_REVOKED not in deliveries_of(ours)


def test_a_revoked_badge_that_is_valid_there_stays_revoked_and_is_noted(credly: World) -> None:
    ours = credly.own_badge(status="revoked")
    row = credly.happens("badge.state.changed", 9, badge=badge(state="accepted", state_updated_at=time(9)))
    assert (now_of(ours).status, now_of(ours).state) == ("revoked", "accepted")
    assert "is revoked here, and valid at the provider" in row.note


def test_while_our_revocation_is_under_way_nothing_is_noted(credly: World) -> None:
    ours = credly.own_badge(status="revoked")
    DeliveryFactory(badge=ours, action=Action.REVOKE)
    row = credly.happens("badge.state.changed", 9, badge=badge(state="accepted", state_updated_at=time(9)))
    assert "valid at the provider" not in row.note


@pytest.mark.parametrize(
    ("status", "action", "state"), [("awarded", Action.ISSUE, "accepted"), ("revoked", Action.REVOKE, "revoked")]
)
def test_a_delivery_that_was_given_up_is_done_when_credly_tells_that_it_is(
    credly: World, status: str, action: str, state: str
) -> None:
    ours = credly.own_badge(status=status)
    Delivery.objects.all().delete()
    DeliveryFactory(badge=ours, action=action, status=Status.DEAD)
    credly.happens("badge.state.changed", 9, badge=badge(state=state, state_updated_at=time(9)))
    assert deliveries_of(ours) == {action: Status.DONE}


# An issue whose answer has not come yet.
@pytest.mark.parametrize("delivery", [{}, {"status": "in_progress", "attempts": 1}, {"attempts": 3}])
def test_a_badge_that_is_told_of_before_our_answer_is_ours(credly: World, delivery: dict[str, Any]) -> None:
    ours = credly.own_badge(external_id="")
    Delivery.objects.all().delete()
    issue = DeliveryFactory(badge=ours, **delivery)
    credly.happens("badge.created", 1, badge=badge(issuer_earner_id=str(ours.uuid).upper()))
    assert Badge.objects.count() == 1
    assert (now_of(ours).external_id, now_of(ours).state) == (BADGE, "pending")
    assert Delivery.objects.get(pk=issue.pk).status == issue.status


def test_a_badge_that_is_revoked_there_while_we_issue_it_is_looked_for_once_more(credly: World) -> None:
    ours = credly.own_badge(external_id="")
    Delivery.objects.all().delete()
    DeliveryFactory(badge=ours, status="in_progress", attempts=1)
    revoked = badge(state="revoked", state_updated_at=time(9), issuer_earner_id=str(ours.uuid))
    credly.happens("badge.state.changed", 9, badge=revoked)
    assert not now_of(ours).is_awarded
    assert deliveries_of(ours)[Action.REVOKE] == Status.PENDING


# What takes its place.
def replacement(**values: Any) -> dict[str, Any]:
    return badge(**{"id": SECOND_BADGE, "replaces_badge_id": BADGE, "state_updated_at": time(5), **values})


def test_what_took_the_place_of_our_badge_is_our_badge(credly: World) -> None:
    ours = credly.own_badge(state="accepted", is_public=False)
    row = credly.happens("badge.created", 5, badge=replacement(issuer_earner_id=str(ours.uuid)))
    credly.happens("badge.state.changed", 5, badge=badge(state="replaced", state_updated_at=time(5)))
    after = now_of(ours)
    assert (after.external_id, after.state, after.is_awarded, after.is_public) == (SECOND_BADGE, "pending", True, True)
    assert "took the place" in row.note
    assert Badge.objects.count() == 1


def test_a_replaced_badge_leads_to_what_took_its_place(credly: World) -> None:
    ours = credly.own_badge(state="accepted")
    credly.answer(f"badges/{SECOND_BADGE}", replacement())
    replaced = badge(state="replaced", state_updated_at=time(5), replacement_badge_id=SECOND_BADGE)
    credly.happens("badge.state.changed", 5, badge=replaced)
    assert (now_of(ours).external_id, now_of(ours).state) == (SECOND_BADGE, "pending")


def test_a_row_of_replacements_that_is_told_backwards_is_followed_to_its_end(credly: World) -> None:
    ours = credly.own_badge(state="accepted")
    third = "44a515e7-ece6-497e-b1d0-6ab93a6997eb"
    credly.happens("badge.created", 8, badge=replacement(id=third, replaces_badge_id=SECOND_BADGE))
    assert now_of(ours).external_id == BADGE
    credly.happens("badge.created", 5, badge=replacement())
    assert now_of(ours).external_id == third
    assert set(ProviderBadge.objects.values_list("external_id", "badge", "email")) == {
        (SECOND_BADGE, ours.pk, ""),
        (third, ours.pk, ""),
    }


def test_what_is_told_of_a_former_badge_does_not_touch_ours(credly: World) -> None:
    ours = credly.own_badge(external_id=SECOND_BADGE, state="accepted")
    own = str(ours.uuid)
    credly.happens("badge.deleted", 9, badge=badge(state="replaced", issuer_earner_id=own))
    assert (now_of(ours).external_id, now_of(ours).state, now_of(ours).is_awarded) == (SECOND_BADGE, "accepted", True)


def test_a_second_badge_for_one_award_is_noted(credly: World) -> None:
    ours = credly.own_badge(state="accepted")
    row = credly.happens("badge.created", 9, badge=badge(id=SECOND_BADGE, issuer_earner_id=str(ours.uuid)))
    assert now_of(ours).external_id == BADGE
    assert f"Revoke {SECOND_BADGE} there" in row.note
    assert ProviderBadge.objects.get().note == row.note


def test_a_badge_of_another_template_takes_no_place(credly: World) -> None:
    ours = credly.own_badge(state="accepted")
    other = {"id": "0a02c83a-7323-4290-a8ac-ce346ef1a5c3", "name": "Rust"}
    credly.happens("badge.created", 5, badge=replacement(badge_template=other))
    credly.happens("badge.state.changed", 5, badge=badge(state="replaced", state_updated_at=time(5)))
    assert (now_of(ours).external_id, now_of(ours).state, now_of(ours).is_awarded) == (BADGE, "replaced", True)


# Notifications.
@pytest.mark.parametrize("kind", ["sent", "no_user", "unconfirmed_email"])
def test_notifications_are_the_history_of_a_badge(credly: World, kind: str) -> None:
    ours = credly.own_badge(state="pending")
    event_type = "pending_badge_notification" + ("" if kind == "sent" else f".{kind}") + ".sent"
    rows = [credly.happens(event_type, at, badge=badge(state="pending")) for at in (1, 3, 3)]
    notifications = BadgeNotification.objects.filter(badge=ours)
    assert list(notifications.values_list("kind", flat=True)) == [kind, kind]
    assert [row.status for row in rows] == ["processed", "processed", "ignored"]


def test_a_notification_says_why_the_badge_is_not_claimed(credly: World) -> None:
    ours = credly.own_badge(state="pending", state_at=None, is_public=True)
    row = credly.happens("pending_badge_notification.no_user.sent", badge=badge(state="pending"))
    assert "The learner has no account at the provider under this e-mail address." in row.note
    assert str(ours.uuid) in row.note


def test_a_notification_may_come_before_our_answer(credly: World) -> None:
    ours = credly.own_badge(external_id="")
    credly.answer(f"badges/{BADGE}", badge(issuer_earner_id=str(ours.uuid)))
    credly.happens("pending_badge_notification.sent", badge={"id": BADGE})
    assert BadgeNotification.objects.get().badge == ours
    assert now_of(ours).external_id == BADGE


def test_a_notification_of_a_strange_badge_is_nobodys_history(credly: World) -> None:
    credly.happens("pending_badge_notification.sent", badge=badge(recipient_email="x@example.com"))
    assert not BadgeNotification.objects.exists()


# Visibility by user.public_badges.*
def test_what_a_user_shows_is_public_and_what_not_is_not(credly: World) -> None:
    ours = credly.own_badge(state="accepted")
    credly.happens("user.public_badges.added", 3, badge=badge(state="accepted"))
    assert now_of(ours).is_public is True
    credly.happens("user.public_badges.removed", 5, badge=badge(state="accepted"))
    assert now_of(ours).is_public is False
    credly.happens("user.public_badges.changed", 4, badges=[badge(state="accepted", public=True)])
    assert now_of(ours).is_public is False


def test_badges_of_other_issuers_that_a_user_shows_are_not_recorded(credly: World) -> None:
    theirs = badge(id=SECOND_BADGE, badge_template={"id": "x", "owner": {"id": "0b6e6f0e", "name": "Other"}})
    row = credly.happens("user.public_badges.added", 3, badges=[theirs])
    assert row.status == "ignored"
    assert not ProviderBadge.objects.exists()


def test_an_event_without_its_badge_is_tried_again_and_not_lost(credly: World) -> None:
    row = credly.happens("badge.state.changed", 3)
    assert row.status == "failed"
    assert "badge.state.changed" in row.last_error


def test_events_without_their_badges_do_not_keep_deliveries_waiting(credly: World) -> None:
    """What Credly's answers hold is not documented: a type that never has its badge must not stop the account."""
    for number in range(6):
        credly.happens("badge.state.changed", number)
    assert AccountHealth.objects.values_list("failures", "paused_until").get() == (0, None)


def test_badges_of_another_account_are_left_alone(credly: World) -> None:
    ours = credly.own_badge(state="accepted")
    apply_event(event("badge.state.changed", 9, badge=badge(state="revoked")), CredlyOrganizationFactory())
    assert now_of(ours).is_awarded


def test_an_answer_to_our_issue_that_comes_after_the_event_breaks_nothing(credly: World) -> None:
    """The learner accepts while Credly's answer to our request is still on its way."""
    ours = credly.own_badge(external_id="")
    Delivery.objects.all().delete()
    DeliveryFactory(badge=ours, action=Action.ISSUE)
    own = str(ours.uuid)

    def answer(request: Any) -> tuple[int, dict[str, str], str]:
        accepted = badge(state="accepted", state_updated_at=time(5), issuer_earner_id=own)
        assert credly.happens("badge.state.changed", 5, badge=accepted).status == "processed"
        return 201, {}, json.dumps({"data": badge(issuer_earner_id=own), "metadata": {}})

    credly.mock.add_callback("POST", f"{API}/{credly.account.external_id}/badges", answer)
    run_due(ours.pk)
    assert deliveries_of(ours) == {Action.ISSUE: Status.DONE}
    assert (now_of(ours).external_id, now_of(ours).state, Badge.objects.count()) == (BADGE, "accepted", 1)
