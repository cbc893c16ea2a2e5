"""Badges that can be earned."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, OuterRef, Q
from rest_framework.request import Request
from rest_framework.response import Response

from badges.models import Badge, BadgeRequirement
from badges.rest_api.v1.filters import TemplatesQuery
from badges.rest_api.v1.my_progress import OfTemplates
from badges.rest_api.v1.sites import is_here
from badges.rest_api.v1.telling_badges import EarnableSerializer


class EarnableTemplates(OfTemplates):
    """The active templates of this site, and of none, that events or applications can earn."""

    serializer_class = EarnableSerializer

    def get_queryset(self) -> Any:
        by_events = Exists(BadgeRequirement.objects.filter(template=OuterRef("pk")))
        return super().get_queryset().filter(is_here(self.request), by_events | Q(takes_applications=True))

    def list(self, request: Request) -> Response:
        query = self.read(TemplatesQuery, request.query_params)
        rows = self.get_queryset()
        if "earned" in query:
            user: Any = request.user
            held = Badge.objects.filter(user=user, template=OuterRef("pk"), status=Badge.Status.AWARDED)
            rows = rows.filter(Exists(held) if query["earned"] else ~Exists(held))
        if "takes_applications" in query:
            rows = rows.filter(takes_applications=query["takes_applications"])
        return self.page(rows)
