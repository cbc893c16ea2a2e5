"""Templates of the site that is asked."""

from __future__ import annotations

from typing import Any

from django.contrib.sites.shortcuts import get_current_site
from django.core.exceptions import ImproperlyConfigured, ObjectDoesNotExist
from django.db.models import Q
from rest_framework.request import Request


def is_here(request: Request) -> Q:
    """Whether a template belongs to this site, or to none."""
    return Q(site=None) | Q(site=_site_id(request))


def _site_id(request: Request) -> int | None:
    """The site that is asked; None, which is no template's, where that cannot be told."""
    try:
        site: Any = get_current_site(request)
        return int(site.pk)
    except (ObjectDoesNotExist, ImproperlyConfigured):
        return None
