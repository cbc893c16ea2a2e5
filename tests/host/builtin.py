"""The built-in module's tables in any database, made by the stand-in's own migrations.

For tests and measurements that run in our test project, where the built-in module cannot be installed: its label is
ours. Its models are those of the migrations, in a registry of their own.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.db import connection
from django.db.migrations import Migration
from django.db.migrations.state import ProjectState

HOST = Path(__file__).resolve().parent
MIGRATIONS = {
    "contenttypes": ("0001_initial", "0002_remove_content_type_name"),
    "sites": ("0001_initial", "0002_alter_domain_unique"),
    "credentials": ("0001_initial",),
    "badges": ("0001_initial", "0002_accredibleapiconfig_accrediblebadge_and_more"),
}
"""App label -> the names of its migrations, in order; each app needs those before it alone."""
MADE = ("credentials", "badges")
"""Those of which our test project has no tables."""
BUILT_IN = (
    "badges_credlyorganization",
    "badges_accredibleapiconfig",
    "badges_badgetemplate",
    "badges_credlybadgetemplate",
    "badges_accrediblegroup",
    "badges_badgerequirement",
    "badges_datarule",
    "badges_badgepenalty",
    "badges_badgepenalty_requirements",
    "badges_penaltydatarule",
    "badges_badgeprogress",
    "badges_fulfillment",
    "badges_credlybadge",
    "badges_accrediblebadge",
)
"""The 14 tables of the built-in module."""


def model(label: str) -> Any:
    """A model of the stand-in by its label, as ``badges.BadgeTemplate``, whether it is installed or not."""
    return _state().apps.get_model(label)


@contextlib.contextmanager
def builtin_tables() -> Iterator[None]:
    """The tables of the built-in module and of the host's credentials, empty, and their rows in ``django_migrations``.

    Making tables ends a transaction on MariaDB and is not possible within one on SQLite: use it where there is none
    (``transaction=True``), or around many tests, before their transactions.
    """
    recorded = [("badges", name) for name in MIGRATIONS["badges"]]
    with _database_open() as cursor:
        before = ProjectState()
        states = []
        for migration in _migrations():
            states.append((migration, before.clone()))
            before = migration.mutate_state(before, preserve=True)
        for migration, state in states:
            if migration.app_label in MADE:
                with connection.schema_editor() as editor:
                    migration.apply(state, editor)
        cursor.executemany("INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, %s)", _applied(recorded))
    try:
        yield
    finally:
        with _database_open() as cursor:
            for table in (*reversed(BUILT_IN), "credentials_usercredential", "credentials_coursecertificate"):
                cursor.execute(f"DROP TABLE {connection.ops.quote_name(table)}")
            cursor.executemany("DELETE FROM django_migrations WHERE app = %s AND name = %s", recorded)


def _applied(recorded: list[tuple[str, str]]) -> list[tuple[str, str, str]]:
    return [(*one, "2026-01-01 00:00:00") for one in recorded]


@contextlib.contextmanager
def _database_open() -> Iterator[Any]:
    with connection.cursor() as cursor:
        yield cursor


@functools.cache
def _state() -> ProjectState:
    state = ProjectState()
    for migration in _migrations():
        state = migration.mutate_state(state)
    return state


def _migrations() -> Iterator[Migration]:
    packages = {"contenttypes": "django.contrib.contenttypes", "sites": "django.contrib.sites"}
    if str(HOST) not in sys.path:
        sys.path.append(str(HOST))
    for label, names in MIGRATIONS.items():
        for name in names:
            package = packages.get(label, f"credentials.apps.{label}")
            yield importlib.import_module(f"{package}.migrations.{name}").Migration(name, label)
