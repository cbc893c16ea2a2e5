"""BadgeKit both ways: badges are issued there, its webhooks come in, and what they missed is caught up."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from badges.issuing import awards
from badges.issuing.deliveries import run_due
from badges.issuing.reconcile import reconcile
from badges.issuing.sync.run import sync_templates
from badges.models import Badge, BadgeTemplate, Delivery, ProviderAccount
from badges.webhooks.processing import process_due
from demo.sandbox import seed
from demo.sandbox.process import RunningSandbox
from tests.acceptance.hooks import Hook, hook
from tests.factories import BadgeKitSystemFactory, UserFactory, moment

__all__ = ["hook"]
pytestmark = pytest.mark.django_db
SYSTEM = f"badgekit/{seed.BADGEKIT_SYSTEM}"
Action, Status = Delivery.Action, Delivery.Status


@pytest.fixture
def system(configured: RunningSandbox, hook: Hook) -> ProviderAccount:
    """A system that issues and calls, and whose badges are known here."""
    cache.clear()
    account: ProviderAccount = BadgeKitSystemFactory(
        external_id=seed.BADGEKIT_SYSTEM, client_id=seed.BADGEKIT_KEY, api_key=seed.BADGEKIT_SECRET
    )
    target = {"url": hook.url, "secret": str(account.webhook_secret)}
    configured.control("POST", SYSTEM, {"webhook": target})
    sync_templates(account)
    BadgeTemplate.objects.update(is_active=True)
    return account


@pytest.fixture
def template(system: ProviderAccount) -> BadgeTemplate:
    return BadgeTemplate.objects.get(external_id="city-explorer")


@pytest.fixture
def anna() -> Any:
    return UserFactory(username="anna", email="anna@example.com")


def take_in(system: ProviderAccount, hook: Hook, number: int = 1) -> None:
    """Hand on what the BadgeKit sent, byte for byte, and process it."""
    for _ in range(number):
        request = hook.received.get(timeout=20)
        path = reverse("badges:webhook-account", args=["badgekit", system.pk])
        headers = {"Authorization": request.headers["authorization"]}
        answer: Any = Client().generic("POST", path, request.body, content_type="application/json", headers=headers)
        assert answer.status_code == 200
    process_due()


def award(template: BadgeTemplate, user: Any) -> Badge:
    """Award a badge here, and issue it there."""
    [badge] = awards.award(user, {template.pk: moment(5)})
    run_due(badge.pk)
    badge.refresh_from_db()
    return badge


def state(badge: Badge) -> tuple[str, str, str]:
    badge.refresh_from_db()
    return badge.status, badge.state, badge.external_id


def compared(system: ProviderAccount, *, apply: bool) -> list[str]:
    """What a reconciliation finds; problems are found, too."""
    found: list[str] = []
    reconcile(
        system,
        apply=apply,
        on_finding=lambda one: found.append(f"{one.difference.kind.value}: {one.outcome}"),
        on_problem=found.append,
    )
    return found


def instances(sandbox: RunningSandbox) -> list[tuple[str, str]]:
    return [(one["badgeSlug"], one["email"]) for one in sandbox.state()["badgekit"]["instances"]]


def test_a_badge_that_is_issued_and_revoked_here_comes_back_and_changes_nothing(
    system: ProviderAccount, template: BadgeTemplate, anna: Any, sandbox: RunningSandbox, hook: Hook
) -> None:
    badge = award(template, anna)
    assert instances(sandbox) == [("city-explorer", "anna@example.com")]
    assert state(badge) == ("awarded", "awarded", str(badge.uuid))
    take_in(system, hook)
    assert state(badge) == ("awarded", "awarded", str(badge.uuid))
    awards.revoke([badge], moment(6))
    run_due(badge.pk)
    take_in(system, hook)
    assert instances(sandbox) == []
    assert state(badge) == ("revoked", "revoked", str(badge.uuid))
    assert Badge.objects.count() == 1
    assert not badge.deliveries.exclude(status=Status.DONE).exists()


def test_a_badge_that_somebody_deletes_there_is_revoked_here(
    system: ProviderAccount, template: BadgeTemplate, anna: Any, sandbox: RunningSandbox, hook: Hook
) -> None:
    badge = award(template, anna)
    sandbox.control("DELETE", f"{SYSTEM}/instances/{badge.external_id}")
    take_in(system, hook, 2)
    assert state(badge) == ("revoked", "revoked", str(badge.uuid))


def test_an_approved_review_awards_the_badge_here_and_there_once(
    system: ProviderAccount, template: BadgeTemplate, anna: Any, sandbox: RunningSandbox, hook: Hook
) -> None:
    BadgeTemplate.objects.filter(pk=template.pk).update(awards_on_approval=True)
    required, _ = next(one for one in sandbox.state()["badgekit"]["badges"] if one["slug"] == "city-explorer")[
        "criteria"
    ]
    items = [{"criterionId": required["id"], "satisfied": 1, "comment": "Yes."}]
    values = {"badge": "city-explorer", "learner": anna.email, "author": "ben@example.com", "reviewItems": items}
    made = sandbox.control("POST", f"{SYSTEM}/reviews", values)
    take_in(system, hook)
    badge = Badge.objects.get()
    run_due(badge.pk)
    take_in(system, hook)
    assert state(badge) == ("awarded", "awarded", str(badge.uuid))
    sandbox.control("POST", f"{SYSTEM}/reviews", {**values, **made, "comment": "Really."})
    take_in(system, hook)
    assert Badge.objects.count() == 1
    assert instances(sandbox) == [("city-explorer", anna.email)]


# What the webhook missed.
def test_a_revocation_that_was_missed_is_caught_up(
    system: ProviderAccount, template: BadgeTemplate, anna: Any, sandbox: RunningSandbox
) -> None:
    badge = award(template, anna)
    sandbox.control("DELETE", f"{SYSTEM}/instances/{badge.external_id}")
    assert compared(system, apply=False) == ["revoked_there: found"]
    assert state(badge)[0] == "awarded"
    assert compared(system, apply=True) == ["revoked_there: applied"]
    assert state(badge) == ("revoked", "revoked", str(badge.uuid))
    assert compared(system, apply=True) == []
    assert instances(sandbox) == []


def test_an_award_that_was_missed_is_caught_up(
    system: ProviderAccount, template: BadgeTemplate, anna: Any, sandbox: RunningSandbox
) -> None:
    sandbox.control("POST", f"{SYSTEM}/instances", {"badge": "city-explorer", "email": anna.email})
    assert compared(system, apply=True) == ["missing_here: applied"]
    assert Badge.objects.get().user == anna
    assert compared(system, apply=True) == []


def test_a_badge_that_never_came_there_is_issued_and_not_taken_for_revoked(
    system: ProviderAccount, template: BadgeTemplate, anna: Any, sandbox: RunningSandbox
) -> None:
    [badge] = awards.award(anna, {template.pk: moment(5)})
    deliveries: Any = badge.deliveries.filter(action=Action.ISSUE)
    deliveries.move(Status.DONE, note="It says so, and it is not.")
    assert compared(system, apply=True) == ["missing_there: applied"]
    run_due(badge.pk)
    assert instances(sandbox) == [("city-explorer", anna.email)]


def test_a_badgekit_that_knows_nothing_any_more_takes_no_badge_away(
    system: ProviderAccount, template: BadgeTemplate, anna: Any, sandbox: RunningSandbox
) -> None:
    badge = award(template, anna)
    sandbox.fault("status", status=404, path="instances")
    sandbox.fault("status", status=404, path="badges/city-explorer$")
    sandbox.fault("status", status=404, path="public")
    assert compared(system, apply=True) != []
    assert state(badge)[0] == "awarded"
