"""Lists page by page."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request


class Pages(PageNumberPagination):
    """``?page=2&page_size=20``; the answer has ``count``, ``next``, ``previous`` and ``results``."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 100

    def get_page_size(self, request: Request) -> int:
        """How many rows a page has; of more than there may be, it has as many as there may be.

        Raises:
            ValidationError: what was asked for is no number, or none that a page can have.
        """
        wanted = request.query_params.get(self.page_size_query_param)
        if wanted is None:
            return self.page_size
        if not (wanted.isascii() and wanted.isdecimal()) or not int(wanted[:9]):
            raise ValidationError({self.page_size_query_param: [gettext("Enter a whole number from 1.")]})
        return min(int(wanted[:9]), self.max_page_size)

    def get_schema_operation_parameters(self, view: Any) -> Any:
        page, size = super().get_schema_operation_parameters(view)
        page["schema"]["minimum"] = size["schema"]["minimum"] = 1
        return [page, size]
