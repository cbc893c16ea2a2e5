"""Waiting for a database that is away, or busy, for as long as that is worth it."""

from __future__ import annotations

import contextlib
import logging
import random
import time
from collections.abc import Callable, Iterator

from attrs import define, field
from django.db import Error, connection, transaction

from badges.conf import get_config
from badges.processing.database_errors import CONFLICTS, code_of, database_error, is_break, is_refusal

logger = logging.getLogger(__name__)

MOST_BREAKS = 20
"""So often in a row may the same work break a connection to a database that answers otherwise; then it is the work."""
TELL_AGAIN = 60.0
"""Seconds until the log tells again that the database is away; doubles each time."""
LONGEST_NAP = 0.5
"""Seconds between two looks whether to stop."""


def is_away(error: BaseException) -> bool:
    """Whether the database cannot be reached, is read-only, full, or not migrated: nothing about the event itself.

    Asks the connection where the error does not tell. A deadlock or a lock timeout is :func:`is_contention`.
    """
    failure = database_error(error)
    return failure is not None and (is_refusal(failure) or is_break(failure))


def is_contention(error: BaseException) -> bool:
    """Whether a transaction only lost against another one: deadlock, lock timeout, serialization."""
    failure = database_error(error)
    return failure is not None and code_of(failure) in CONFLICTS


def pauses(first: float, longest: float) -> Iterator[float]:
    """Seconds to wait after each failure: doubling from ``first`` to ``longest``, less up to half of it at random."""
    seconds = min(first, longest)
    while True:
        yield seconds * random.uniform(0.5, 1)  # noqa: S311 - jitter, not a secret
        seconds = min(seconds * 2, longest)


def wait_for_database(is_stopping: Callable[[], bool], pause: Callable[[float], None] = time.sleep) -> bool:
    """Wait until the database takes a query again, on a new connection.

    The first look is taken at once. A database that is read-only or full takes queries: whoever tries again in a
    loop has to pause by itself, see :class:`Patience`.

    Arguments:
        is_stopping: asked between short naps; ends the waiting.
        pause: sleeps for so many seconds.

    Returns:
        Whether the database is there; False where it was told to stop first.

    Raises:
        TransactionManagementError: a transaction is open, so that no new connection can be made.
    """
    if connection.in_atomic_block:
        raise transaction.TransactionManagementError("Within a transaction nobody can wait for the database.")
    config = get_config().consumer
    naps = pauses(config.first_retry, config.longest_retry)
    began, told_at = time.monotonic(), None
    while not is_stopping():
        failure = _probe()
        waited = time.monotonic() - began
        if failure is None:
            if told_at is not None:
                logger.warning("The database is back after %.0f s.", waited, extra={"action": "database_back"})
            return True
        if told_at is None or waited >= 2 * told_at + TELL_AGAIN:
            told_at = waited
            logger.error(
                "The database cannot be reached (%s); waiting for it, since %.0f s.",
                _named(failure),
                waited,
                extra={"action": "database_away"},
            )
        rest(next(naps), is_stopping, pause)
    return False


def rest(seconds: float, is_stopping: Callable[[], bool], pause: Callable[[float], None] = time.sleep) -> None:
    """Pause for so many seconds, or until told to stop."""
    while seconds > 0 and not is_stopping():
        nap = min(seconds, LONGEST_NAP)
        pause(nap)
        seconds -= nap


def _probe() -> Exception | None:
    # What is wrong with the old connection does not matter, closing it neither.
    with contextlib.suppress(Error):
        connection.close()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
    except Exception as error:  # noqa: BLE001 - a driver may be unable to wrap what it met while connecting
        return error
    return None


def _named(error: Exception) -> str:
    """An error by its code: a database's own text names hosts and users, and quotes values."""
    code = code_of(error) if isinstance(error, Error) else None
    return type(error).__name__ if code is None else f"{type(error).__name__} {code}"


@define
class Patience:
    """How one piece of work (an event, a batch) is tried again while only the database keeps it from its end.

    ::

        patience = Patience(is_stopping)
        while True:
            try:
                return work()
            except Exception as error:
                if not patience.waited_out(error):
                    raise
    """

    is_stopping: Callable[[], bool] = lambda: False
    pause: Callable[[float], None] = time.sleep
    seconds: float | None = None
    """After so many seconds it is over; None: as long as it takes."""
    _naps: Iterator[float] = field(init=False)
    _began: float = field(init=False)
    _breaks: int = field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        config = get_config().consumer
        self._naps = pauses(config.first_retry, config.longest_retry)
        self._began = time.monotonic()

    def waited_out(self, error: BaseException) -> bool:
        """After a failure: wait, and tell whether to try the work again.

        False where the failure is not the database's, where the work itself seems to break the database's
        connections, where it is told to stop, and when the time is over. Within a transaction always False.
        """
        failure = database_error(error)
        if failure is None or connection.in_atomic_block or not (is_away(failure) or is_contention(failure)):
            return False
        self._breaks = self._breaks + 1 if is_break(failure) else 0
        if self._breaks >= MOST_BREAKS:
            return False
        logger.warning(
            "The database did not take it (%s); trying again.", _named(failure), extra={"action": "database_refused"}
        )
        rest(next(self._naps), self._is_over, self.pause)
        return wait_for_database(self._is_over, self.pause)

    def _is_over(self) -> bool:
        is_late = self.seconds is not None and time.monotonic() - self._began >= self.seconds
        return is_late or self.is_stopping()
