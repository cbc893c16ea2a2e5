"""An adoption takes locks in the order of docs/locking.rst."""

from __future__ import annotations

import pytest

from badges.models import Badge
from tests.factories import UserFactory
from tests.integration.host.built_in import BuiltIn
from tests.integration.host.running import adopt
from tests.integration.test_lock_order import Locks, in_the_order
from tests.integration.test_lock_order import locks as _locks

locks = _locks
pytestmark = pytest.mark.django_db(transaction=True)


def test_a_template_is_locked_after_the_version_and_before_its_progress(
    transactional_db: None, built_in: BuiltIn, locks: Locks
) -> None:
    there = built_in.credly_template()
    requirement = built_in.requirement(there)
    built_in.penalty(there, [requirement])
    for username in ("anna", "ben"):
        UserFactory(username=username)
        built_in.progress(there, username, [requirement])
        built_in.credly_badge(there, username)
    adopt()
    UserFactory(username="cleo")
    built_in.progress(there, "cleo", [requirement])
    built_in.credly_badge(there, "cleo")
    locks.transactions.append([])

    adopt()

    assert Badge.objects.count() == 3
    seen = in_the_order(locks)
    later = ["badging_configurationversion", "badging_badgeprogress", "badging_fulfillment", "badging_badge"]
    assert [*later, "badging_delivery"] in seen
    first = next(one for one in seen if "badging_badgetemplate" in one)
    assert first[0] == "badging_configurationversion"
    assert first.index("badging_badgepenalty") < first.index("badging_badgeprogress")
    assert ["badging_adoptedrow"] in seen
