"""Inserting many rows of one table with as little work as they need.

``bulk_create`` makes an object of each row and prepares each of its values; here a row is the tuple of what differs,
and what is the same in all rows is prepared once. Signals and ``save()`` are passed by, as in ``bulk_create``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    returning: Sequence[str] = (),
) -> list[tuple[Any, ...]] | None:
    """Insert rows; the fields that are not given take their defaults, the same in all rows.

    Arguments:
        model: whose table it is. Its primary key is given by the database.
        columns: the attribute names of what the rows hold, such as ``user_id``.
        rows: the values, in that order.
        unique: with these, a row that is there already, by this unique constraint, is updated instead.
        update: what is updated then.
        returning: whole numbers to return for each row, such as the id.

    Returns:
        What was asked for, in the order of the rows; None where the database cannot tell (MySQL).

    Raises:
        django.db.IntegrityError: a row is there already, or refers to one that is not.
    """
    wanted = returning if connection.features.can_return_rows_from_bulk_insert else ()
    size = max(1, MOST_VALUES // len(model._meta.concrete_fields))
    returned: list[tuple[Any, ...]] = []
    for start in range(0, len(rows), size):
        returned += _insert(model, columns, rows[start : start + size], unique, update, wanted)
    return returned if wanted or not returning else None


def _insert(
    model: type[models.Model],
    columns: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    unique: Sequence[str],
    update: Sequence[str],
    returning: Sequence[str],
) -> list[tuple[Any, ...]]:
    by_name = {field.attname: field for field in model._meta.concrete_fields}
    fields = [by_name[name] for name in columns]
    others = [field for field in by_name.values() if field not in fields and not field.primary_key]
    prepare = [_preparation(field) for field in fields]
    varying = [[convert(value) for convert, value in zip(prepare, row, strict=True)] for row in rows]
    same = [_preparation(field)(_default(field)) for field in others]
    quote, ops = connection.ops.quote_name, connection.ops
    on_conflict = OnConflict.UPDATE if unique else None
    source, parameters = _source(fields, others, varying, same)
    statement = [
        ops.insert_statement(on_conflict=on_conflict),
        quote(model._meta.db_table),
        f"({', '.join(quote(str(field.column)) for field in (*fields, *others))})",
        source,
        ops.on_conflict_suffix_sql(
            [*fields, *others],
            on_conflict,
            [by_name[name].column for name in update],
            [by_name[name].column for name in unique],
        ),
    ]
    if returning:
        statement.append(f"RETURNING {', '.join(quote(str(by_name[name].column)) for name in returning)}")
    with connection.cursor() as cursor:
        cursor.execute(" ".join(filter(None, statement)), parameters)
        return list(cursor.fetchall()) if returning else []


def _source(
    fields: Sequence[models.Field[Any, Any]],
    others: Sequence[models.Field[Any, Any]],
    varying: Sequence[Sequence[Any]],
    same: Sequence[Any],
) -> tuple[str, list[Any]]:
    """Where the rows come from, and the parameters of it."""
    if connection.vendor == "postgresql":
        # One array for each column is planned faster than a parameter for each value, as Django itself does it.
        arrays = ", ".join(f"%s::{_type(field)}[]" for field in fields)
        names = ", ".join(f"c{number}" for number in range(len(fields)))
        values = "".join(f", %s::{_type(field)}" for field in others)
        columns = [list(column) for column in zip(*varying, strict=True)]
        sql = f"SELECT {names}{values} FROM UNNEST({arrays}) AS source({names})"  # noqa: S608 - our own fields' names
        return sql, [*same, *columns]
    row = f"({', '.join(['%s'] * (len(fields) + len(others)))})"
    return f"VALUES {', '.join([row] * len(varying))}", [value for values in varying for value in (*values, *same)]


def _type(field: models.Field[Any, Any]) -> str:
    # Without a length: a value that is too long must fail, and not be cut.
    return str(field.db_type(connection)).split("(")[0]


def _preparation(field: models.Field[Any, Any]) -> Callable[[Any], Any]:
    if isinstance(field, models.ForeignKey | models.AutoField) or type(field) in _AS_THEY_ARE:
        return _itself
    return lambda value: field.get_db_prep_save(value, connection)


_AS_THEY_ARE = (models.CharField, models.TextField, models.BooleanField, models.PositiveIntegerField)
"""What every driver takes as it is."""


def _itself(value: Any) -> Any:
    return value


def _default(field: models.Field[Any, Any]) -> Any:
    if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
        return timezone.now()
    return field.get_default()
