"""What Credly tells of badges that were deleted there for a learner who left."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction

from badges.issuing import erasure
from badges.issuing.deliveries import run_due
from badges.issuing.erasure import AtProvider
from badges.models import Badge, Delivery, ProviderBadge
from tests.credly_events import BADGE, badge, time
from tests.integration.webhooks.credly import API, World

pytestmark = pytest.mark.django_db(transaction=True)


def delete(credly: World, ours: Badge) -> None:
    """Delete a badge at Credly, on our behalf."""
    credly.mock.upsert("DELETE", f"{API}/{credly.account.external_id}/badges/{BADGE}", status=204)
    with transaction.atomic():
        erasure.hold(ours.user)
        erasure.carry_out(ours.user, AtProvider.DELETE)
    run_due(ours.pk)


def shown(ours: Badge) -> tuple[str, str, str]:
    found = Badge.objects.get(pk=ours.pk)
    return found.state, found.external_id, found.url


@pytest.fixture
def ours(credly: World) -> Badge:
    found = credly.own_badge(state="pending")
    delete(credly, found)
    assert shown(found) == ("deleted", "", "")
    return found


def about(ours: Badge, **values: Any) -> dict[str, Any]:
    return badge(issuer_earner_id=str(ours.uuid), **values)


def test_that_it_was_deleted_is_no_news_and_leaves_nothing(credly: World, ours: Badge) -> None:
    row = credly.happens("badge.deleted", 9, badge=about(ours, state="accepted", state_updated_at=time(5)))
    assert "was deleted at the provider, as was asked for here" in row.note
    run_due(ours.pk)
    assert shown(ours) == ("deleted", "", "")
    assert not ProviderBadge.objects.exists()


def test_late_news_of_its_life_make_sure_that_it_is_gone(credly: World, ours: Badge) -> None:
    address = f"{API}/{credly.account.external_id}/badges/{BADGE}"
    assert credly.mock.assert_call_count(address, 1)
    credly.happens("badge.state.changed", 5, badge=about(ours, state="accepted", state_updated_at=time(5)))
    run_due(ours.pk)
    assert credly.mock.assert_call_count(address, 2)
    assert shown(ours) == ("deleted", "", "")
    assert Delivery.objects.get(badge=ours, action="delete").status == "done"
    assert not ProviderBadge.objects.exists()


def test_of_a_deleted_badge_that_is_not_known_no_address_is_kept(credly: World) -> None:
    theirs = {"recipient_email": "somebody@example.com", "state_updated_at": time(1)}
    credly.happens("badge.created", 1, badge=badge(state="pending", **theirs))
    assert ProviderBadge.objects.get().email == "somebody@example.com"
    credly.happens("badge.deleted", 9, badge=badge(state="pending", **theirs))
    credly.happens("badge.state.changed", 5, badge=badge(state="accepted", **{**theirs, "state_updated_at": time(5)}))
    assert set(ProviderBadge.objects.values_list("state", "email")) == {("deleted", "")}
