"""What the database server beside the tests shares with others: nothing."""

from __future__ import annotations

import tempfile

import pytest
from django.db import connection

pytestmark = pytest.mark.django_db


@pytest.mark.skipif(connection.vendor != "mysql", reason="MariaDB alone removes the temporary tables of others.")
def test_a_mariadb_has_a_folder_of_its_own_for_temporary_tables():
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@tmpdir")
        (folder,) = cursor.fetchone()
    assert folder.rstrip("/") != tempfile.gettempdir().rstrip("/")
