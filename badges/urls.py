"""The addresses of this app, for a project to include, best under ``badges/``: providers know them from there."""

from django.urls import include, path

app_name = "badges"
urlpatterns = [
    path("", include("badges.webhooks.urls")),
    path("", include("badges.open_badges.urls")),
    path("api/", include("badges.rest_api.urls")),
]
