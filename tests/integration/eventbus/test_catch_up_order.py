"""Catching up page by page gives what all at once would give."""

from __future__ import annotations

import pytest

from badges.models import Badge, Fulfillment
from tests.factories import BadgeTemplateFactory
from tests.integration.bus_messages import Bus
from tests.integration.processing.helpers import fails, passes

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("size", [1, 2])
def test_a_newer_penalty_of_an_earlier_page_counts(bus: Bus, size: int) -> None:
    template = BadgeTemplateFactory()
    fails(template, passes(template))
    bus.put("anna", at=2, is_passing=False)
    bus.put("anna", at=1)

    bus.catch_up("--from-id", "0", "--batch-size", str(size))

    assert not Fulfillment.objects.get().is_fulfilled
    assert Badge.objects.get().status == "revoked"
