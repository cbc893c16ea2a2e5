"""Deliveries are ended and retried by hand while others change them. Only databases that lock rows are asked."""

from __future__ import annotations

import contextlib
import random
import threading
from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction

from badges.exceptions import ProviderAuthError
from badges.issuing import awards, by_hand, health
from badges.issuing.by_hand import NotPossible
from badges.models import Badge, Delivery, ProviderAccount
from tests.factories import BadgeFactory, CredlyBadgeTemplateFactory, DeliveryFactory, moment
from tests.integration.test_races import at_once

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets one writer in at a time: nothing races"),
]
Status = Delivery.Status
REASON = "Issued at the provider's own site."


@pytest.fixture(autouse=True)
def nothing_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """The deliveries stay as they are until the test changes them."""
    for module in (awards, by_hand):
        monkeypatch.setattr(module, "enqueue_on_commit", lambda *badge_ids: None)


def many(number: int) -> ProviderAccount:
    """An account with so many issues, which do not lie in the table in the order of their ids."""
    template = CredlyBadgeTemplateFactory()
    issues = [DeliveryFactory(badge__template=template).pk for _ in range(number)]
    random.Random(1).shuffle(issues)
    for issue in issues:
        Delivery.objects.filter(pk=issue).update(note="Rewritten, as workers do it.")
    account: ProviderAccount = template.account
    return account


def test_marking_as_done_against_a_penalty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is held with its first rows locked: whoever locked them in another order would lock the other out."""
    issue = DeliveryFactory(badge__template=CredlyBadgeTemplateFactory(), status=Status.DEAD)
    meeting = threading.Barrier(2)
    identify = by_hand._identify

    def meet() -> None:
        with contextlib.suppress(threading.BrokenBarrierError):
            meeting.wait(timeout=1)

    def identify_slowly(*arguments: Any) -> None:
        meet()
        identify(*arguments)

    def end() -> None:
        # The penalty may come first, and cancel the issue.
        with contextlib.suppress(NotPossible):
            by_hand.end([issue.pk], Status.DONE, REASON, external_id="abc")

    def revoke() -> None:
        with transaction.atomic():
            badge = Badge.objects.select_for_update().get()
            meet()
            awards.revoke([badge], moment(6))

    monkeypatch.setattr(by_hand, "_identify", identify_slowly)

    at_once(end, revoke)

    badge = Badge.objects.get()
    assert badge.status == Badge.Status.REVOKED
    assert meeting.broken, "the second one was not held back by a lock"


def test_ending_many_against_ending_the_same_in_another_order() -> None:
    many(40)
    ids = list(Delivery.objects.order_by("pk").values_list("pk", flat=True))
    ways = [(ids, Status.CANCELLED), (ids[::-1], Status.DONE)] * 2

    ended = at_once(*[partial(by_hand.end, chosen, to, REASON) for chosen, to in ways])

    assert sum(map(len, ended)) == len(ids), "each is ended once"


def test_ending_many_against_penalties_for_them() -> None:
    many(40)
    issues = list(Delivery.objects.values_list("pk", flat=True))

    def revoke() -> None:
        with transaction.atomic():
            awards.revoke(list(Badge.objects.select_for_update().order_by("pk")), moment(6))

    at_once(partial(by_hand.end, issues, Status.CANCELLED, REASON), revoke)

    assert not Delivery.objects.filter(pk__in=issues).exclude(status=Status.CANCELLED).exists()


def test_retrying_many_against_an_account_that_stops_and_is_resumed() -> None:
    account = many(60)
    stop = partial(health.failed, account, ProviderAuthError("Credly refused the key."))

    for _ in range(15):
        stop()
        at_once(
            partial(health.resume, account.pk),
            partial(by_hand.retry, Delivery.objects.order_by("-pk")),
            partial(by_hand.retry, Delivery.objects.all()),
        )

    assert set(Delivery.objects.values_list("status", flat=True)) == {Status.PENDING}


def test_retrying_waits_for_whoever_ends_the_same_and_leaves_it_alone() -> None:
    issue = DeliveryFactory(badge=BadgeFactory(), status=Status.DEAD)
    is_locked, may_go_on = threading.Event(), threading.Event()

    def end() -> None:
        with transaction.atomic():
            by_hand.end([issue.pk], Status.CANCELLED, REASON)
            is_locked.set()
            assert not may_go_on.wait(timeout=0.5), "it was retried while somebody ended it"

    def retry() -> by_hand.Retried:
        assert is_locked.wait(timeout=30)
        retried = by_hand.retry(Delivery.objects.all())
        may_go_on.set()
        return retried

    _, retried = at_once(end, retry)

    assert retried.deliveries == ()
    assert Delivery.objects.get().status == Status.CANCELLED
