"""Which errors of the database mean that it refuses a row, whatever else it takes."""

from __future__ import annotations

from django.db import DatabaseError, DataError, IntegrityError

from badges.processing.database_errors import code_of

CHARACTERS = frozenset({1366, 1267, 3988})
"""MySQL: an emoji in a table of three-byte characters, or compared with one. The driver calls it operational."""


def is_refused(error: DatabaseError) -> bool:
    """Whether the error is of what a row holds, so that trying again is of no use and other rows may go through."""
    return isinstance(error, IntegrityError | DataError) or code_of(error) in CHARACTERS
