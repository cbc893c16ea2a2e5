"""How far learners are with badges: a learner's own progress."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef
from rest_framework.request import Request
from rest_framework.response import Response

from badges.models import Badge, BadgeProgress, BadgeTemplate, Fulfillment
from badges.rest_api.v1.filters import Unfiltered
from badges.rest_api.v1.my_badges import UUID
from badges.rest_api.v1.standings import HeldBadge, Standing, standing
from badges.rest_api.v1.telling_badges import StandingSerializer
from badges.rest_api.views import ApiViews


class OfTemplates(ApiViews):
    """Active templates, each as it stands for whoever asks; one is addressed by its UUID."""

    lookup_field = "uuid"
    lookup_value_regex = UUID

    def get_queryset(self) -> Any:
        templates = BadgeTemplate.objects.filter(is_active=True)
        return templates.prefetch_related("requirements__rules").order_by("name", "pk")

    def retrieve(self, request: Request, uuid: str) -> Response:
        (told,) = self.standings([self.get_object()])
        return Response(self.get_serializer(told).data)

    def page(self, rows: Any) -> Response:
        found = self.standings(self.paginate_queryset(rows) or ())
        return self.get_paginated_response(self.get_serializer(found, many=True).data)

    def standings(self, templates: Sequence[BadgeTemplate]) -> list[Standing]:
        """Templates as they stand for whoever asks: two queries, however many they are."""
        user: Any = self.request.user
        fulfilled: defaultdict[int, dict[int, datetime]] = defaultdict(dict)
        for template_id, requirement_id, time in Fulfillment.objects.filter(
            progress__user=user, progress__template__in=templates, is_fulfilled=True
        ).values_list("progress__template_id", "requirement_id", "event_time"):
            fulfilled[template_id][requirement_id] = time
        badges = {
            template_id: HeldBadge(uuid, status)
            for template_id, uuid, status in Badge.objects.filter(user=user, template__in=templates).values_list(
                "template_id", "uuid", "status"
            )
        }
        return [standing(one, fulfilled[one.pk], badges.get(one.pk)) for one in templates]


class MyProgress(OfTemplates):
    """The active templates of which whoever asks has, or had, fulfilled something."""

    serializer_class = StandingSerializer

    def get_queryset(self) -> Any:
        user: Any = self.request.user
        begun = BadgeProgress.objects.filter(user=user, template=OuterRef("pk"))
        return super().get_queryset().filter(Exists(begun))

    def list(self, request: Request) -> Response:
        self.read(Unfiltered, request.query_params)
        return self.page(self.get_queryset())
