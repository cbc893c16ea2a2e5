"""Each of the 24 event types of Credly's document, one by one: what it changes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from badges.changes import (
    BadgeChange,
    NotificationSent,
    Notified,
    Relation,
    TemplateChange,
    TemplateRemoval,
    VisibilityChange,
)
from badges.data import IssuedBadge, ListedBadge, ProviderTemplate, TemplateState
from badges.exceptions import UnexpectedAnswer
from badges.providers.answers import moment
from badges.providers.credly.events import EVENT_TYPES, read_event
from tests import credly_events as at_credly
from tests.credly_events import BADGE, ORGANIZATION, OTHER, SECOND_BADGE, TEMPLATE, Held, badge, event, template, time

OWN_ID = "628fcaa9-cfd3-4a9b-aa62-9973ac938ad6"
PENDING = ListedBadge(
    badge=IssuedBadge(
        external_id=BADGE,
        state="pending",
        url=f"https://www.credly.com/badges/{BADGE}",
        state_at=moment({"": time(0)}, ""),
        is_public=True,
    ),
    own_id=OWN_ID,
    template_external_id=TEMPLATE,
    email="anna@example.com",
    issued_at=moment({"": time(0)}, ""),
)


def at(seconds: float) -> Any:
    return moment({"": time(seconds)}, "")


def changes(answer: dict[str, Any], held: Held | None = None) -> tuple[Any, ...]:
    found: tuple[Any, ...] = result(answer, held)[0]
    return found


def result(answer: dict[str, Any], held: Held | None = None) -> Any:
    occurred_at = moment(answer, "occurred_at")
    assert occurred_at is not None
    return read_event(answer, answer["event_type"], occurred_at, ORGANIZATION, held or Held())


def test_all_24_types_of_the_document_are_known() -> None:
    assert len(EVENT_TYPES) == 24


def test_the_documentation_tells_the_effect_of_each_type() -> None:
    page = (Path(__file__).parents[3] / "docs" / "webhooks.rst").read_text()
    assert set(re.findall(r"^   \* - ``([a-z_.]+)``$", page, re.MULTILINE)) == EVENT_TYPES


# Badges.
def test_badge_created() -> None:
    answer = event("badge.created", 1, badge=badge(issuer_earner_id=OWN_ID))
    assert changes(answer) == (BadgeChange(PENDING, at(1)),)


def test_badge_state_changed() -> None:
    accepted = badge(state="accepted", state_updated_at=time(5), issuer_earner_id=OWN_ID)
    changed = evolve(PENDING, badge=evolve(PENDING.badge, state="accepted", state_at=at(5)))
    assert changes(event("badge.state.changed", 6, badge=accepted)) == (BadgeChange(changed, at(6)),)


@pytest.mark.parametrize(
    ("state", "is_valid", "is_revoked"),
    [
        ("pending", True, False),
        ("accepted", True, False),
        ("rejected", False, False),
        ("replaced", False, False),
        ("revoked", False, True),
        ("of_the_future", True, False),
    ],
)
def test_a_state_says_whether_the_badge_is_valid(state: str, is_valid: bool, is_revoked: bool) -> None:
    (change,) = changes(event("badge.state.changed", badge=badge(state=state)))
    held = change.badge.badge
    assert (held.state, held.is_valid, held.is_revoked) == (state, is_valid, is_revoked)


def test_badge_privacy_changed() -> None:
    (change,) = changes(event("badge.privacy.changed", 3, badge=badge(public=False)))
    assert (change.badge.badge.is_public, change.at) == (False, at(3))


def test_badge_deleted() -> None:
    (change,) = changes(event("badge.deleted", 9, badge=badge(state="accepted")))
    held = change.badge.badge
    assert change.is_deleted
    assert (held.external_id, held.state, held.state_at) == (BADGE, "deleted", at(9))
    assert (held.is_valid, held.is_revoked) == (False, True)


def test_a_deleted_badge_need_not_be_told_in_full() -> None:
    held = Held()
    (change,) = changes(event("badge.deleted", badge_id=BADGE), held)
    assert (change.badge.badge.external_id, held.asked) == (BADGE, [])


@pytest.mark.parametrize(
    "event_type", ["badge.created", "badge.state.changed", "badge.privacy.changed", "badge.deleted"]
)
@pytest.mark.parametrize("values", [{}, {"badge": None}, {"badge": {"state": "accepted"}}, {"badge": {"id": "\x00"}}])
def test_a_badge_event_without_its_badge_is_an_unexpected_answer(event_type: str, values: dict[str, Any]) -> None:
    with pytest.raises(UnexpectedAnswer, match=event_type):
        result(event(event_type, **values))


def test_what_took_the_place_of_a_badge_is_asked_for() -> None:
    third = "44a515e7-ece6-497e-b1d0-6ab93a6997eb"
    held = Held(
        badges={
            SECOND_BADGE: badge(id=SECOND_BADGE, state="replaced", replacement_badge_id=third),
            third: badge(id=third, replaces_badge_id=SECOND_BADGE),
        }
    )
    replaced = badge(state="replaced", replacement_badge_id=SECOND_BADGE)
    found = changes(event("badge.state.changed", badge=replaced), held)
    assert [(one.badge.badge.external_id, one.replaces) for one in found] == [
        (BADGE, ""),
        (SECOND_BADGE, BADGE),
        (third, SECOND_BADGE),
    ]


def test_replacements_that_go_round_come_to_an_end() -> None:
    held = Held(
        badges={
            BADGE: badge(replacement_badge_id=SECOND_BADGE),
            SECOND_BADGE: badge(id=SECOND_BADGE, replacement_badge_id=BADGE),
        }
    )
    assert len(changes(event("badge.state.changed", badge=badge(replacement_badge_id=SECOND_BADGE)), held)) < 10


OWNED_BY_OTHER = {"id": TEMPLATE, "owner": {"id": OTHER, "name": "Other"}}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, (Relation.OWN, "")),
        ({"issuer": None, "badge_template": {"id": TEMPLATE}}, (Relation.OWN, "")),
        ({"issuer": at_credly.issuer(ORGANIZATION.upper(), "Academy")}, (Relation.OWN, "")),
        ({"issuer": at_credly.issuer(OTHER, "Other")}, (Relation.FOR_US, "Other")),
        ({"issuer": at_credly.issuer(OTHER, "")}, (Relation.FOR_US, OTHER)),
        ({"badge_template": OWNED_BY_OTHER}, (Relation.FOR_OTHER, "Other")),
        ({"issuer": at_credly.issuer(OTHER, "Other"), "badge_template": OWNED_BY_OTHER}, (Relation.FOR_OTHER, "Other")),
    ],
)
def test_who_issued_it_for_whom(values: dict[str, Any], expected: tuple[Relation, str]) -> None:
    (change,) = changes(event("badge.created", badge=badge(**values)))
    assert (change.relation, change.other_organization) == expected


def test_who_authorized_an_issue_is_not_its_issuer() -> None:
    both = at_credly.issuer(OTHER, "Other")
    both["entities"] += at_credly.issuer(ORGANIZATION, "Academy", label="Authorized by")["entities"]
    (change,) = changes(event("badge.created", badge=badge(issuer=both)))
    assert (change.relation, change.other_organization) == (Relation.FOR_US, "Other")


# Templates.
@pytest.mark.parametrize("event_type", ["badge_template.created", "badge_template.changed"])
def test_badge_template_created_or_changed(event_type: str) -> None:
    expected = ProviderTemplate(
        external_id=TEMPLATE,
        name="Python",
        description="Knows it.",
        image_url="https://images.credly.com/python.png",
        state=TemplateState.ACTIVE,
        skills=("Python",),
        changed_at=at(4),
    )
    answer = event(event_type, 5, badge_template=template(updated_at=time(4)))
    assert changes(answer) == (TemplateChange(expected, at(4)),)


def test_a_template_that_does_not_say_when_it_changed_did_when_the_event_occurred() -> None:
    (change,) = changes(event("badge_template.changed", 5, badge_template=template(updated_at=None)))
    assert change.at == at(5)


def test_a_template_that_is_only_named_is_asked_for() -> None:
    held = Held(templates={TEMPLATE: template(name="Rust")})
    (change,) = changes(event("badge_template.changed", badge_template={"id": TEMPLATE}), held)
    assert change.template.name == "Rust"


def test_a_template_that_is_not_held_any_more_changes_nothing() -> None:
    found, note = result(event("badge_template.changed", badge_template={"id": TEMPLATE}))
    assert (found, bool(note)) == ((), True)


def test_badge_template_deleted() -> None:
    answer = event("badge_template.deleted", 7, badge_template=template())
    assert changes(answer) == (TemplateRemoval(TEMPLATE, at(7)),)
    assert changes(event("badge_template.deleted", 7, badge_template_id=TEMPLATE)) == (
        TemplateRemoval(TEMPLATE, at(7)),
    )


@pytest.mark.parametrize("event_type", [f"badge_template.{what}" for what in ("created", "changed", "deleted")])
def test_a_template_event_without_its_template_is_an_unexpected_answer(event_type: str) -> None:
    with pytest.raises(UnexpectedAnswer, match=event_type):
        result(event(event_type, badge_template={"name": "Python"}))


# Notifications.
KINDS = {
    "pending_badge_notification.sent": Notified.SENT,
    "pending_badge_notification.no_user.sent": Notified.NO_USER,
    "pending_badge_notification.unconfirmed_email.sent": Notified.UNCONFIRMED_EMAIL,
}
SHAPES: list[dict[str, Any]] = [
    {"badge": badge(issuer_earner_id=OWN_ID)},
    {"badge": {"id": BADGE}},
    {"badge": BADGE},
    {"badge_id": BADGE},
    {"badges": [badge(issuer_earner_id=OWN_ID)]},
    {"pending_badge_notification": {"id": SECOND_BADGE, "badge": {"id": BADGE}}},
    {"pending_badge_notification": {"id": SECOND_BADGE, "badge_id": BADGE}},
    {"notification": {"user": {"badges": [{"id": BADGE}]}}},
]


@pytest.mark.parametrize("event_type", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_pending_badge_notification(event_type: str, shape: dict[str, Any]) -> None:
    held = Held(badges={BADGE: badge(issuer_earner_id=OWN_ID)})
    found = changes(event(event_type, 2, **shape), held)
    assert found == (BadgeChange(PENDING, at(2)), NotificationSent(BADGE, KINDS[event_type], at(2), OWN_ID))


def test_a_notification_of_a_badge_that_is_gone_is_told_all_the_same() -> None:
    found = changes(event("pending_badge_notification.sent", badge={"id": BADGE}))
    assert found == (NotificationSent(BADGE, Notified.SENT, at(0)),)


@pytest.mark.parametrize("event_type", KINDS)
def test_a_notification_that_names_no_badge_is_ignored(event_type: str) -> None:
    found, note = result(event(event_type, user={"id": OTHER}, badge=None, badges={"count": 0}))
    assert (found, note) == ((), "The event names no badge.")


# Visibility.
@pytest.mark.parametrize(
    ("event_type", "is_public"), [("user.public_badges.added", True), ("user.public_badges.removed", False)]
)
@pytest.mark.parametrize("shape", SHAPES)
def test_user_public_badges_added_or_removed(event_type: str, is_public: bool, shape: dict[str, Any]) -> None:
    held = Held(badges={BADGE: badge(issuer_earner_id=OWN_ID)})
    known, visibility = changes(event(event_type, 2, **shape), held)
    assert visibility == VisibilityChange(BADGE, is_public, at(2), OWN_ID)
    assert known.badge.badge == evolve(PENDING.badge, is_public=None)


def test_user_public_badges_changed() -> None:
    theirs = {"id": SECOND_BADGE, "state": "accepted", "public": False, "issuer": at_credly.issuer(OTHER, "Other")}
    known, ours, other = changes(event("user.public_badges.changed", 2, badges=[badge(public=True), theirs]))
    assert known.badge.badge.external_id == BADGE
    assert ours == VisibilityChange(BADGE, is_public=True, at=at(2))
    assert other == VisibilityChange(SECOND_BADGE, is_public=False, at=at(2))


def test_a_badge_whose_visibility_is_not_told_is_asked_for() -> None:
    held = Held(badges={BADGE: badge(public=False)})
    found = changes(event("user.public_badges.changed", user={"badges": [{"id": BADGE}, {"id": SECOND_BADGE}]}), held)
    assert found[1:] == (VisibilityChange(BADGE, is_public=False, at=at(0)),)
    assert held.asked == [BADGE, SECOND_BADGE]


def test_only_some_badges_of_one_event_are_asked_for() -> None:
    held = Held()
    changes(event("user.public_badges.changed", badges=[{"id": f"badge-{number}"} for number in range(500)]), held)
    assert len(held.asked) == 20


def test_a_change_of_visibility_that_names_no_badge_is_ignored() -> None:
    found, note = result(event("user.public_badges.changed", user={"id": OTHER}))
    assert (found, note) == ((), "The event does not say which badges are visible.")


# What is not known.
@pytest.mark.parametrize("event_type", ["collection.created", "badge", "employment", "badge.state.changed.v2"])
def test_a_type_of_the_future_is_ignored_with_a_note(event_type: str) -> None:
    found, note = result(event(event_type, badge=badge(state="revoked")))
    assert found == ()
    assert event_type in note
