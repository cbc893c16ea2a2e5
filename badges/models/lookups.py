"""Asking for the rows of many keys at once."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db.models import F
from django.db.models.lookups import In


class OneOf(In):
    """``field IN (...)``, for use in ``filter()``. On PostgreSQL all values are one parameter: quoting and parsing
    hundreds of them takes longer than finding the rows."""

    def __init__(self, field: str, values: Collection[Any]) -> None:
        super().__init__(F(field), values)

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        """``field = ANY(array)``."""
        if not self.rhs:
            # As In has it: no row, and no query.
            raise EmptyResultSet
        left, parameters = self.process_lhs(compiler, connection)
        _, values = self.batch_process_rhs(compiler, connection)
        return f"{left} = ANY(%s)", [*parameters, list(values)]
