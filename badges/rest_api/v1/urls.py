"""The addresses of the first version."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path, re_path
from rest_framework.routers import SimpleRouter

from badges.rest_api.v1.deliveries import Deliveries
from badges.rest_api.v1.earnable import EarnableTemplates
from badges.rest_api.v1.my_applications import MyApplications
from badges.rest_api.v1.my_badges import MyBadges
from badges.rest_api.v1.my_progress import MyProgress
from badges.rest_api.v1.nothing import Nothing
from badges.rest_api.v1.reviewers import Applications
from badges.rest_api.v1.schema import Document
from badges.rest_api.v1.staff_badges import Badges
from badges.rest_api.v1.staff_progress import Progress
from badges.rest_api.v1.templates import TemplatesToApplyFor

router = SimpleRouter()
router.register("application-templates", TemplatesToApplyFor, basename="application-template")
router.register("my/applications", MyApplications, basename="my-application")
router.register("applications", Applications, basename="application")
router.register("my/badges", MyBadges, basename="my-badge")
router.register("my/progress", MyProgress, basename="my-progress")
router.register("templates", EarnableTemplates, basename="template")
router.register("badges", Badges, basename="badge")
router.register("progress", Progress, basename="progress")
router.register("deliveries", Deliveries, basename="delivery")

app_name = "v1"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", include(router.urls)),
    path("schema/", Document.as_view({"get": "retrieve"}), name="schema"),
    # What has no slash at its end is led to what has one, as everywhere in Django.
    re_path(r"^(?:[\s\S]*/)?$", Nothing.view()),
]
