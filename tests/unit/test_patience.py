"""Which failures are the database's, how long is waited for it, and when waiting ends."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import (
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
    transaction,
)
from hypothesis import given
from hypothesis import strategies as st

from badges.exceptions import BadgesError
from badges.processing import database_errors, patience
from badges.processing.patience import MOST_BREAKS, Patience, is_away, is_contention, pauses, wait_for_database
from badges.processing.retries import is_conflict

GONE = OperationalError(2006, "Server has gone away")
READ_ONLY = OperationalError(1290, "running with the --read-only option")
DEADLOCK = OperationalError(1213, "Deadlock found when trying to get lock")
BAD_VALUE = OperationalError(1366, "Incorrect string value")


class Connection:
    """Django's connection: its state, and whether the database is there."""

    def __init__(self, *, downs: int = 0) -> None:
        self.connection: object | None = object()
        self.in_atomic_block = False
        self.usable = True
        self.downs = downs
        self.probes = 0

    def close(self) -> None:
        self.connection = None

    def is_usable(self) -> bool:
        return self.usable

    def cursor(self) -> Any:
        self.probes += 1
        if self.downs:
            self.downs -= 1
            raise OperationalError(2003, "Can't connect to the server")
        self.connection = object()
        return _Cursor()


class _Cursor:
    def __enter__(self) -> _Cursor:
        return self

    def __exit__(self, *args: object) -> None:
        pass

    def execute(self, statement: str) -> None:
        pass

    def fetchone(self) -> None:
        pass


@pytest.fixture(autouse=True)
def connection(monkeypatch: pytest.MonkeyPatch) -> Connection:
    connection = Connection()
    monkeypatch.setattr(database_errors, "connection", connection)
    monkeypatch.setattr(patience, "connection", connection)
    return connection


def wrapped(kind: type[Error], cause: Exception) -> Error:
    """An error as Django raises it: with the driver's as its cause."""
    error = kind(*cause.args)
    error.__cause__ = cause
    return error


def postgresql(state: str, kind: type[Error] = OperationalError) -> Error:
    return wrapped(kind, psycopg.errors.lookup(state)("told"))


def sqlite(statement: str, path: str = ":memory:") -> Error:
    try:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute(statement)
    except sqlite3.Error as error:
        return wrapped(OperationalError, error)
    raise AssertionError("It did not fail.")


def sqlite_named(name: str) -> Error:
    cause = sqlite3.OperationalError("told")
    cause.sqlite_errorname = name
    return wrapped(OperationalError, cause)


@pytest.mark.parametrize(
    "error",
    [
        *(OperationalError(code, "told") for code in (2002, 2003, 2006, 2013, 2055, 1040, 1053, 1290, 1836)),
        *(OperationalError(code, "told") for code in (1021, 1114, 1047, 1927, 1045, 1049, 1054)),
        ProgrammingError(1146, "Table 'badging_badge' doesn't exist"),
        InterfaceError(0, ""),
        *(postgresql(state) for state in ("08006", "57P01", "57P02", "57P03", "53100", "53300", "58030", "28P01")),
        postgresql("25006", InternalError),
        postgresql("42P01", ProgrammingError),
        *(sqlite_named(name) for name in ("SQLITE_READONLY_DBMOVED", "SQLITE_FULL", "SQLITE_IOERR_WRITE")),
        sqlite("SELECT 1 FROM nowhere", ":memory:"),
        sqlite("SELECT 1", "/nowhere/at/all"),
    ],
    ids=repr,
)
def test_a_database_that_takes_nothing_is_away(error: Error) -> None:
    assert is_away(error)
    assert not is_contention(error)


@pytest.mark.parametrize(
    "error",
    [
        *(OperationalError(code, "told") for code in (1205, 1213, 1020, 3572)),
        *(postgresql(state) for state in ("40001", "40P01", "55P03")),
        *(sqlite_named(name) for name in ("SQLITE_BUSY_SNAPSHOT", "SQLITE_LOCKED_SHAREDCACHE")),
        OperationalError("database is locked"),
    ],
    ids=repr,
)
def test_losing_against_another_transaction_is_contention(error: Error) -> None:
    assert is_contention(error)
    assert not is_away(error)
    assert is_conflict(error)  # type: ignore[arg-type]  # None of these is an InterfaceError.


@pytest.mark.parametrize(
    "error",
    [
        BAD_VALUE,
        OperationalError(1292, "Incorrect datetime value"),
        DataError(1406, "Data too long for column"),
        IntegrityError(1062, "Duplicate entry"),
        postgresql("22021", DataError),
        postgresql("57014"),
        postgresql("23505", IntegrityError),
        sqlite("SELECT json('{')"),
        ValueError("1205"),
        KeyError(2006),
        BadgesError("The database is away."),
    ],
    ids=repr,
)
def test_what_the_data_caused_is_neither(error: Exception) -> None:
    assert not is_away(error)
    assert not is_contention(error)


def test_an_error_raised_from_the_databases_is_judged_by_that() -> None:
    error = BadgesError("It could not be processed.")
    error.__cause__ = GONE

    assert is_away(error)


class TestWhereNoCodeTells:
    """psycopg tells no code where the connection broke, and none where it was given too many parameters."""

    ERROR = wrapped(OperationalError, psycopg.OperationalError("told"))

    def test_a_connection_that_still_answers_was_not_what_failed(self) -> None:
        assert not is_away(self.ERROR)

    def test_one_that_does_not_answer_was(self, connection: Connection) -> None:
        connection.usable = False

        assert is_away(self.ERROR)

    def test_one_that_is_closed_already_was(self, connection: Connection) -> None:
        connection.close()

        assert is_away(self.ERROR)

    def test_within_a_transaction_nothing_is_asked(self, connection: Connection) -> None:
        connection.in_atomic_block = True

        assert is_away(self.ERROR)
        assert not is_away(BAD_VALUE)


@given(first=st.floats(0.001, 100), longest=st.floats(0.001, 1000))
def test_pauses_grow_and_have_an_end(first: float, longest: float) -> None:
    seconds = list(itertools.islice(pauses(first, longest), 30))

    assert all(0 < pause <= longest for pause in seconds)
    assert seconds[-1] >= longest / 2 or first * 2**29 < longest
    assert seconds[0] <= first


class TestWaitingForTheDatabase:
    """It ends when a query is taken on a new connection, or when told to stop."""

    def test_each_try_makes_a_new_connection(self, connection: Connection) -> None:
        broken, connection.downs = connection.connection, 3

        assert wait_for_database(lambda: False, lambda seconds: None)
        assert connection.probes == 4
        assert connection.connection is not broken

    def test_a_database_that_is_there_is_not_waited_for(self) -> None:
        def pause(seconds: float) -> None:
            raise AssertionError("It paused.")

        assert wait_for_database(lambda: False, pause)

    def test_it_ends_when_told_to_stop(self, connection: Connection) -> None:
        connection.downs = 1_000_000
        stopping = iter([False] * 50)

        assert not wait_for_database(lambda: next(stopping, True), lambda seconds: None)

    def test_no_nap_is_long(self, connection: Connection) -> None:
        connection.downs = 20
        naps: list[float] = []

        wait_for_database(lambda: False, naps.append)

        assert max(naps) <= patience.LONGEST_NAP
        assert sum(naps) > 100

    def test_within_a_transaction_it_is_refused(self, connection: Connection) -> None:
        connection.in_atomic_block = True

        with pytest.raises(transaction.TransactionManagementError):
            wait_for_database(lambda: False)

    def test_the_log_tells_once_that_it_waits_and_once_that_it_is_over(
        self, connection: Connection, caplog: pytest.LogCaptureFixture
    ) -> None:
        connection.downs = 5

        wait_for_database(lambda: False, lambda seconds: None)

        told = [record.action for record in caplog.records]  # type: ignore[attr-defined]
        assert told == ["database_away", "database_back"]


class TestPatience:
    """The same work again, while only the database keeps it from its end."""

    @pytest.fixture
    def paused(self) -> list[float]:
        return []

    @pytest.fixture
    def clock(self, monkeypatch: pytest.MonkeyPatch, paused: list[float]) -> Callable[[], float]:
        def now() -> float:
            return sum(paused)

        monkeypatch.setattr(time, "monotonic", now)
        return now

    def test_work_is_tried_again_after_the_databases_failures(self, paused: list[float]) -> None:
        waiting = Patience(pause=paused.append)

        assert all(waiting.waited_out(error) for error in (GONE, READ_ONLY, DEADLOCK))
        assert paused

    def test_and_after_no_other(self) -> None:
        assert not Patience().waited_out(BAD_VALUE)
        assert not Patience().waited_out(ValueError())

    def test_one_that_is_read_only_is_tried_less_and_less_often(self, paused: list[float]) -> None:
        waiting = Patience(pause=paused.append)

        for _ in range(100):
            assert waiting.waited_out(READ_ONLY)
        assert sum(paused) > 80 * 15

    def test_work_that_breaks_connections_again_and_again_is_given_up(self, paused: list[float]) -> None:
        waiting = Patience(pause=paused.append)

        assert all(waiting.waited_out(GONE) for _ in range(MOST_BREAKS - 1))
        assert not waiting.waited_out(GONE)

    @pytest.mark.parametrize("error", [postgresql("57P01"), postgresql("08P01"), OperationalError(1927, "killed")])
    def test_so_is_work_whose_connections_are_ended_by_somebody(self, error: Error, paused: list[float]) -> None:
        waiting = Patience(pause=paused.append)

        assert all(waiting.waited_out(error) for _ in range(MOST_BREAKS - 1))
        assert not waiting.waited_out(error)

    def test_failures_of_another_kind_between_them_begin_the_count_anew(self, paused: list[float]) -> None:
        waiting = Patience(pause=paused.append)

        assert all(waiting.waited_out(error) for error in [GONE, READ_ONLY] * MOST_BREAKS)

    def test_one_long_outage_is_one_break(self, connection: Connection, paused: list[float]) -> None:
        connection.downs = 10 * MOST_BREAKS

        assert Patience(pause=paused.append).waited_out(GONE)

    def test_it_is_over_after_its_time(
        self, connection: Connection, paused: list[float], clock: Callable[[], float]
    ) -> None:
        connection.downs = 1_000_000

        assert not Patience(pause=paused.append, seconds=3).waited_out(GONE)
        assert clock() <= 3 + patience.LONGEST_NAP

    def test_within_a_transaction_nothing_is_waited_for(self, connection: Connection) -> None:
        connection.in_atomic_block = True

        assert not Patience().waited_out(GONE)
