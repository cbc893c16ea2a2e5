"""When a learner's badges are taken away at their providers, rows are locked in the one order; see docs/locking.rst."""

from __future__ import annotations

from typing import Any

import pytest

from badges.issuing import by_hand
from badges.issuing.deliveries import run_due
from badges.issuing.erasure import AtProvider
from badges.issuing.tasks import held
from badges.models import Badge, BadgeTemplate, Delivery, ProviderBadge
from badges.privacy.retirement import retire
from tests import factories
from tests.integration.privacy.leaving import NAME, person
from tests.integration.test_lock_order import Locks, in_the_order
from tests.integration.test_lock_order import locks as _locks

pytestmark = pytest.mark.django_db(transaction=True)
locks = _locks


@pytest.fixture
def anna(template: BadgeTemplate) -> Any:
    anna = person("anna", NAME, template)
    for badge in Badge.objects.filter(user=anna):
        account = badge.template.account
        factories.ProviderBadgeFactory(account=account, badge=badge, external_id=f"beside-{badge.pk}")
    return anna


def test_badges_are_locked_with_all_that_is_to_be_told_of_them(anna: Any, locks: Locks) -> None:
    locks.transactions.clear()
    with held():
        retire(anna, at_provider=AtProvider.DELETE)
    first = next(one for one in in_the_order(locks) if "badging_badge" in one)
    assert first[:2] == ["badging_badge", "badging_delivery"]
    assert {"badging_callback", "badging_badgechange"} >= set(first[2:])


@pytest.mark.parametrize("by_somebody", [False, True])
def test_what_is_known_of_a_badge_at_its_provider_is_locked_before_the_badge(
    anna: Any, locks: Locks, by_somebody: bool
) -> None:
    with held():
        retire(anna, at_provider=AtProvider.DELETE)
    [deletion] = Delivery.objects.filter(action=Delivery.Action.DELETE)
    locks.transactions.clear()
    if by_somebody:
        by_hand.end([deletion.pk], Delivery.Status.DONE, "Deleted on the provider's pages.")
    else:
        run_due(deletion.own_badge.pk)
    told = [one for one in in_the_order(locks) if "badging_providerbadge" in one]
    assert [one[:3] for one in told] == [["badging_providerbadge", "badging_badge", "badging_delivery"]]
    assert not ProviderBadge.objects.filter(badge=deletion.badge).exists()
