"""A database as it is, without Django: what is in it, and how its tables are made."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote, urlsplit

from attrs import frozen

Rows = list[tuple[Any, ...]]
"""Values are texts, or None."""


@frozen
class Database:
    """The database of a URL."""

    url: str

    @property
    def vendor(self) -> str:
        """The scheme of its URL: sqlite, mysql or postgres."""
        return urlsplit(self.url).scheme

    def query(self, sql: str) -> Rows:
        """What it answers, every value as text."""
        with contextlib.closing(self._connect()) as connection, contextlib.closing(connection.cursor()) as cursor:
            cursor.execute(sql)
            return [tuple(None if value is None else str(value) for value in row) for row in cursor.fetchall()]

    def execute(self, sql: str) -> None:
        """Change it."""
        with contextlib.closing(self._connect()) as connection, contextlib.closing(connection.cursor()) as cursor:
            cursor.execute(sql)
            connection.commit()

    def tables(self) -> set[str]:
        """The names of its tables."""
        queries = {
            "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table'",
            "mysql": "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()",
            "postgres": "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
        }
        return {name for (name,) in self.query(queries[self.vendor]) if name}

    def dump(self, tables: Iterable[str]) -> dict[str, Rows]:
        """How each table is made, with its indexes and where its ids go on, and then all its rows."""
        return {table: [*self._made(table), *self.query(f"SELECT * FROM {table} ORDER BY 1")] for table in tables}

    def _made(self, table: str) -> Rows:
        queries = {
            "sqlite": [
                f"SELECT sql FROM sqlite_master WHERE tbl_name = '{table}' ORDER BY name",
                f"SELECT seq FROM sqlite_sequence WHERE name = '{table}'",
            ],
            "mysql": [f"SHOW CREATE TABLE {table}"],
            "postgres": [
                "SELECT column_name, data_type, is_nullable, column_default, character_maximum_length"
                f" FROM information_schema.columns WHERE table_name = '{table}' ORDER BY ordinal_position",
                f"SELECT indexdef FROM pg_indexes WHERE tablename = '{table}' ORDER BY indexname",
                f"SELECT conname, contype FROM pg_constraint WHERE conrelid = '{table}'::regclass ORDER BY conname",
                f"SELECT last_value FROM pg_sequences WHERE sequencename = '{table}_id_seq'",
            ],
        }
        return [row for query in queries[self.vendor] for row in self.query(query)]

    def _connect(self) -> Any:
        parts = urlsplit(self.url)
        if self.vendor == "sqlite":
            return sqlite3.connect(parts.path, timeout=20)
        names: dict[str, Any] = {"host": parts.hostname or "", "user": unquote(parts.username or "")}
        password, name = unquote(parts.password or ""), parts.path.lstrip("/")
        if self.vendor == "mysql":
            import MySQLdb

            return MySQLdb.connect(
                **names, port=parts.port or 3306, password=password, database=name, charset="utf8mb4"
            )
        import psycopg

        return psycopg.connect(**names, port=parts.port or 5432, password=password or None, dbname=name)
