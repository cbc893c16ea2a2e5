"""Badges that can be earned."""

from __future__ import annotations

from typing import Any

from django.contrib.sites.shortcuts import get_current_site
from django.core.exceptions import ImproperlyConfigured, ObjectDoesNotExist
from django.db.models import Exists, OuterRef, Q
from rest_framework.request import Request
from rest_framework.response import Response

from badges.models import Badge, BadgeRequirement
from badges.rest_api.v1.filters import TemplatesQuery
from badges.rest_api.v1.my_progress import OfTemplates
from badges.rest_api.v1.telling_badges import EarnableSerializer


class EarnableTemplates(OfTemplates):
    """The active templates of this site, and of none, that events or applications can earn."""

    serializer_class = EarnableSerializer

    def get_queryset(self) -> Any:
        by_events = Exists(BadgeRequirement.objects.filter(template=OuterRef("pk")))
        here = Q(site=None) | Q(site=_site_id(self.request))
        return super().get_queryset().filter(here, by_events | Q(takes_applications=True))

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


def _site_id(request: Request) -> int | None:
    """The site that is asked; None, which is no template's, where that cannot be told."""
    try:
        site: Any = get_current_site(request)
        return int(site.pk)
    except (ObjectDoesNotExist, ImproperlyConfigured):
        return None
