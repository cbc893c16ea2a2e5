"""What the error of a database says: lost against another transaction, the database is not to be had, or neither.

The codes are MySQL's and MariaDB's error numbers, PostgreSQL's SQLSTATEs and the names of SQLite's primary results.
"""

from __future__ import annotations

from django.db import Error, InterfaceError, OperationalError, connection

Code = int | str | None

CONFLICTS: frozenset[Code] = frozenset(
    {
        # MySQL: lock wait timeout, deadlock, a lock taken with NOWAIT; MariaDB's snapshot: changed since it was read.
        *(1205, 1213, 3572, 1020),
        # PostgreSQL: serialization failure, deadlock, lock not available.
        *("40001", "40P01", "55P03"),
        *("SQLITE_BUSY", "SQLITE_LOCKED"),
    }
)
"""Another transaction was in the way."""

BREAKS: frozenset[Code] = frozenset(
    {
        # MySQL: gone away, connection lost (twice), commands out of sync; a connection that is closed here.
        *(2006, 2013, 2055, 2014, 0),
        # MySQL: connection aborted (twice), network errors, killed (twice), idle for too long.
        *(1152, 1184, 1158, 1159, 1160, 1161, 1927, 3169, 4031),
        # MySQL: out of memory (twice), out of resources, a packet that is too large.
        *(1037, 1038, 1041, 1153),
        # PostgreSQL: ended by an operator or a shutdown; crash; idle for too long (twice), transaction for too long.
        *("57P01", "57P02", "57P05", "25P03", "25P04"),
        # PostgreSQL: out of memory.
        "53200",
        "SQLITE_NOMEM",
    }
)
"""The connection or the server broke. Almost always by itself; but a statement can bring it about."""

REFUSALS: frozenset[Code] = frozenset(
    {
        # MySQL: not reachable by socket, by address, by name; handshake, TLS.
        *(2002, 2003, 2005, 2012, 2026),
        # MySQL: too many connections (of all, of this user), host blocked, user's limit, no thread; shutting down.
        *(1040, 1203, 1129, 1226, 1135, 1053, 1077, 1079, 1080),
        # MySQL: server or transaction is read-only (three times); disk full, table full; Galera's node is not ready.
        *(1290, 1792, 1836, 1021, 1114, 1047),
        # MySQL: access denied (to the server, the database, a table, a column, by socket), no such database.
        *(1045, 1044, 1142, 1143, 1698, 1049),
        # MySQL: no such table, no such column: migrations are to be applied.
        *(1146, 1054),
        # PostgreSQL: starting or stopping, database dropped; read-only; no such database or schema.
        *("57P03", "57P04", "25006", "3D000", "3F000"),
        # PostgreSQL: no privilege; no such table, no such column: migrations are to be applied.
        *("42501", "42P01", "42703"),
        # SQLite: file cannot be opened, is not writable, disk error, disk full, no file of SQLite's or a damaged one.
        *("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_IOERR", "SQLITE_FULL", "SQLITE_NOTADB", "SQLITE_CORRUPT"),
        *("SQLITE_PERM", "SQLITE_AUTH"),
    }
)
"""The database takes nothing, whatever the event."""
# PostgreSQL's classes: connection exception; invalid authorization, insufficient resources, system error.
_BREAK_CLASS = "08"
_REFUSAL_CLASSES = ("28", "53", "58")
_LOCKED = "database is locked"
_NO_SUCH = ("no such table", "no such column")


def database_error(error: BaseException | None) -> Error | None:
    """The database's error that this one is, or was raised from."""
    while error is not None and not isinstance(error, Error):
        error = error.__cause__
    return error


def code_of(error: Error) -> Code:
    """What the driver says of an error; None where it says nothing."""
    cause = error.__cause__
    # psycopg, or psycopg2.
    if state := getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None):
        return str(state)
    if name := getattr(cause, "sqlite_errorname", None):
        # SQLITE_READONLY_DBMOVED is a SQLITE_READONLY.
        return "_".join(str(name).split("_")[:2])
    first = next(iter(error.args), None)
    if isinstance(first, int):
        return first
    return "SQLITE_LOCKED" if _LOCKED in str(error) else None


def is_refusal(error: Error) -> bool:
    """Whether the database takes nothing at present, whatever it is given."""
    code = code_of(error)
    if code in BREAKS:
        return False
    if code in REFUSALS or (isinstance(code, str) and code.startswith(_REFUSAL_CLASSES)):
        return True
    # SQLite has one code for all that is wrong with a statement.
    return code == "SQLITE_ERROR" and str(error).startswith(_NO_SUCH)


def is_break(error: Error) -> bool:
    """Whether the connection or the server broke under a statement.

    Where the code does not tell, the connection itself does: one that still answers was not what failed.
    """
    code = code_of(error)
    if code in BREAKS or (isinstance(code, str) and code.startswith(_BREAK_CLASS)):
        return True
    if code in CONFLICTS or is_refusal(error) or not isinstance(error, OperationalError | InterfaceError):
        return False
    if connection.in_atomic_block:
        # A transaction that failed answers nothing, so it cannot be asked.
        return code is None
    return connection.connection is None or not connection.is_usable()
