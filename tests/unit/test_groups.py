"""What keeps a machine busy runs one after the other, which takes a pytest and a pytest-xdist that fit each other."""

from __future__ import annotations

import pytest


@pytest.mark.xdist_group("busy")
def test_a_test_of_a_group_is_known_as_one_where_tests_are_shared_out_by_groups(request: pytest.FixtureRequest) -> None:
    is_by_groups = bool(request.config.getoption("loadgroup", default=False))

    assert request.node.nodeid.endswith("@busy") == is_by_groups
