"""Lists of big tables, from one row to the next: a page costs the same wherever it is, and nothing is counted."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import UTC, datetime
from typing import Any

from attrs import frozen
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param

from badges.rest_api.paging import Pages

LARGEST_KEY = 2**63 - 1


@frozen
class _Place:
    """Between which rows a page begins, and in which direction it goes."""

    order: tuple[str, ...]
    values: tuple[Any, ...]
    backwards: bool


class Keyset(BasePagination):
    """``?cursor=...&page_size=20``; the answer has ``next``, ``previous`` and ``results``.

    Whatever is added or removed meanwhile, following ``next`` shows each row that stays exactly once. The rows must be
    ordered by their key, or by one column that is never NULL and then by their key, both in one direction.
    """

    cursor_query_param = "cursor"
    page_size_query_param = Pages.page_size_query_param
    _next: str | None
    _previous: str | None

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """
        Raises:
            ValidationError: the cursor is none of this list.
        """
        order = tuple(queryset.query.order_by)
        size = Pages().get_page_size(request)
        token = request.query_params.get(self.cursor_query_param)
        place = None if token is None else self._read(token, queryset.model, order)
        backwards = place is not None and place.backwards
        rows = list((queryset if place is None else _from(queryset, place))[: size + 1])
        has_more, found = len(rows) > size, rows[:size]
        if backwards:
            found.reverse()
        here = remove_query_param(request.build_absolute_uri(), self.cursor_query_param)
        self._next = self._link(here, found[-1:], order, False) if has_more or backwards else None
        self._previous = self._link(here, found[:1], order, True) if has_more or not backwards else None
        if place is None:
            self._previous = None
        return found

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"next": self._next, "previous": self._previous, "results": data})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": "string", "nullable": True, "format": "uri"}
        properties = {"next": link, "previous": link, "results": schema}
        return {"type": "object", "required": ["next", "previous", "results"], "properties": properties}

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        cursor = {
            "name": self.cursor_query_param,
            "required": False,
            "in": "query",
            "description": "Where the page begins: taken from the next or previous address of another page.",
            "schema": {"type": "string"},
        }
        size = [one for one in Pages().get_schema_operation_parameters(view) if _is_size(one)]
        return [cursor, *size]

    def _link(self, address: str, row: list[Any], order: tuple[str, ...], backwards: bool) -> str | None:
        if not row:
            return None
        values = [getattr(row[0], name.lstrip("-")) for name in order]
        told = [list(order), [_told(value) for value in values], backwards]
        token = base64.urlsafe_b64encode(json.dumps(told, separators=(",", ":")).encode()).decode().rstrip("=")
        return replace_query_param(address, self.cursor_query_param, token)

    def _read(self, token: str, model: type[models.Model], order: tuple[str, ...]) -> _Place:
        try:
            told = json.loads(base64.b64decode(token.encode("ascii") + b"===", altchars=b"-_"))
            names, values, backwards = told
            kinds = [_kind_of(model, name) for name in order]
            if names != list(order) or len(values) != len(order) or not isinstance(backwards, bool):
                raise ValueError(token)
            read = tuple(_read(kind, value) for kind, value in zip(kinds, values, strict=True))
        except (ValueError, TypeError, binascii.Error, RecursionError) as error:
            text = gettext("This is not a cursor of this list. Begin again without one.")
            raise ValidationError({self.cursor_query_param: [text]}) from error
        return _Place(order, read, backwards)


def in_range(moment: datetime) -> bool:
    """Whether a time can be compared with those of any database, in any time zone."""
    return 1900 <= moment.year <= 9000


def _from(rows: Any, place: _Place) -> Any:
    """The rows beyond a place; those before it in reversed order."""
    is_descending = place.order[0].startswith("-") is not place.backwards
    beyond = "lt" if is_descending else "gt"
    names = [name.lstrip("-") for name in place.order]
    condition = Q(**{f"{names[-1]}__{beyond}": place.values[-1]})
    if len(names) > 1:
        first, value = names[0], place.values[0]
        # The outer condition follows from the inner one. It lets databases begin at the right entry of an index.
        tie = Q(**{first: value}) & condition
        condition = Q(**{f"{first}__{beyond}e": value}) & (Q(**{f"{first}__{beyond}": value}) | tie)
    found = rows.filter(condition)
    return found.reverse() if place.backwards else found


def _kind_of(model: type[models.Model], name: str) -> type[int] | type[datetime]:
    column = name.lstrip("-")
    return int if column == "pk" or not isinstance(model._meta.get_field(column), models.DateTimeField) else datetime


def _read(kind: type[int] | type[datetime], value: Any) -> int | datetime:
    if kind is datetime:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None or not in_range(moment):
            raise ValueError(value)
        # Databases know fewer offsets than Python does.
        return moment.astimezone(UTC)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST_KEY:
        raise ValueError(value)
    return value


def _told(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else int(value)


def _is_size(parameter: dict[str, Any]) -> bool:
    return bool(parameter["name"] == Pages.page_size_query_param)
