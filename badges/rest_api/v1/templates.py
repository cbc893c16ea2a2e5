"""Badges that learners can apply for."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from badges.models import BadgeTemplate
from badges.rest_api.v1.filters import Unfiltered
from badges.rest_api.v1.my_badges import UUID
from badges.rest_api.v1.sites import is_here
from badges.rest_api.v1.telling import TemplateSerializer
from badges.rest_api.views import ApiViews


class TemplatesToApplyFor(ApiViews):
    """The badge templates of this site, and of none, that take applications, with what these are reviewed against."""

    serializer_class = TemplateSerializer
    lookup_field = "uuid"
    lookup_value_regex = UUID

    def get_queryset(self) -> Any:
        open_ones = BadgeTemplate.objects.filter(takes_applications=True, is_active=True)
        return open_ones.filter(is_here(self.request)).prefetch_related("review_criteria").order_by("name", "pk")

    def list(self, request: Request) -> Response:
        self.read(Unfiltered, request.query_params)
        return self.page(self.get_queryset())

    def retrieve(self, request: Request, uuid: str) -> Response:
        return Response(self.get_serializer(self.get_object()).data)
