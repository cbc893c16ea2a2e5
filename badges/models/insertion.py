"""Inserting many rows of one table with as little work as they need.

``bulk_create`` makes an object of each row and prepares each of its values; here a row is the tuple of what differs,
and what is the same in all rows is prepared once. Signals and ``save()`` are passed by, as in ``bulk_create``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection, models
from django.db.models.constants import OnConflict
from django.utils import timezone

MOST_VALUES = 30_000
"""Values in one statement; the drivers' own limits lie above, with SQLite's lowest at 32,766."""


def insert(
    model: type[models.Model],
    columns: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    *,
    unique: Sequence[str] = (),
    update: Sequence[str] = (),
    is_ignoring: bool = False,
    returning: Sequence[str] = (),
) -> list[tuple[Any, ...]] | None:
    """Insert rows; the fields that are not given take their defaults.

    Arguments:
        model: whose table it is. Its primary key is given by the database.
        columns: the attribute names of what the rows hold, such as ``user_id``.
        rows: the values, in that order.
        unique: with these, a row that is there already, by this unique constraint, is updated instead.
        update: what is updated then.
        is_ignoring: whether a row that is there already is left as it is instead, and not returned.
        returning: numbers and texts to return for each row, such as the id.

    Returns:
        What was asked for; None where the database cannot tell (MySQL).

    Raises:
        django.db.IntegrityError: a row is there already, or refers to one that is not.
    """
    wanted = returning if connection.features.can_return_rows_from_bulk_insert else ()
    on_conflict = OnConflict.UPDATE if unique else OnConflict.IGNORE if is_ignoring else None
    statement = _Statement(model, columns, on_conflict, unique, update, wanted)
    size = max(1, MOST_VALUES // len(model._meta.concrete_fields))
    returned: list[tuple[Any, ...]] = []
    for start in range(0, len(rows), size):
        returned += statement.run(rows[start : start + size])
    return returned if wanted or not returning else None


class _Statement:
    """One kind of insertion."""

    def __init__(
        self,
        model: type[models.Model],
        columns: Sequence[str],
        on_conflict: OnConflict | None,
        unique: Sequence[str],
        update: Sequence[str],
        returning: Sequence[str],
    ) -> None:
        self._columns = {field.attname: str(field.column) for field in model._meta.concrete_fields}
        by_name = {field.attname: field for field in model._meta.concrete_fields}
        self._given = [by_name[name] for name in columns]
        others = [field for field in by_name.values() if field not in self._given and not field.primary_key]
        # A default that is made anew each time is one of its own for each row.
        self._made = [field for field in others if _is_made_anew(field)]
        self._same = [field for field in others if field not in self._made]
        self._table = model._meta.db_table
        self._on_conflict, self._unique, self._update, self._returning = on_conflict, unique, update, returning

    def run(self, rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Insert these rows."""
        fields = [*self._given, *self._made]
        made = [[field.get_default() for _ in rows] for field in self._made]
        varying = [
            _prepared(field, column) for field, column in zip(fields, [*zip(*rows, strict=True), *made], strict=True)
        ]
        same = [_prepared(field, [_default(field)])[0] for field in self._same]
        source, parameters = _source(fields, self._same, varying, same)
        quote, ops, every = connection.ops.quote_name, connection.ops, [*fields, *self._same]
        statement = [
            ops.insert_statement(on_conflict=self._on_conflict),
            quote(self._table),
            f"({', '.join(quote(str(field.column)) for field in every)})",
            source,
            ops.on_conflict_suffix_sql(
                every,
                self._on_conflict,
                [self._columns[name] for name in self._update],
                [self._columns[name] for name in self._unique],
            ),
        ]
        if self._returning:
            statement.append(f"RETURNING {', '.join(quote(self._columns[name]) for name in self._returning)}")
        with connection.cursor() as cursor:
            cursor.execute(" ".join(filter(None, statement)), parameters)
            return list(cursor.fetchall()) if self._returning else []


def _source(
    fields: Sequence[models.Field[Any, Any]],
    others: Sequence[models.Field[Any, Any]],
    varying: Sequence[Sequence[Any]],
    same: Sequence[Any],
) -> tuple[str, list[Any]]:
    """Where the rows come from, and the parameters of it. Quoting and parsing a value costs more than storing it."""
    names = ", ".join(f"c{number}" for number in range(len(fields)))
    if connection.vendor == "postgresql":
        # One array for each column, as Django itself does it, and what is the same in all rows once.
        arrays = ", ".join(f"%s::{_type(field)}[]" for field in fields)
        values = "".join(f", %s::{_type(field)}" for field in others)
        sql = f"SELECT {names}{values} FROM UNNEST({arrays}) AS source({names})"  # noqa: S608 - our own fields' names
        return sql, [*same, *(list(column) for column in varying)]
    if connection.vendor == "mysql" and getattr(connection, "mysql_is_mariadb", False):
        row = f"({', '.join(['%s'] * len(fields))})"
        source = f"WITH source({names}) AS (VALUES {', '.join([row] * len(varying[0]))})"
        sql = f"{source} SELECT {names}{', %s' * len(others)} FROM source"  # noqa: S608 - as above
        return sql, [*(value for values in zip(*varying, strict=True) for value in values), *same]
    row = f"({', '.join(['%s'] * (len(fields) + len(others)))})"
    return f"VALUES {', '.join([row] * len(varying[0]))}", [
        value for values in zip(*varying, strict=True) for value in (*values, *same)
    ]


def _type(field: models.Field[Any, Any]) -> str:
    # Without a length: a value that is too long must fail, and not be cut.
    return str(field.db_type(connection)).split("(")[0]


def _prepared(field: models.Field[Any, Any], values: Sequence[Any]) -> Sequence[Any]:
    as_they_are = (*_FOR_ALL, *_FOR_POSTGRESQL) if connection.vendor == "postgresql" else _FOR_ALL
    if isinstance(field, models.ForeignKey | models.AutoField) or type(field) in as_they_are:
        return values
    return [field.get_db_prep_save(value, connection) for value in values]


_FOR_ALL = (models.CharField, models.TextField, models.BooleanField, models.PositiveIntegerField)
"""What every driver takes as it is."""
_FOR_POSTGRESQL = (models.DateTimeField, models.UUIDField)


def _is_made_anew(field: models.Field[Any, Any]) -> bool:
    return field.has_default() and callable(field.default) and field.default is not timezone.now


def _default(field: models.Field[Any, Any]) -> Any:
    if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
        return timezone.now()
    return field.get_default()
