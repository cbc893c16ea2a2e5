"""The host's table of credentials, as its own migration makes it, and whoever keeps it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType

from badges.host import records as host_records
from badges.host.records import UserCredentialKeeper
from badges.issuing import records
from tests.host.builtin import builtin_tables, model


@pytest.fixture(scope="module")
def host_tables(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """They are there for the tests of a module. Not in their transactions: MySQL would commit those."""
    with django_db_blocker.unblock():
        tables = builtin_tables()
        tables.__enter__()
    yield
    with django_db_blocker.unblock():
        tables.__exit__(None, None, None)


@pytest.fixture
def credentials() -> Any:
    """The host's records."""
    return model("credentials.UserCredential").objects.order_by("pk")


@pytest.fixture
def keeper(credentials: Any) -> Iterator[UserCredentialKeeper]:
    """Keeps them, as in the host."""
    keeper = UserCredentialKeeper(credentials.model)
    records.register(keeper)
    yield keeper
    records.unregister(keeper)


@pytest.fixture
def without_type_of_templates(db: None, monkeypatch: Any) -> Iterator[None]:
    """A database of which somebody has deleted the content type of templates."""
    monkeypatch.setattr(host_records, "_unsettled", set())
    ContentType.objects.filter(app_label="badges", model="badgetemplate").delete()
    ContentType.objects.clear_cache()
    yield
    ContentType.objects.clear_cache()


def type_id(name: str) -> int:
    """The id of the content type that the built-in module had for a model."""
    return ContentType.objects.get_by_natural_key("badges", name).pk


def record(credentials: Any, username: str, template: Any, **values: Any) -> Any:
    """A record that the host has already."""
    defaults = {
        "username": username,
        "credential_id": template.pk,
        "credential_content_type_id": type_id("badgetemplate"),
        "status": "awarded",
        "uuid": uuid.uuid4(),
    }
    return credentials.create(**defaults | values)
