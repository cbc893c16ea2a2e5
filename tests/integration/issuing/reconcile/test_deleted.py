"""A reconciliation that finds a badge valid at the provider, that was deleted there for a learner who left."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from django.db import transaction

from badges.data import IssuedBadge
from badges.issuing import awards, erasure
from badges.issuing.deliveries import run_due
from badges.issuing.erasure import AtProvider
from badges.issuing.reconcile_apply import Difference, settle
from badges.issuing.reconcile_match import ours_of
from badges.issuing.reconcile_rules import Kind
from badges.models import Badge, BadgeTemplate
from tests.factories import UserFactory, moment
from tests.integration.issuing.erasing import SETTINGS, ErasingProvider


def test_it_is_deleted_again_and_not_revoked(template: BadgeTemplate, settings: Any) -> None:
    settings.BADGES_CONFIG = SETTINGS
    ErasingProvider.reset()
    [badge] = awards.award(UserFactory(), {template.pk: moment(5)})
    run_due(badge.pk)
    with transaction.atomic():
        erasure.hold(badge.user)
        erasure.carry_out(badge.user, AtProvider.DELETE)
    run_due(badge.pk)
    badge = Badge.objects.get(pk=badge.pk)
    held = IssuedBadge("ext-again", "accepted", "https://provider.example.com/1")
    ErasingProvider.held[badge.uuid] = evolve(held)

    found = Difference(
        Kind.VALID_THERE, template.name, template.pk, badge.user_id, badge.uuid, ours=ours_of(badge), held=held
    )
    assert settle(found)
    run_due(badge.pk)
    badge.refresh_from_db()
    assert ErasingProvider.held == {}
    assert (badge.state, badge.external_id, badge.url) == ("deleted", "", "")
    assert dict(badge.deliveries.values_list("action", "status"))["revoke"] == "cancelled"
    ErasingProvider.reset()
