"""Transactions that lose against others are done again, and no others."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import DataError, IntegrityError, OperationalError, transaction

from badges.processing import retries
from badges.processing.retries import TRIES, retried

LOST = [
    OperationalError(1213, "Deadlock found when trying to get lock"),
    OperationalError(1205, "Lock wait timeout exceeded"),
    OperationalError("database is locked"),
    IntegrityError("The template is gone."),
]


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "PAUSE", 0.0)


def failing(*errors: Exception) -> tuple[Callable[[], str], list[int]]:
    """A transaction that fails with these errors, one after the other, and then succeeds; and its calls."""
    left, calls = list(errors), []

    def transact() -> str:
        calls.append(1)
        if left:
            raise left.pop(0)
        return "done"

    return transact, calls


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("error", LOST, ids=str)
def test_what_lost_against_another_is_done_again(error: Exception) -> None:
    transact, calls = failing(error, error)

    assert retried(transact) == "done"
    assert len(calls) == 3


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "error", [DataError("value too long"), OperationalError("server closed"), ValueError()], ids=str
)
def test_what_fails_for_another_reason_is_not(error: Exception) -> None:
    transact, calls = failing(error)

    with pytest.raises(type(error)):
        retried(transact)
    assert len(calls) == 1


@pytest.mark.django_db(transaction=True)
def test_it_is_given_up_after_some_tries() -> None:
    transact, calls = failing(*[LOST[0]] * 100)

    with pytest.raises(OperationalError):
        retried(transact)
    assert len(calls) == TRIES


@pytest.mark.django_db(transaction=True)
def test_within_somebody_elses_transaction_nothing_is_done_again() -> None:
    transact, calls = failing(LOST[0])

    with pytest.raises(OperationalError), transaction.atomic():
        retried(transact)
    assert len(calls) == 1
