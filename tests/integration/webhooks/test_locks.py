"""What applies an event locks the event first, and then in the order of docs/locking.rst."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from badges.changes import (
    BadgeChange,
    Change,
    NotificationSent,
    Notified,
    ProviderEvent,
    TemplateChange,
    TemplateRemoval,
    VisibilityChange,
)
from badges.data import IssuedBadge, ListedBadge, ProviderTemplate
from badges.issuing import awards
from badges.models import Badge, BadgeTemplate, ProviderAccount, ProviderBadge, WebhookEvent
from badges.webhooks.applying import apply
from badges.webhooks.by_hand import discard_all, replay_all
from badges.webhooks.processing import process_due
from tests.factories import BadgeTemplateFactory, CallbackEndpointFactory, UserFactory, moment
from tests.integration.applications.test_application_locks import REVIEW
from tests.integration.test_lock_order import Locks, in_the_order
from tests.integration.test_lock_order import locks as _locks
from tests.integration.test_races import at_once
from tests.integration.webhooks.scripted import ScriptedWebhooks, employee, received

pytestmark = pytest.mark.django_db(transaction=True)
locks = _locks


@pytest.fixture
def template(scripted_account: ProviderAccount) -> Iterator[BadgeTemplate]:
    """A template of the account."""
    return BadgeTemplateFactory(account=scripted_account, external_id="template-1")


def told(webhooks: type[ScriptedWebhooks], account: ProviderAccount, *events: Change | tuple[Change, ...]) -> None:
    """An event of each change, or of some."""
    for number, changes in enumerate(events):
        received(account, number)
        of_one = changes if isinstance(changes, tuple) else (changes,)
        webhooks.script.append(ProviderEvent(f"event-{number}", "event", moment(number), of_one))


def applied(locks: Locks) -> set[tuple[str, ...]]:
    """What was locked together with an event, each time after it."""
    found = [one for one in in_the_order(locks) if "badging_webhookevent" in one]
    return {tuple(one[1:]) for one in found if one[0] == "badging_webhookevent" and len(one) > 1}


def test_an_event_is_locked_before_what_it_changes(
    scripted_account: ProviderAccount, webhooks: type[ScriptedWebhooks], template: BadgeTemplate, locks: Locks
) -> None:
    badge = awards.award(UserFactory(), {template.pk: moment(5)})[0]
    badge.refresh_from_db()
    own, held, now = str(badge.uuid), badge.external_id, timezone.now()
    later = now + timedelta(minutes=1)
    here = IssuedBadge(held, "accepted", "https://provider.example.com/1", state_at=now)
    gone = IssuedBadge(held, "revoked", is_valid=False, is_revoked=True, state_at=later)
    told(
        webhooks,
        scripted_account,
        BadgeChange(ListedBadge(here, own, "template-1", badge.user.email), now),
        VisibilityChange(held, True, now, own),
        BadgeChange(ListedBadge(gone, own, "template-1", badge.user.email), later),
        BadgeChange(ListedBadge(IssuedBadge("T2", "accepted"), "", "template-1", UserFactory().email), moment(21)),
        TemplateChange(ProviderTemplate("template-1", "Renamed"), moment(12)),
        TemplateChange(ProviderTemplate("template-2", "New"), moment(13)),
        TemplateRemoval("template-1", moment(30)),
        employee(),
    )
    locks.transactions.clear()

    assert set(process_due()) <= {"processed", "ignored"}

    assert Badge.objects.filter(status="revoked").exists()
    assert applied(locks) >= {
        ("badging_providerbadge", "badging_badge", "badging_delivery"),
        ("badging_badge", "badging_delivery"),
        ("badging_configurationversion", "badging_badgetemplate"),
        ("badging_employeerecord",),
    }


def test_all_badges_of_an_event_are_locked_before_the_first_of_it_is_applied(
    scripted_account: ProviderAccount, webhooks: type[ScriptedWebhooks], template: BadgeTemplate, locks: Locks
) -> None:
    """A badge of ours, known by our identifier alone, that was replaced, over and over; told from the end."""
    CallbackEndpointFactory()
    badge = awards.award(UserFactory(), {template.pk: moment(5)})[0]
    Badge.objects.update(external_id="")
    own, at = str(badge.uuid), timezone.now()

    def change(number: int, own_id: str = "", **values: Any) -> BadgeChange:
        held = IssuedBadge(f"B{number}", **{"state": "accepted", **values})
        replaces = f"B{number - 1}" if number > 1 else ""
        listed = ListedBadge(held, own_id, "template-1", UserFactory().email if not own_id else badge.user.email)
        return BadgeChange(listed, at + timedelta(seconds=number), replaces=replaces)

    gone: dict[str, Any] = {"state": "replaced", "is_valid": False}
    sent = NotificationSent("B1", Notified.SENT, at, own)
    told(
        webhooks,
        scripted_account,
        change(3),
        (change(2, **gone), VisibilityChange("B3", is_public=True, at=at)),
        (change(1, own, **gone), sent),
        (VisibilityChange("B9", is_public=True, at=at), change(9), change(8), change(7)),
        change(3, state="revoked", is_valid=False, is_revoked=True),
    )
    locks.transactions.clear()

    assert process_due() == {"processed": 5}

    badge.refresh_from_db()
    assert (badge.external_id, badge.status) == ("B3", "revoked")
    seen = applied(locks)
    with_history = ("badging_providerbadge", "badging_badge", "badging_delivery", "badging_badgenotification")
    assert with_history in seen
    issued = ("badging_providerbadge", "badging_badge", "badging_delivery", "badging_callback")
    assert issued in seen


def test_a_review_is_locked_after_its_event(
    scripted_account: ProviderAccount, webhooks: type[ScriptedWebhooks], locks: Locks
) -> None:
    template = BadgeTemplateFactory(account=scripted_account, external_id="badge-slug", awards_on_approval=True)
    UserFactory(email=REVIEW.learner_email)
    told(webhooks, scripted_account, (TemplateChange(ProviderTemplate("badge-slug", template.name), moment(0)), REVIEW))
    locks.transactions.clear()

    assert process_due() == {"processed": 1}

    assert Badge.objects.get().template == template
    assert any(one[-3:] == ("badging_application", "badging_badge", "badging_delivery") for one in applied(locks))


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets one writer in at a time: nothing races")
def test_events_that_name_the_same_badges_in_different_orders_do_not_lock_each_other_out(
    scripted_account: ProviderAccount, template: BadgeTemplate
) -> None:
    badges = [awards.award(UserFactory(), {template.pk: moment(5)})[0] for _ in range(6)]
    for number, badge in enumerate(badges):
        Badge.objects.filter(pk=badge.pk).update(external_id=f"B{number}")
    strangers = [f"S{number}" for number in range(6)]

    def event(at: float, names: Sequence[str]) -> ProviderEvent:
        held = [IssuedBadge(name, "accepted", state_at=moment(at)) for name in names]
        changes = [BadgeChange(ListedBadge(one, "", "template-1", ""), moment(at)) for one in held]
        return ProviderEvent(f"event-{at}", "event", moment(at), tuple(changes))

    names = [*strangers, *(f"B{number}" for number in range(6))]
    events = [event(10, names), event(11, names[::-1]), event(12, [*names[::2], *names[1::2]])]

    def apply_all(events: Sequence[ProviderEvent]) -> None:
        for one in events:
            with transaction.atomic():
                apply(one, scripted_account)

    at_once(*(partial(apply_all, events[start:] + events[:start]) for start in range(3)))

    assert set(Badge.objects.values_list("state_at", flat=True)) == {moment(12)}
    assert set(ProviderBadge.objects.values_list("state_at", flat=True)) == {moment(12)}


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets one writer in at a time: nothing races")
def test_a_badge_and_its_template_that_are_told_of_at_the_same_time_come_together(
    scripted_account: ProviderAccount, template: BadgeTemplate
) -> None:
    def apply_one(change: Change) -> None:
        with transaction.atomic():
            apply(ProviderEvent("event", "event", moment(9), (change,)), scripted_account)

    for number in range(15):
        name = f"template-new-{number}"
        learner = UserFactory(email=f"learner-{number}@example.com")
        listed = ListedBadge(IssuedBadge(f"B{number}", "accepted"), "", name, learner.email)
        of_badge, of_template = BadgeChange(listed, moment(9)), TemplateChange(ProviderTemplate(name, name), moment(8))
        at_once(partial(apply_one, of_badge), partial(apply_one, of_template))

    assert Badge.objects.count() == 15


def test_a_template_locks_what_waits_for_it(
    scripted_account: ProviderAccount, template: BadgeTemplate, webhooks: type[ScriptedWebhooks], locks: Locks
) -> None:
    learner = UserFactory(email="anna@example.com")
    waiting = BadgeChange(ListedBadge(IssuedBadge("B1", "accepted"), "", "template-2", learner.email), moment(1))
    told(webhooks, scripted_account, waiting, TemplateChange(ProviderTemplate("template-2", "Two"), moment(2)))

    process_due()

    assert Badge.objects.get().template.name == "Two"
    of_badge, of_template = sorted(applied(locks), key=len)
    assert of_badge == ("badging_configurationversion", "badging_providerbadge")
    assert of_template[-3:] == ("badging_providerbadge", "badging_badge", "badging_delivery")


def test_by_hand_several_events_are_locked_by_id(scripted_account: ProviderAccount, locks: Locks) -> None:
    for number in range(3):
        received(scripted_account, number, status="dead")
    locks.transactions.clear()

    replay_all(WebhookEvent.objects.order_by("?"))
    discard_all(WebhookEvent.objects.order_by("-occurred_at"), "Not wanted.")

    assert in_the_order(locks) == [["badging_webhookevent"]] * 2
