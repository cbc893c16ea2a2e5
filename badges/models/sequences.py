"""From which id on a table counts its new rows."""

from __future__ import annotations

import logging
import re

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper

logger = logging.getLogger(__name__)

NOT_ALLOWED = (1142, 1227)
"""MySQL: this user may not do this to the table, or lacks a privilege."""


def begin_above(connection: BaseDatabaseWrapper, table: str, number: int) -> None:
    """Let the ids of new rows lie above a number. What counts from a higher one already is left alone.

    On MySQL this is left out within a transaction, which it would end, and where the user may not alter tables, as one
    that only runs the service: there the ids that rows are given count anyway.

    Arguments:
        connection: to which database.
        table: its name; its primary key is ``id``, and is counted by the database.
        number: at least 1.
    """
    if connection.vendor == "sqlite":
        _sqlite(connection, table, number)
    elif connection.vendor == "postgresql":
        _postgresql(connection, table, number)
    elif connection.vendor == "mysql" and not connection.in_atomic_block:
        _mysql(connection, table, number)


def _sqlite(connection: BaseDatabaseWrapper, table: str, number: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE sqlite_sequence SET seq = MAX(seq, %s) WHERE name = %s", [number, table])
        if not cursor.rowcount:
            cursor.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)", [table, number])


def _postgresql(connection: BaseDatabaseWrapper, table: str, number: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_serial_sequence(%s, 'id')", [connection.ops.quote_name(table)])
        sequence = cursor.fetchone()[0]
        # The name comes from the database, and is quoted by it where it has to be.
        cursor.execute(
            f"SELECT setval(%s, GREATEST(last_value, %s)) FROM {sequence} WHERE last_value < %s OR NOT is_called",  # noqa: S608
            [sequence, number, number],
        )


def _mysql(connection: BaseDatabaseWrapper, table: str, number: int) -> None:
    with connection.cursor() as cursor:
        name = connection.ops.quote_name(table)
        cursor.execute(f"SHOW CREATE TABLE {name}")
        # information_schema tells an old value for a day.
        found = re.search(r"AUTO_INCREMENT=(\d+)", cursor.fetchone()[1])
        if found and int(found.group(1)) > number:
            return
        try:
            cursor.execute(f"ALTER TABLE {name} AUTO_INCREMENT = {int(number) + 1}")
        except DatabaseError as error:
            if error.args[:1] not in [(code,) for code in NOT_ALLOWED]:
                raise
            logger.warning(
                "New rows of %s may take ids up to %s: the database's user may not alter it.",
                table,
                number,
                extra={"action": "ids_not_kept_free", "table": table},
            )
