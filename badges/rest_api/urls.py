"""The addresses of the REST API, one version beside the other."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [path("v1/", include("badges.rest_api.v1.urls"))]
