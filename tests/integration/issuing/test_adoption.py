"""What a person did at the provider is done here: taken away, or adopted; and nothing is sent back there."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from badges.data import IssuedBadge, ListedBadge
from badges.issuing import adoption
from badges.issuing.deliveries import run_due
from badges.models import Badge, BadgeTemplate, Delivery, ProviderAccount
from tests.factories import UserFactory, moment
from tests.integration.issuing.helpers import Status
from tests.integration.issuing.scripted import ScriptedProvider

pytestmark = pytest.mark.django_db
Action = Delivery.Action
HELD = IssuedBadge("ext-9", "accepted", "https://provider.example.com/9", state_at=moment(7))


def listed(own_id: str = "") -> ListedBadge:
    """A badge in the provider's words."""
    return ListedBadge(badge=HELD, own_id=own_id, issued_at=moment(6))


def statuses(badge: Badge) -> dict[str, str]:
    """The badge's deliveries: action -> status."""
    return dict(badge.deliveries.values_list("action", "status"))


def test_a_badge_taken_away_there_is_announced_and_nothing_is_sent_back(
    badge: Badge, provider: type[ScriptedProvider]
) -> None:
    run_due(badge.pk)
    badge.refresh_from_db()
    provider.calls.clear()

    with transaction.atomic():
        assert adoption.revoke_as_there(badge, timezone.now(), "By a person.")
    run_due(badge.pk)

    badge.refresh_from_db()
    assert badge.status == Badge.Status.REVOKED
    assert statuses(badge)[Action.ANNOUNCE_REVOKED] == Status.DONE
    assert statuses(badge)[Action.REVOKE] == Status.DONE
    assert provider.calls == []


def test_a_badge_that_was_taken_away_here_is_left_alone(badge: Badge) -> None:
    with transaction.atomic():
        adoption.revoke_as_there(badge, timezone.now(), "")
        before = badge.revoked_at
        assert not adoption.revoke_as_there(badge, timezone.now() + timedelta(days=1), "")

    badge.refresh_from_db()
    assert badge.revoked_at == before


def test_an_adopted_badge_is_announced_and_not_issued_again(
    template: BadgeTemplate, provider: type[ScriptedProvider]
) -> None:
    learner = UserFactory()

    badge = adoption.adopt(template, learner, listed(), "Adopted.")

    assert badge is not None
    run_due(badge.pk)
    badge.refresh_from_db()
    assert (badge.user, badge.external_id, badge.state, badge.state_at) == (learner, "ext-9", "accepted", moment(7))
    assert badge.awarded_at == moment(6)
    assert statuses(badge) == {Action.ANNOUNCE_AWARDED: Status.DONE, Action.ISSUE: Status.DONE}
    assert provider.calls == []


def test_our_identifier_is_kept_where_it_is_free(template: BadgeTemplate) -> None:
    own = uuid.uuid4()

    first = adoption.adopt(template, UserFactory(), listed(str(own)), "")
    second = adoption.adopt(template, UserFactory(), listed(str(own)), "")

    assert first is not None
    assert second is not None
    assert (first.uuid == own, second.uuid == own) == (True, False)


@pytest.mark.parametrize("status", Badge.Status.values)
def test_a_learner_who_has_a_badge_or_had_one_gets_no_second(badge: Badge, status: str) -> None:
    Badge.objects.filter(pk=badge.pk).update(status=status)

    assert adoption.adopt(badge.template, badge.user, listed(), "") is None
    assert Badge.objects.count() == 1


class TestReceivingOnly:
    """A system that only tells us of its badges."""

    @pytest.fixture(autouse=True)
    def receive_only(self, template: BadgeTemplate) -> None:
        ProviderAccount.objects.filter(templates=template).update(is_issuing=False)

    def test_is_not_asked_to_issue(self, badge: Badge) -> None:
        assert statuses(badge) == {Action.ANNOUNCE_AWARDED: Status.PENDING}

    def test_is_not_told_of_a_revocation_here(self, template: BadgeTemplate) -> None:
        badge = adoption.adopt(template, UserFactory(), listed(), "")
        assert badge is not None

        with transaction.atomic():
            adoption.revoke_as_there(badge, timezone.now(), "")

        assert Action.REVOKE not in statuses(badge)
