"""The Django project that is measured: the test settings, with a database of its own."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any


@contextlib.contextmanager
def project(*, config: Mapping[str, Any] | None = None, tasks: str = "") -> Iterator[str]:
    """Set Django up once in this process, with empty tables.

    Arguments:
        config: ``BADGES_CONFIG``.
        tasks: the task engine of ``settings_test.py``.

    Returns:
        What the database is called: that of ``BADGES_TEST_DATABASE_URL``, or SQLite in a temporary folder.
    """
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(
            DJANGO_SETTINGS_MODULE="settings_test",
            BADGES_TEST_SQLITE=f"{folder}/bench.sqlite3",
            BADGES_TEST_CONFIG=json.dumps(config or {}),
            BADGES_TEST_TASKS=tasks,
        )
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connection

        call_command("migrate", verbosity=0)
        from badges.models import Badge

        if Badge.objects.exists():
            raise SystemExit("BADGES_TEST_DATABASE_URL leads to a database with badges in it; an empty one is needed.")
        yield {"mysql": "MariaDB", "postgresql": "PostgreSQL"}.get(connection.vendor, "SQLite")
        connection.close()
