"""The addresses of the first version."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path
from rest_framework.routers import SimpleRouter

from badges.rest_api.v1.my_applications import MyApplications
from badges.rest_api.v1.reviewers import Applications
from badges.rest_api.v1.templates import TemplatesToApplyFor

router = SimpleRouter()
router.register("application-templates", TemplatesToApplyFor, basename="application-template")
router.register("my/applications", MyApplications, basename="my-application")
router.register("applications", Applications, basename="application")

app_name = "v1"
urlpatterns: list[URLPattern | URLResolver] = [path("", include(router.urls))]
