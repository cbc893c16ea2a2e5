"""The badges of all learners, for staff."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Prefetch
from rest_framework.permissions import SAFE_METHODS, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from badges.models import Badge, BadgeChange
from badges.rest_api.keyset import Keyset
from badges.rest_api.v1.by_hand import ByHand
from badges.rest_api.v1.filters import BadgesQuery
from badges.rest_api.v1.my_badges import UUID
from badges.rest_api.v1.telling_badges import BadgeForStaff, WholeBadgeForStaff
from badges.rest_api.views import ApiViews


class MaySee(BasePermission):
    """Whether somebody may see rows of others, as in the admin: who may view them, or change them.

    Of what changes something, each action checks its own permission.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        return request.method not in SAFE_METHODS or any(request.user.has_perm(one) for one in view.seen_with)


class OfLearners(ApiViews):
    """Rows of all learners, for whoever may see them; everybody else is refused, and told of nothing."""

    permission_classes: Any = (IsAuthenticated, MaySee)
    pagination_class: Any = Keyset
    seen_with: ClassVar[tuple[str, ...]]


class Badges(ByHand, OfLearners):
    """Badges of all learners."""

    seen_with = ("badges.view_badge", "badges.change_badge")
    lookup_field = "uuid"
    lookup_value_regex = UUID

    def get_queryset(self) -> Any:
        # Joined to the rows, they would lead MySQL to sort all badges for one page.
        rows = Badge.objects.prefetch_related("template", "user")
        if self.action == "retrieve":
            rows = rows.prefetch_related(Prefetch("changes", BadgeChange.objects.select_related("by").order_by("pk")))
        return rows

    def get_serializer_class(self) -> Any:
        return BadgeForStaff if self.action == "list" else WholeBadgeForStaff

    def list(self, request: Request) -> Response:
        query = self.read(BadgesQuery, request.query_params)
        rows = self.get_queryset().filter(**BadgesQuery.conditions(query))
        return self.page(rows.order_by(*query.get("ordering", ("-pk",))))

    def retrieve(self, request: Request, uuid: str) -> Response:
        return Response(self.get_serializer(self.get_object()).data)
