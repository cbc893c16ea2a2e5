"""The tables that the adoption reads are those that the built-in module's migrations make."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection, models

from badges.host.adoption import tables
from tests.host import builtin

LABELS = {
    "UserCredential": "credentials.UserCredential",
    **{
        model.__name__: f"badges.{model.__name__}"
        for model in tables.BUILT_IN
        if model is not tables.PenaltyRequirement
    },
}


def there(model: type[models.Model]) -> Any:
    if model is tables.PenaltyRequirement:
        return builtin.model("badges.BadgePenalty").requirements.through
    return builtin.model(LABELS[model.__name__])


def is_text(field: Any) -> bool:
    return isinstance(field, models.CharField | models.TextField | models.FileField)


@pytest.mark.parametrize("model", [tables.UserCredential, *tables.BUILT_IN], ids=lambda model: model.__name__)
def test_every_column_is_there_and_of_that_type(model: type[models.Model]) -> None:
    made = {field.column: field for field in there(model)._meta.local_concrete_fields}

    assert model._meta.db_table == there(model)._meta.db_table
    for field in model._meta.concrete_fields:
        other = made[field.column]
        assert is_text(field) == is_text(other), field
        assert not other.null or field.null or field.primary_key, f"{field} may be NULL there"
        if isinstance(field, models.UUIDField | models.DateTimeField | models.BooleanField):
            assert field.db_type(connection) == other.db_type(connection)


def test_they_are_in_no_migration_and_no_admin() -> None:
    from django.apps import apps

    ours = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    assert not ours & {model._meta.db_table for model in tables.BUILT_IN}
