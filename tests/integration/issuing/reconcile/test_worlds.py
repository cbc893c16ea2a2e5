"""Whatever stands here, at the provider and in the deliveries: one reconciliation, and both sides agree."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from attrs import field, frozen
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from badges.issuing.deliveries import run_due
from badges.issuing.reconcile import Finding, reconcile
from badges.issuing.reconcile_apply import settle
from badges.models import Badge, BadgeTemplate, Delivery, ProviderAccount
from tests.factories import BadgeFactory, DeliveryFactory, UserFactory
from tests.integration.issuing.reconcile.listing import ListingProvider

pytestmark = pytest.mark.django_db
Action, Status = Delivery.Action, Delivery.Status
STATES = ["pending", "accepted", "rejected", "revoked"]


@frozen
class Life:
    """A learner: what stands here of one badge, and what the provider holds."""

    status: str | None = None
    """None where there is no badge here."""
    knows: str = "nothing"
    """Which identifier stands here: of none, of the one with our identifier, of the one issued by hand, or one gone."""
    issue: str | None = None
    revoke: str | None = None
    own: str | None = None
    """The state of the badge with our identifier at the provider."""
    by_hand: tuple[str, ...] = field(factory=tuple)
    is_listed: bool = True


deliveries = st.sampled_from([None, *Status.values])
lives = st.builds(
    Life,
    status=st.sampled_from([None, "awarded", "awarded", "revoked"]),
    knows=st.sampled_from(["nothing", "own", "by hand", "gone"]),
    issue=deliveries,
    revoke=deliveries,
    own=st.sampled_from([None, *STATES]),
    by_hand=st.lists(st.sampled_from(STATES), max_size=2).map(tuple),
    is_listed=st.booleans(),
)
worlds = st.lists(lives, min_size=1, max_size=4)
in_a_world = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)


@contextlib.contextmanager
def world(template: BadgeTemplate, lives: list[Life]) -> Iterator[None]:
    """Each example of hypothesis begins with the same database."""
    ListingProvider.reset()
    with transaction.atomic():
        for life in lives:
            bring_about(template, life)
        yield
        transaction.set_rollback(True)


def bring_about(template: BadgeTemplate, life: Life) -> None:
    """Make a learner, what stands here, and what stands there."""
    learner = UserFactory()
    known = {"template_external_id": str(template.external_id), "email": learner.email}
    own_uuid = uuid.uuid4()
    own = ListingProvider.hold(own_id=str(own_uuid), state=life.own, **known) if life.own else ""
    by_hand = [ListingProvider.hold(state=state, **known) for state in life.by_hand]
    if not life.is_listed:
        ListingProvider.unlisted.update([own, *by_hand])
    if life.status is None:
        return
    identifiers = {"own": own, "by hand": "".join(by_hand[:1]), "gone": f"gone-{learner.pk}"}
    badge = BadgeFactory(
        uuid=own_uuid, user=learner, template=template, external_id=identifiers.get(life.knows, ""), status=life.status
    )
    add_delivery(badge, Action.ISSUE, life.issue)
    if life.status == Badge.Status.REVOKED:
        add_delivery(badge, Action.REVOKE, life.revoke)


def add_delivery(badge: Badge, action: str, status: str | None) -> None:
    """A delivery of the badge is in a status."""
    if status is None:
        return
    now = timezone.now()
    lease = {"lease_token": uuid.uuid4(), "leased_until": now - timedelta(seconds=1)}
    values = lease if status == Status.IN_PROGRESS else {}
    finished_at = None if status in Delivery.OPEN else now
    attempts = 0 if status == Status.PENDING else 1
    DeliveryFactory(badge=badge, action=action, status=status, attempts=attempts, finished_at=finished_at, **values)


def differences(*, apply: bool = False) -> list[str]:
    """What a run finds; fails where something cannot be read or settled."""
    found: list[str] = []
    report = reconcile(
        ProviderAccount.objects.get(),
        apply=apply,
        on_finding=lambda finding: found.append(f"{finding.difference.kind.value}: {finding.outcome}"),
        on_problem=pytest.fail,
    )
    assert report.problems == 0
    return found


def deliver() -> None:
    """The workers do all that there is to do."""
    for badge_id in Badge.objects.values_list("pk", flat=True):
        run_due(badge_id)


def everything() -> tuple[Any, ...]:
    """All that stands here and at the provider."""
    return (
        list(Badge.objects.order_by("pk").values()),
        list(Delivery.objects.order_by("pk").values()),
        dict(ListingProvider.rows),
    )


def valid_there() -> dict[tuple[str, str], int]:
    """Learner and identifier of the award -> how many valid badges the provider holds for it."""
    counts: dict[tuple[str, str], int] = {}
    for row in ListingProvider.rows.values():
        counts[row.email, row.own_id] = counts.get((row.email, row.own_id), 0) + row.badge.is_valid
    return counts


def assert_no_second_badge(before: dict[tuple[str, str], int]) -> None:
    """An award has one valid badge at the most, and a learner who had any has no more than before."""
    for (email, own_id), number in valid_there().items():
        assert number <= 1 or not own_id
        if sum(count for (other, _), count in before.items() if other == email):
            assert number <= before.get((email, own_id), 0)


@in_a_world
@given(worlds)
def test_without_apply_nothing_is_changed_on_either_side(template: BadgeTemplate, lives: list[Life]) -> None:
    with world(template, lives):
        before = everything()

        differences()

        assert everything() == before
        assert not {"issue", "revoke"} & set(ListingProvider.calls)


@in_a_world
@given(worlds)
@example([Life("awarded", "own", "done", own="revoked", by_hand=("accepted", "accepted"))])
@example([Life("awarded", "by hand", "done", by_hand=("revoked",))])
@example([Life("awarded", "gone", "done", is_listed=False, own="accepted")])
@example([Life(None, own="accepted", by_hand=("accepted",))])
def test_a_second_run_right_after_finds_nothing(template: BadgeTemplate, lives: list[Life]) -> None:
    with world(template, lives):
        found = differences(apply=True)

        assert all(one.endswith(": applied") for one in found)
        assert differences() == []


@in_a_world
@given(worlds)
def test_what_it_queues_brings_both_sides_together_and_makes_no_second_badge(
    template: BadgeTemplate, lives: list[Life]
) -> None:
    with world(template, lives):
        deliver()  # What was under way without a reconciliation.
        before = valid_there()
        differences(apply=True)
        deliver()

        assert differences() == []
        assert_no_second_badge(before)
        for badge in Badge.objects.filter(status=Badge.Status.REVOKED):
            was_cancelled = badge.deliveries.filter(action=Action.REVOKE, status=Status.CANCELLED).exists()
            is_valid = badge.external_id in ListingProvider.valid(badge)
            assert was_cancelled or not is_valid or badge.external_id in ListingProvider.unlisted


@in_a_world
@given(worlds, st.integers(0, 3))
def test_a_run_that_broke_off_is_finished_by_the_next_one(
    template: BadgeTemplate, lives: list[Life], pages: int
) -> None:
    with world(template, lives):
        ListingProvider.fails_after[pages] = ConnectionError()
        reconcile(ProviderAccount.objects.get(), apply=True)
        ListingProvider.fails_after.clear()

        differences(apply=True)

        assert differences() == []


@in_a_world
@given(worlds)
def test_what_was_found_before_the_workers_went_on_does_no_harm_when_it_is_settled(
    template: BadgeTemplate, lives: list[Life]
) -> None:
    with world(template, lives):
        found: list[Finding] = []
        reconcile(ProviderAccount.objects.get(), on_finding=found.append)
        deliver()
        before = valid_there()

        for finding in found:
            settle(finding.difference)
            # A second time, as by a second run at the same time.
            assert not settle(finding.difference)
        deliver()

        assert_no_second_badge(before)
