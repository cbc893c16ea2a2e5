"""The built-in module's tables, as they are in a Credentials service, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from badges.host.adoption import tables
from tests.integration.host.built_in import BuiltIn


@pytest.fixture(scope="package")
def built_in_tables(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """They are there, and gone with the last test of this folder. Not in a transaction: MySQL would commit it."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        there = set(connection.introspection.table_names(cursor))
        models = [model for model in (tables.UserCredential, *tables.BUILT_IN) if model._meta.db_table not in there]
        with connection.schema_editor() as editor:
            for model in models:
                editor.create_model(model)
    yield
    with django_db_blocker.unblock(), connection.schema_editor() as editor:
        for model in reversed(models):
            editor.delete_model(model)


@pytest.fixture
def built_in(built_in_tables: None, db: None) -> BuiltIn:
    """The built-in module, empty, and able to make rows."""
    for model in reversed((tables.UserCredential, *tables.BUILT_IN)):
        model._default_manager.all().delete()
    return BuiltIn()
