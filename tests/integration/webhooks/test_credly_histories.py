"""The events of a badge in any order, some of them twice, end as they do in the order in which they occurred."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from attrs import define, field
from django.db import connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from badges.models import Badge, BadgeNotification, CredlyOrganization, Delivery, ProviderBadge
from badges.processing.retries import retried
from tests import factories
from tests.credly_events import BADGE, ORGANIZATION, SECOND_BADGE, TEMPLATE, Held, badge, event, time
from tests.integration.webhooks.credly import apply_event
from tests.integration.webhooks.sending import at_once

pytestmark = pytest.mark.django_db

OWN_ID = "7d5224b7-2be7-4a6b-ab8c-bccac09b2a28"
NEXT = {
    "pending": ("accepted", "rejected", "replaced", "revoked", "deleted"),
    "accepted": ("replaced", "revoked", "deleted"),
    "rejected": ("revoked", "deleted"),
}
"""What may become of a badge in which state."""
NOTIFICATIONS = ("sent", "no_user.sent", "unconfirmed_email.sent")


class Undone(Exception):
    """Ends a transaction whose work is not wanted."""


@define
class History:
    """What happened to a badge, and to what took its place, told as Credly tells it at each moment."""

    own_id: str
    now: float = 0
    badges: dict[str, dict[str, Any]] = field(factory=dict)
    events: list[dict[str, Any]] = field(factory=list)

    def issue(self, external_id: str, replaces: str | None = None) -> None:
        about = badge(id=external_id, issuer_earner_id=self.own_id, replaces_badge_id=replaces)
        self.badges[external_id] = {**about, "state_updated_at": time(self.now), "issued_at": time(self.now)}
        self.tell("badge.created", external_id)

    def change(self, external_id: str, state: str, *, names_successor: bool) -> None:
        about = self.badges[external_id]
        if state == "deleted":
            self.tell("badge.deleted", external_id)
            about["state"] = "deleted"
            return
        about |= {"state": state, "state_updated_at": time(self.now)}
        if state == "replaced" and names_successor:
            about["replacement_badge_id"] = SECOND_BADGE
        self.tell("badge.state.changed", external_id)
        if state == "replaced":
            self.issue(SECOND_BADGE, replaces=external_id)

    def show(self, external_id: str, event_type: str, *, is_public: bool) -> None:
        self.badges[external_id]["public"] = is_public
        self.tell(event_type, external_id)

    def tell(self, event_type: str, external_id: str) -> None:
        self.events.append(event(event_type, self.now, badge=dict(self.badges[external_id])))


@st.composite
def histories(draw: Any, own_id: str) -> History:
    """What may happen to a badge."""
    history = History(own_id)
    history.issue(BADGE)
    current = BADGE
    for _ in range(draw(st.integers(0, 6))):
        history.now += draw(st.sampled_from([0, 0, 1, 2.5]))
        state = history.badges[current]["state"]
        what = draw(st.sampled_from(["state", "state", "privacy", "shown", "notified"]))
        if what == "notified" and state == "pending":
            history.tell(f"pending_badge_notification.{draw(st.sampled_from(NOTIFICATIONS))}", current)
        elif what == "privacy":
            history.show(current, "badge.privacy.changed", is_public=draw(st.booleans()))
        elif what == "shown":
            is_public = draw(st.booleans())
            history.show(current, f"user.public_badges.{'added' if is_public else 'removed'}", is_public=is_public)
        elif following := NEXT.get(state, ()):
            becomes = draw(st.sampled_from([one for one in following if current == BADGE or one != "replaced"]))
            history.change(current, becomes, names_successor=draw(st.booleans()))
            current = SECOND_BADGE if becomes == "replaced" else current
        if history.badges[current]["state"] == "deleted":
            break
    return history


@contextlib.contextmanager
def world(scenario: str) -> Iterator[CredlyOrganization]:
    """An account with a learner, undone at the end."""
    with contextlib.suppress(Undone), transaction.atomic():
        account = factories.CredlyOrganizationFactory(external_id=ORGANIZATION)
        template = factories.CredlyBadgeTemplateFactory(account=account, external_id=TEMPLATE)
        learner = factories.UserFactory(username="anna")
        if scenario != "issued there":
            external_id = BADGE if scenario == "issued" else ""
            ours = factories.BadgeFactory(user=learner, template=template, uuid=OWN_ID, external_id=external_id)
            under_way = {"status": "in_progress", "attempts": 2}
            factories.DeliveryFactory(badge=ours, **({"status": "done"} if external_id else under_way))
        yield account
        raise Undone


def end_of(scenario: str, history: History, events: list[dict[str, Any]]) -> dict[str, Any]:
    """What is known here once these events have been applied."""
    held = Held(badges={key: value for key, value in history.badges.items() if value["state"] != "deleted"})
    end: dict[str, Any] = {}
    with world(scenario) as account:
        for one in events:
            with transaction.atomic():
                apply_event(one, account, held)
        shown = ("status", "state", "state_at", "is_public", "external_id", "url", "revoked_at")
        end |= {
            "badges": list(Badge.objects.values_list(*shown)),
            "notifications": sorted(BadgeNotification.objects.values_list("kind", "sent_at")),
            "deliveries": sorted(Delivery.objects.values_list("action", "status")),
            "addresses": set(ProviderBadge.objects.exclude(badge=None).values_list("email", flat=True)) - {""},
        }
    return end


@pytest.mark.parametrize("scenario", ["issued", "being issued", "issued there"])
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_order_ends_as_the_order_of_time(scenario: str, data: st.DataObject) -> None:
    history = data.draw(histories("" if scenario == "issued there" else OWN_ID))
    again = data.draw(st.lists(st.sampled_from(history.events), max_size=3))
    shuffled = data.draw(st.permutations([*history.events, *again]))
    in_order = end_of(scenario, history, history.events)
    assert end_of(scenario, history, shuffled) == in_order
    assert len(in_order["badges"]) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets one writer in at a time: nothing races")
@pytest.mark.parametrize("own_id", ["", OWN_ID])
def test_events_of_one_badge_that_are_applied_at_the_same_time_lose_nothing(own_id: str) -> None:
    account = factories.CredlyOrganizationFactory(external_id=ORGANIZATION)
    template = factories.CredlyBadgeTemplateFactory(account=account, external_id=TEMPLATE)
    for number in range(6):
        learner = factories.UserFactory(username=f"anna{number}")
        about = {"id": f"badge-{number}", "recipient_email": learner.email}
        if own_id:
            ours = factories.BadgeFactory(user=learner, template=template)
            about["issuer_earner_id"] = str(ours.uuid)
        waiting = [
            event("badge.created", 0, badge=badge(**about)),
            event("badge.state.changed", 1, badge=badge(**about, state="accepted", state_updated_at=time(1))),
            event("badge.privacy.changed", 2, badge=badge(**about, public=False)),
            event("pending_badge_notification.sent", 3, badge=badge(**about, public=False)),
        ]

        at_once(partial(_apply_next, waiting, account), 4)

        badges = Badge.objects.filter(user=learner)
        assert list(badges.values_list("external_id", "state", "is_public")) == [(about["id"], "accepted", False)]
        assert BadgeNotification.objects.filter(badge__user=learner).count() == 1
        assert ProviderBadge.objects.filter(external_id=about["id"]).count() == 1


def _apply_next(waiting: list[dict[str, Any]], account: CredlyOrganization) -> None:
    one = waiting.pop()

    def applied() -> None:
        with transaction.atomic():
            apply_event(one, account)

    retried(applied)
