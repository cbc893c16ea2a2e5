"""Where an application may go."""

from __future__ import annotations

import pytest

from badges.applications.moves import MOVES, MOVES_OF_COPIES, may_move
from badges.models import Application

Status = Application.Status
ENDED = {Status.AWARDED, Status.WITHDRAWN, Status.CLOSED}


@pytest.mark.parametrize("table", [MOVES, MOVES_OF_COPIES])
def test_every_status_has_its_row_and_what_ended_stays(table: dict[str, frozenset[str]]) -> None:
    assert set(table) == set(Status.values)
    assert {status for status, targets in table.items() if not targets} == ENDED
    assert set(Application.OPEN) == set(Status.values) - ENDED


@pytest.mark.parametrize("table", [MOVES, MOVES_OF_COPIES])
def test_nothing_is_awarded_that_was_not_approved(table: dict[str, frozenset[str]]) -> None:
    assert [status for status, targets in table.items() if Status.AWARDED in targets] == [Status.APPROVED]


def test_only_a_copy_can_lose_its_approval() -> None:
    assert not may_move(Application(status=Status.APPROVED), Status.RETURNED)
    assert may_move(Application(status=Status.APPROVED, account_id=1), Status.RETURNED)


def test_a_copy_is_neither_handed_in_again_nor_withdrawn_here() -> None:
    reachable = set().union(*MOVES_OF_COPIES.values())

    assert reachable == {Status.RETURNED, Status.APPROVED, Status.AWARDED, Status.CLOSED}
