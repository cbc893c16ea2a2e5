"""Fills the built-in module's tables: every anomaly that such a database has, and as many rows as are asked for.

Runs in the stand-in, where the built-in module is installed, and in our test project within
:func:`tests.host.builtin.builtin_tables`. The tables must be empty. Rows are written as they are, past all models:
the built-in module left them in states that no code would make again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby, islice
from operator import itemgetter
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.contrib.sites.models import Site
from django.core.management.color import no_style
from django.db import connection, transaction

from tests.host.anomalies import LEARNERS, NOBODY, Row, anomalies, badge, credly, named, progress, requirement
from tests.host.builtin import model

ORDER = (
    "badges.CredlyOrganization",
    "badges.AccredibleAPIConfig",
    "badges.BadgeTemplate",
    "badges.CredlyBadgeTemplate",
    "badges.AccredibleGroup",
    "badges.BadgeRequirement",
    "badges.DataRule",
    "badges.BadgePenalty",
    "badges.BadgePenalty_requirements",
    "badges.PenaltyDataRule",
    "badges.BadgeProgress",
    "badges.Fulfillment",
    "credentials.UserCredential",
    "badges.CredlyBadge",
    "badges.AccredibleBadge",
)
"""Tables to which others refer come first."""
BATCH = 2_000
TEMPLATES = 10
"""Templates to which the further rows belong; their ids follow each other."""
FIRST_TEMPLATE, FIRST_REQUIREMENT, FIRST_ROW = 1_000, 10_000, 100_000
"""Ids of the further rows begin there, beyond all of the anomalies."""
TWICE_EACH = 100
"""So many progress rows to one that is there a second time."""


def fill(rows: int = 0, issued: Mapping[str, str] | None = None) -> None:
    """Put the anomalies into the tables, and further rows.

    Arguments:
        rows: rows of progress beyond those of the anomalies, and with them learners, fulfilments and badges: each
            learner is on the way to all of ten templates of two groups, of which half are complete and awarded, a
            quarter were awarded too early, and a quarter are neither. One of a hundred is there twice.
        issued: username -> the external id of the badge that it has at Credly's sandbox; made up for the others.
    """
    _users((f"learner{number}" for number in range(-(-rows // TEMPLATES))), first_lms_id=10_000)
    _users(LEARNERS, first_lms_id=100)
    types = _content_types()
    with transaction.atomic():
        _insert(anomalies(types, issued or {}))
        _insert(_further(rows, types))
        _let_ids_follow()


def usernames() -> tuple[str, ...]:
    """The usernames of all anomalies, with and without a user."""
    return LEARNERS + NOBODY


def _further(rows: int, types: Mapping[str, int]) -> Iterator[Row]:
    if not rows:
        return
    for number in range(TEMPLATES):
        template, first = FIRST_TEMPLATE + number, FIRST_REQUIREMENT + 2 * number
        yield from credly(template, f"large-{10 + number}", f"Further {number}", organization=2)
        yield from requirement(first, template, "A", 100 + 2 * number)
        yield from requirement(first + 1, template, "B", 101 + 2 * number)
    for row in range(rows):
        learner, number = divmod(row, TEMPLATES)
        template, first = FIRST_TEMPLATE + number, FIRST_REQUIREMENT + 2 * number
        username, id_ = f"learner{learner}", FIRST_ROW + 2 * row
        # Different for the templates of a learner, and for the learners of a template.
        is_complete, is_awarded = (row + learner) % 2 == 0, (row + learner) % 4 != 1
        yield from progress(id_, username, template, first, *([first + 1] if is_complete else []))
        if row % TWICE_EACH == 0:
            yield from progress(id_ + 1, username, template, first)
        if is_awarded:
            yield from badge(types, "credly", FIRST_ROW + row, username, template, "accepted", named(f"external {id_}"))


def _users(names: Iterable[str], *, first_lms_id: int) -> None:
    user: Any = get_user_model()
    users = (
        user(username=name, email=f"{name}@example.com", full_name=f"{name.title()} Lee", lms_user_id=number)
        for number, name in enumerate(names, start=first_lms_id)
    )
    user.objects.bulk_create(users, batch_size=BATCH)


def _content_types() -> dict[str, int]:
    Site.objects.get_or_create(pk=1, defaults={"domain": "example.com", "name": "example.com"})
    models = {"credlybadgetemplate": "badges", "accrediblegroup": "badges", "coursecertificate": "credentials"}
    return {
        name: ContentType.objects.get_or_create(app_label=label, model=name)[0].pk for name, label in models.items()
    }


def _insert(rows: Iterator[Row]) -> None:
    """Write rows, many of one table at a time."""
    while chunk := list(islice(rows, BATCH)):
        chunk.sort(key=lambda row: ORDER.index(row[0]))
        for label, of_one in groupby(chunk, key=itemgetter(0)):
            _insert_into(model(label), [values for _, values in of_one])


def _insert_into(table: Any, rows: list[dict[str, Any]]) -> None:
    fields = table._meta.local_concrete_fields
    quote = connection.ops.quote_name
    sql = (
        f"INSERT INTO {quote(table._meta.db_table)} ({', '.join(quote(field.column) for field in fields)})"
        f" VALUES ({', '.join(['%s'] * len(fields))})"
    )
    values = [
        [
            field.get_db_prep_save(row[field.attname] if field.attname in row else field.get_default(), connection)
            for field in fields
        ]
        for row in rows
    ]
    with connection.cursor() as cursor:
        cursor.executemany(sql, values)


def _let_ids_follow() -> None:
    """Where ids come from sequences, let them go on after those that were written."""
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), [model(label) for label in ORDER]):
            cursor.execute(statement)
