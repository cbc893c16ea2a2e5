"""Doing a transaction again that lost against another one."""

from __future__ import annotations

import itertools
import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import DatabaseError, IntegrityError, connection

from badges.processing.database_errors import CONFLICTS, code_of

logger = logging.getLogger(__name__)

T = TypeVar("T")
TRIES = 6
PAUSE = 0.01
"""Seconds; the pause before another try grows from this."""


def is_conflict(error: DatabaseError) -> bool:
    """Whether a transaction failed only because another one was in its way."""
    if isinstance(error, IntegrityError):
        # Something that was there at the start is gone, or came: a template deleted, a record made by another.
        return True
    return code_of(error) in CONFLICTS


def retried(transact: Callable[[], T]) -> T:
    """Call a function that makes one transaction; again when it lost against another, a few times.

    Inside somebody else's transaction nothing can be repeated, so then it is called once.

    Raises:
        DatabaseError: what it raised the last time.
    """
    for attempt in itertools.count(1):
        try:
            return transact()
        except DatabaseError as error:
            if attempt == TRIES or connection.in_atomic_block or not is_conflict(error):
                raise
        logger.info(
            "A transaction lost against another one and is done again.", extra={"action": "transaction_retried"}
        )
        # Two that lost against each other must not meet again.
        time.sleep(random.uniform(0, PAUSE * 2**attempt))  # noqa: S311 - jitter, not a secret
    raise AssertionError("unreachable")
