"""Addresses below this API at which there is nothing: an answer in the shape of its errors, and no page."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from badges.rest_api.views import ApiViews


class Nothing(ApiViews):
    """Whoever asks, and whatever they want."""

    authentication_classes = ()
    permission_classes: Any = (AllowAny,)

    def tell(self, request: Request) -> Response:
        raise NotFound

    @classmethod
    def view(cls) -> Any:
        """The view, for every method."""
        return cls.as_view(dict.fromkeys(cls.http_method_names, "tell"))
