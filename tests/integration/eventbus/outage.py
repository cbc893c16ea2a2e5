"""A database that goes away under Django's connection, and is back after so many tries to reach it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection


@contextlib.contextmanager
def database_outage() -> Iterator[Outage]:
    """Within the block the database can be made to go away."""
    # Undone here: who empties the database afterwards has to meet the real connection.
    with pytest.MonkeyPatch.context() as patch:
        outage = Outage(patch)
        yield outage
        outage.end()


class Outage:
    """Stands between Django and the real connection, which it keeps for the time after."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        connection.ensure_connection()
        self._real = connection.connection
        self._create_cursor, self._is_usable = connection.create_cursor, connection.is_usable
        self._connect, self._close = connection.connect, connection.close
        self._refusals = 0
        self.tries = 0
        """How often somebody tried to connect while it was away."""
        self.at_each_try: Callable[[], object] = lambda: None
        for name in ("create_cursor", "is_usable", "connect", "close"):
            patch.setattr(connection, name, getattr(self, name))

    def begin(self, refusals: int) -> None:
        """From now on all queries on the open connection fail, and so many tries to make a new one."""
        self._refusals = refusals

    @property
    def is_on(self) -> bool:
        return self._refusals > 0

    def create_cursor(self, *args: Any, **kwargs: Any) -> Any:
        if self.is_on:
            raise OperationalError(2013, "Lost connection to server during query")
        return self._create_cursor(*args, **kwargs)

    def is_usable(self) -> bool:
        return not self.is_on and self._is_usable()

    def connect(self) -> None:
        if self.is_on:
            self.tries += 1
            self.at_each_try()
            self._refusals -= 1
            raise OperationalError(2003, "Can't connect to server")
        connection.connection = self._real
        connection.set_autocommit(True)
        connection.closed_in_transaction = connection.needs_rollback = False

    def close(self) -> None:
        connection.connection = None

    def end(self) -> None:
        """It is over, and the connection open."""
        self._refusals = 0
        self.connect()
