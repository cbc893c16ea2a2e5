"""Award and revocation: what is written, and what it sets in motion."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from openedx_events.learning.signals import BADGE_AWARDED

from badges.issuing import awards
from badges.issuing.deliveries import run_due
from badges.models import Badge, BadgeTemplate, Delivery
from tests.factories import BadgeTemplateFactory, UserFactory, moment
from tests.integration.issuing.scripted import ScriptedProvider

pytestmark = pytest.mark.django_db
Action, Status = Delivery.Action, Delivery.Status


def actions() -> list[tuple[str, str]]:
    """The deliveries in their order: (action, status)."""
    return list(Delivery.objects.order_by("pk").values_list("action", "status"))


def test_an_award_is_a_badge_and_its_deliveries(template: BadgeTemplate) -> None:
    user = UserFactory()

    [badge] = awards.award(user, {template.pk: moment(5)})

    assert (badge.user, badge.template, badge.status, badge.awarded_at) == (user, template, "awarded", moment(5))
    assert actions() == [(Action.ANNOUNCE_AWARDED, Status.PENDING), (Action.ISSUE, Status.PENDING)]


def test_a_template_without_a_provider_is_only_announced() -> None:
    awards.award(UserFactory(), {BadgeTemplateFactory().pk: moment(5)})

    assert actions() == [(Action.ANNOUNCE_AWARDED, Status.PENDING)]


def test_a_badge_is_never_awarded_in_the_future() -> None:
    [badge] = awards.award(UserFactory(), {BadgeTemplateFactory().pk: timezone.now() + timedelta(days=1)})

    assert badge.awarded_at <= timezone.now()


def test_badge_and_deliveries_are_committed_together_or_not_at_all(template: BadgeTemplate) -> None:
    with transaction.atomic():
        awards.award(UserFactory(), {template.pk: moment(5)})
        transaction.set_rollback(True)

    assert not Badge.objects.exists()
    assert not Delivery.objects.exists()


def test_deliveries_start_after_commit_and_not_before(
    template: BadgeTemplate, provider: type[ScriptedProvider], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        awards.award(UserFactory(), {template.pk: moment(5)})
        assert provider.calls == []

    assert provider.calls == ["issue"]
    badge = Badge.objects.get()
    assert (badge.external_id, badge.state, badge.url) == ("ext-1", "pending", "https://provider.example.com/1")
    assert {status for _, status in actions()} == {Status.DONE}


def test_the_platform_is_told_before_the_provider_is_asked(
    template: BadgeTemplate, provider: type[ScriptedProvider]
) -> None:
    order: list[str] = []
    provider.script.append(lambda award: order.append("provider"))
    [badge] = awards.award(UserFactory(), {template.pk: moment(5)})
    BADGE_AWARDED.connect(lambda **kwargs: order.append("signal"), dispatch_uid="tests.order", weak=False)

    run_due(badge.pk)

    assert order == ["signal", "provider"]


def test_a_task_engine_that_is_away_does_not_look_like_a_failed_award(
    template: BadgeTemplate, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    def away(badge_ids: object) -> None:
        raise ConnectionError

    monkeypatch.setattr("badges.issuing.tasks.enqueue_all", away)

    # It raises what a callback raises, unless the callback is robust.
    with django_capture_on_commit_callbacks(execute=True):
        awards.award(UserFactory(), {template.pk: moment(5)})

    assert Badge.objects.exists()
    assert Delivery.objects.filter(status=Status.PENDING).count() == 2


def test_a_revocation_follows_the_issue(template: BadgeTemplate, provider: type[ScriptedProvider]) -> None:
    [badge] = awards.award(UserFactory(), {template.pk: moment(5)})
    run_due(badge.pk)

    awards.revoke([Badge.objects.get()], moment(6))
    run_due(badge.pk)

    badge.refresh_from_db()
    assert (badge.status, badge.state, badge.external_id) == ("revoked", "revoked", "ext-1")
    assert provider.calls == ["issue", "revoke"]
    assert {status for _, status in actions()} == {Status.DONE}


def test_a_revocation_before_the_issue_went_out_cancels_it(
    template: BadgeTemplate, provider: type[ScriptedProvider]
) -> None:
    [badge] = awards.award(UserFactory(), {template.pk: moment(5)})

    awards.revoke([badge], moment(6))
    run_due(badge.pk)

    assert provider.calls == []
    assert actions() == [
        (Action.ANNOUNCE_AWARDED, Status.DONE),
        (Action.ISSUE, Status.CANCELLED),
        (Action.ANNOUNCE_REVOKED, Status.DONE),
    ]


def test_a_revocation_while_the_issue_is_under_way_follows_it(
    template: BadgeTemplate, provider: type[ScriptedProvider]
) -> None:
    [badge] = awards.award(UserFactory(), {template.pk: moment(5)})
    provider.script.append(lambda award: awards.revoke([Badge.objects.get()], moment(6)))

    run_due(badge.pk)
    run_due(badge.pk)

    assert provider.calls == ["issue", "revoke"]
    badge.refresh_from_db()
    assert (badge.status, badge.state) == ("revoked", "revoked")


def test_a_badge_is_never_revoked_in_the_future(template: BadgeTemplate) -> None:
    [badge] = awards.award(UserFactory(), {template.pk: moment(5)})

    awards.revoke([badge], timezone.now() + timedelta(days=1))

    assert badge.revoked_at is not None
    assert badge.revoked_at <= timezone.now()


def test_a_revocation_is_not_dated_before_the_award(template: BadgeTemplate) -> None:
    [badge] = awards.award(UserFactory(), {template.pk: moment(5)})

    awards.revoke([badge], moment(1))

    assert badge.revoked_at == moment(5)
