"""The floors: the bare loop over the bus, and with it the fewest plain bulk statements that store the same rows.

The bare loop reads 200 messages at a time, decodes each, sends it through the ordinary signal to a receiver that
does nothing, and acknowledges them in one call. What it stores, it stores in one transaction before that.
"""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import redis
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from edx_event_bus_redis.internal.config import get_full_topic

from badges.data import Origin
from badges.models import Badge, BadgeProgress, Delivery, Fulfillment
from badges.processing.messages import Message, decode
from benchmarks.consumer_events import Target

BATCH = 200
Row = tuple[Any, ...]
TYPES = {
    "user_id": "bigint",
    "template_id": "bigint",
    "progress_id": "bigint",
    "requirement_id": "bigint",
    "badge_id": "bigint",
    "is_fulfilled": "boolean",
    "is_active": "boolean",
    "is_staff": "boolean",
    "is_superuser": "boolean",
    "event_id": "uuid",
    "uuid": "uuid",
    "evidence": "jsonb",
    "attempts": "integer",
    "failures": "integer",
    "lms_user_id": "integer",
    **dict.fromkeys(
        ("created", "modified", "event_time", "awarded_at", "next_attempt_at", "date_joined"), "timestamptz"
    ),
}
"""PostgreSQL's types of the columns; the others are texts."""


def bare_loop(client: redis.Redis, topic: str, store: Callable[[list[Message]], None] | None = None) -> int:
    """Take all that is on a topic; gives how many messages there were."""
    stream, group, number = get_full_topic(topic), uuid.uuid4().hex, 0
    client.xgroup_create(stream, group, id="0")
    while True:
        answer: Any = client.xreadgroup(group, "bench", {stream: ">"}, count=BATCH)
        if not answer:
            return number
        [entries] = answer.values() if isinstance(answer, dict) else [found for _, found in answer]
        if isinstance(answer, dict):
            [entries] = entries
        taken = []
        for message_id, fields in entries:
            message = decode(fields, Origin(stream, message_id.decode()))
            message.signal.send_event_with_custom_metadata(message.metadata, **message.arguments)
            taken.append(message)
        if store is not None:
            store(taken)
        client.xack(stream, group, *(message_id for message_id, _ in entries))
        number += len(entries)


class Writer:
    """Stores what first fulfilments, and awards where it is asked to, leave in the database. Plain SQL.

    Each table takes one statement: an ``INSERT`` of all rows at once (from arrays on PostgreSQL, where that is faster
    than a long list of values), whose ids come back with it.
    """

    def __init__(self, targets: Iterable[Target], *, awards: bool = False, new_learners: bool = False) -> None:
        self.targets = {target.course_key: target for target in targets}
        self.awards = awards
        self.new_learners = new_learners

    def __call__(self, messages: Sequence[Message]) -> None:
        with transaction.atomic(), contextlib.closing(_cursor()) as cursor:
            self._store(cursor, messages)

    def _store(self, cursor: Any, messages: Sequence[Message]) -> None:
        now = _time(datetime.now(UTC))
        statuses = [message.arguments["course_passing_status"] for message in messages]
        names = [status.user.pii.username for status in statuses]
        wanted = [self.targets[str(status.course.course_key)] for status in statuses]
        ids = _new_users(cursor, statuses, now) if self.new_learners else _ids_by_name(cursor, names)
        rows: list[Row] = [
            (ids[name], target.template_id, now, now) for name, target in zip(names, wanted, strict=True)
        ]
        progress = {
            (user_id, template_id): pk
            for pk, user_id, template_id in insert(
                cursor,
                BadgeProgress._meta.db_table,
                ("user_id", "template_id", "created", "modified"),
                rows,
                ("id", "user_id", "template_id"),
            )
        }
        fulfillments: list[Row] = [
            (
                progress[ids[name], target.template_id],
                target.requirement_id,
                True,
                message.metadata.event_type,
                _uuid(message.event_id),
                _time(message.metadata.time),
                json.dumps({"course.course_key": target.course_key, "is_passing": True}),
                now,
                now,
            )
            for name, target, message in zip(names, wanted, messages, strict=True)
        ]
        columns = ("progress_id", "requirement_id", "is_fulfilled", "event_type", "event_id", "event_time", "evidence")
        insert(cursor, Fulfillment._meta.db_table, (*columns, "created", "modified"), fulfillments)
        if self.awards:
            _award(cursor, [row[:2] for row in rows], [_time(message.metadata.time) for message in messages], now)


def _award(cursor: Any, pairs: Sequence[Row], times: Sequence[Any], now: Any) -> None:
    badges: list[Row] = [
        (_uuid(uuid.uuid4()), *pair, "awarded", "", "", "", time, now, now)
        for pair, time in zip(pairs, times, strict=True)
    ]
    columns = ("uuid", "user_id", "template_id", "status", "state", "external_id", "url", "awarded_at")
    made = insert(cursor, Badge._meta.db_table, (*columns, "created", "modified"), badges, ("id",))
    deliveries: list[Row] = [
        (pk, action, "pending", 0, 0, now, "", "", now, now)
        for (pk,) in made
        for action in (Delivery.Action.ANNOUNCE_AWARDED.value, Delivery.Action.ISSUE.value)
    ]
    columns = ("badge_id", "action", "status", "attempts", "failures", "next_attempt_at", "last_error", "note")
    insert(cursor, Delivery._meta.db_table, (*columns, "created", "modified"), deliveries)


def _cursor() -> Any:
    connection.ensure_connection()
    if connection.vendor != "postgresql":
        return connection.cursor()
    import psycopg

    # Django's own binds on this side, which sends arrays as text.
    return psycopg.Cursor(connection.connection)


def _ids_by_name(cursor: Any, names: Sequence[str]) -> Mapping[str, int]:
    table = get_user_model()._meta.db_table
    if connection.vendor == "postgresql":
        cursor.execute(f"SELECT username, id FROM {table} WHERE username = ANY(%s)", [list(names)])
    else:
        marks = ", ".join(["%s"] * len(names))
        cursor.execute(f"SELECT username, id FROM {table} WHERE username IN ({marks})", names)
    return dict(cursor.fetchall())


def _new_users(cursor: Any, statuses: Sequence[Any], now: Any) -> Mapping[str, int]:
    known = _ids_by_name(cursor, [status.user.pii.username for status in statuses])
    rows: list[Row] = [
        (pii.username, pii.email, pii.name, "", "", "!", status.user.id, True, False, False, now)
        for status in statuses
        if (pii := status.user.pii).username not in known
    ]
    columns = ("username", "email", "full_name", "first_name", "last_name", "password", "lms_user_id")
    flags = ("is_active", "is_staff", "is_superuser", "date_joined")
    table = get_user_model()._meta.db_table
    return {**known, **dict(insert(cursor, table, (*columns, *flags), rows, ("username", "id")))}


def insert(
    cursor: Any, table: str, columns: Sequence[str], rows: Sequence[Row], returning: Sequence[str] = ()
) -> list[Row]:
    """Insert rows in one statement; gives the columns that are asked back."""
    what = f"INSERT INTO {table} ({', '.join(columns)})"
    back = f" RETURNING {', '.join(returning)}" if returning else ""
    if connection.vendor == "postgresql":
        arrays = ", ".join(f"%s::{TYPES.get(column, 'text')}[]" for column in columns)
        values = [list(column) for column in zip(*rows, strict=True)]
        cursor.execute(f"{what} SELECT * FROM unnest({arrays}){back}", values)
    else:
        marks = ", ".join([f"({', '.join(['%s'] * len(columns))})"] * len(rows))
        cursor.execute(f"{what} VALUES {marks}{back}", [value for row in rows for value in row])
    return cursor.fetchall() if returning else []


def _uuid(value: uuid.UUID) -> Any:
    return value if connection.vendor == "postgresql" else value.hex


def _time(value: datetime) -> Any:
    # The other two store times without a zone, in UTC.
    return value if connection.vendor == "postgresql" else value.replace(tzinfo=None).isoformat(" ")
