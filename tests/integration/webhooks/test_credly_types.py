"""Each of the 24 types of Credly's document, posted, confirmed and applied: what it changed here."""

from __future__ import annotations

import json
from typing import Any

import pytest

from badges.models import Badge, BadgeNotification, BadgeTemplate, EmployeeRecord
from badges.providers.credly.events import EVENT_TYPES
from tests.credly_events import ORGANIZATION, TEMPLATE, badge, event, example, template, time
from tests.integration.webhooks.credly import World

LATER = {"state_updated_at": time(5)}


def ours(name: str) -> Any:
    return Badge.objects.values_list(name, flat=True).get()


def known(name: str) -> Any:
    return BadgeTemplate.objects.filter(external_id=TEMPLATE).values_list(name, flat=True).get()


def employee(name: str) -> Any:
    return EmployeeRecord.objects.values_list(name, flat=True).get()


def notified() -> Any:
    return BadgeNotification.objects.values_list("kind", flat=True).get()


def shown() -> int:
    return EmployeeRecord.objects.get().badges.count()


def employment(name: str, **values: Any) -> dict[str, Any]:
    """What an example of the document says of an employee."""
    data = json.loads(example(name))["data"]
    return {**{key: data[key] for key in ("employment", "badge") if key in data}, **values}


CREATED, ADDED = employment("employment_created_event"), employment("employment_badge_added_event")
CASES: dict[str, tuple[dict[str, Any], Any, Any]] = {
    "badge.created": ({"badge": badge()}, lambda: ours("state"), "pending"),
    "badge.state.changed": ({"badge": badge(state="accepted", **LATER)}, lambda: ours("state"), "accepted"),
    "badge.privacy.changed": ({"badge": badge(public=False)}, lambda: ours("is_public"), False),
    "badge.deleted": ({"badge": badge()}, lambda: ours("status"), "revoked"),
    "badge_template.created": ({"badge_template": template()}, lambda: known("description"), "Knows it."),
    "badge_template.changed": ({"badge_template": template(name="Rust")}, lambda: known("name"), "Rust"),
    "badge_template.deleted": ({"badge_template": template()}, lambda: known("state"), "archived"),
    "pending_badge_notification.sent": ({"badge": badge()}, notified, "sent"),
    "pending_badge_notification.no_user.sent": ({"badge": badge()}, notified, "no_user"),
    "pending_badge_notification.unconfirmed_email.sent": ({"badge": badge()}, notified, "unconfirmed_email"),
    "user.public_badges.changed": ({"badges": [badge(public=False)]}, lambda: ours("is_public"), False),
    "user.public_badges.added": ({"badge": badge()}, lambda: ours("is_public"), True),
    "user.public_badges.removed": ({"badge": badge()}, lambda: ours("is_public"), False),
    "employment.created": (CREATED, lambda: (employee("department"), shown()), ("Engineering", 5)),
    "employment.deleted": (
        employment("employment_deleted_event"),
        lambda: (employee("is_minimal"), employee("deleted_at") is not None, shown()),
        (True, True, 0),
    ),
    "employment.connection.pending": (CREATED, lambda: employee("employee_state"), "accepted"),
    "employment.connection.accepted": (CREATED, lambda: employee("badges_refreshed_at") is not None, True),
    "employment.connection.rejected": (CREATED, lambda: employee("employee_state"), "accepted"),
    "employment.user_account.associated": (CREATED, lambda: employee("has_provider_user"), True),
    "employment.user_account.disassociated": (CREATED, lambda: employee("has_provider_user"), False),
    "employment.badges.added": (ADDED, shown, 6),
    "employment.badges.removed": (
        {**CREATED, "badge": {**CREATED["employment"]["badges"][0], "id": "not-listed"}},
        shown,
        5,
    ),
    "employment.badges.state_changed": (CREATED, shown, 5),
    "employment.badges.privacy_changed": (CREATED, shown, 5),
}


def test_each_type_of_the_document_is_tried() -> None:
    assert set(CASES) == EVENT_TYPES


@pytest.mark.parametrize("event_type", CASES)
def test_it_has_its_effect(credly: World, event_type: str) -> None:
    credly.own_badge()
    values, found, expected = CASES[event_type]
    row = credly.happens(event_type, 5, **values)
    assert (row.status, row.last_error) == ("processed", "")
    assert row.note != ""
    assert found() == expected


@pytest.mark.parametrize("event_type", CASES)
def test_again_it_changes_nothing_more(credly: World, event_type: str) -> None:
    credly.own_badge()
    answer = event(event_type, 5, **CASES[event_type][0])
    credly.tell(answer)
    assert credly.tell(answer).times_received == 2
    assert credly.tell({**answer, "id": "202f48ae-3379-4eec-aae2-24770544bc66"}).status == "ignored"
    assert CASES[event_type][1]() == CASES[event_type][2]


def test_a_type_of_the_future_is_taken_and_ignored(credly: World) -> None:
    row = credly.happens("collection.created", collection={"id": ORGANIZATION})
    assert (row.status, row.last_error) == ("ignored", "")
    assert "collection.created" in row.note
