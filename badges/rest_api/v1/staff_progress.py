"""The progress of all learners, for staff."""

from __future__ import annotations

from typing import Any

from django.db.models import OuterRef, Prefetch, Subquery
from rest_framework.request import Request
from rest_framework.response import Response

from badges.models import Badge, BadgeProgress, Fulfillment
from badges.rest_api.v1.filters import ProgressQuery
from badges.rest_api.v1.staff_badges import OfLearners
from badges.rest_api.v1.standings import HeldBadge, Standing, standing
from badges.rest_api.v1.telling_badges import ProgressForStaff, WholeProgressForStaff


class Progress(OfLearners):
    """Progress records of all learners, those of inactive templates too."""

    seen_with = ("badges.view_badgeprogress", "badges.change_badgeprogress")

    def get_queryset(self) -> Any:
        held = Badge.objects.filter(user=OuterRef("user"), template=OuterRef("template"))
        said = Fulfillment.objects.order_by("pk")
        if self.action == "retrieve":
            said = said.select_related("requirement").prefetch_related("requirement__rules")
        # By queries of their own: rows of one template share it then, and MySQL does not sort all rows for one page.
        return (
            BadgeProgress.objects.prefetch_related("user", "template__requirements__rules")
            .prefetch_related(Prefetch("fulfillments", said))
            .annotate(badge_uuid=Subquery(held.values("uuid")), badge_status=Subquery(held.values("status")))
        )

    def get_serializer_class(self) -> Any:
        return ProgressForStaff if self.action == "list" else WholeProgressForStaff

    def list(self, request: Request) -> Response:
        query = self.read(ProgressQuery, request.query_params)
        rows = self.get_queryset()
        if "complete" in query:
            rows = rows.with_completion()
        rows = rows.filter(**ProgressQuery.conditions(query)).order_by(*query.get("ordering", ("-pk",)))
        told = [_standing(row) for row in self.paginate_queryset(rows) or ()]
        return self.get_paginated_response(self.get_serializer(told, many=True).data)

    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(self.get_serializer(_standing(self.get_object())).data)


def _standing(row: Any) -> Standing:
    fulfilled = {one.requirement_id: one.event_time for one in row.fulfillments.all() if one.is_fulfilled}
    held = HeldBadge(row.badge_uuid, row.badge_status) if row.badge_uuid is not None else None
    return standing(row.template, fulfilled, held, row)
