"""What all views of the API share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.utils.cache import patch_cache_control
from django.utils.decorators import method_decorator
from rest_framework.exceptions import NotFound
from rest_framework.metadata import SimpleMetadata
from rest_framework.negotiation import BaseContentNegotiation, DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from badges.rest_api.errors import answer_to
from badges.rest_api.paging import Pages
from badges.rest_api.parsing import DeepJSONParser, require_readable
from badges.rest_api.throttling import Asking
from badges.toggles import is_badges_enabled


class AlwaysJSON(BaseContentNegotiation):
    """Whatever a client says that it accepts: there is nothing else, and who wants a file says other things."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return DefaultContentNegotiation().select_parser(request, parsers)

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


class Words(SimpleMetadata):
    """What ``OPTIONS`` says of an address; what it takes is in the OpenAPI document, and is not what it answers."""

    def determine_actions(self, request: Request, view: Any) -> dict[str, Any]:
        return {}


# What is done makes its own transactions, which are done again where they lose against another one.
@method_decorator(transaction.non_atomic_requests, name="dispatch")
class ApiViews(GenericViewSet[Any]):
    """For whoever is logged in, by the project's own ways (``DEFAULT_AUTHENTICATION_CLASSES``); in JSON."""

    # This API has an OpenAPI document of its own. In the project's, by whatever makes that (drf-spectacular, DRF,
    # drf-yasg), it would be half told, and could be in the way.
    schema = None
    swagger_schema = None
    permission_classes = (IsAuthenticated,)
    parser_classes: tuple[type[BaseParser], ...] = (DeepJSONParser,)
    renderer_classes = (JSONRenderer,)
    content_negotiation_class = AlwaysJSON
    metadata_class = Words
    # What the project wants of its own addresses.
    filter_backends = ()
    versioning_class = None
    pagination_class = Pages
    throttle_classes = (Asking,)
    # An id that no column can hold is no id.
    lookup_value_regex = "[0-9]{1,18}"
    takes_files = False

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        if not is_badges_enabled():
            raise NotFound
        require_readable(request, takes_files=self.takes_files)
        super().initial(request, *args, **kwargs)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        answer = super().finalize_response(request, response, *args, **kwargs)
        # A cache in front of this, the project's own too, knows users by their sessions at best, and not by tokens.
        patch_cache_control(answer, private=True, no_store=True)
        return answer

    def get_exception_handler(self) -> Callable[..., Response | None]:
        return answer_to

    def page(self, rows: Any) -> Response:
        """One page of rows, as this view tells them."""
        found = self.paginate_queryset(rows)
        return self.get_paginated_response(self.get_serializer(found, many=True).data)

    def read(self, serializer_class: Any, data: Any) -> dict[str, Any]:
        """The input, checked.

        Raises:
            ValidationError: it is not what the serializer reads.
        """
        serializer = serializer_class(data=data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        checked: dict[str, Any] = serializer.validated_data
        return checked
