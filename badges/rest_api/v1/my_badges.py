"""A learner's own badges."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from badges.models import Badge
from badges.rest_api.v1.filters import MyBadgesQuery
from badges.rest_api.v1.telling_badges import BadgeSerializer
from badges.rest_api.views import ApiViews

UUID = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"


class MyBadges(ApiViews):
    """The badges of whoever asks, the newest first; those of others are not there."""

    serializer_class = BadgeSerializer
    lookup_field = "uuid"
    lookup_value_regex = UUID

    def get_queryset(self) -> Any:
        user: Any = self.request.user
        return Badge.objects.filter(user=user).select_related("template").order_by("-awarded_at", "-pk")

    def list(self, request: Request) -> Response:
        query = self.read(MyBadgesQuery, request.query_params)
        rows = self.get_queryset()
        return self.page(rows.filter(status__in=query["status"]) if "status" in query else rows)

    def retrieve(self, request: Request, uuid: str) -> Response:
        return Response(self.get_serializer(self.get_object()).data)
