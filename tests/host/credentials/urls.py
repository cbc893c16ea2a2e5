"""The service's addresses."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from edx_django_utils.plugins import get_plugin_url_patterns

from credentials.apps.badges.toggles import is_badges_enabled


def health(request: HttpRequest) -> HttpResponse:
    """Whether the service answers."""
    return HttpResponse("OK", content_type="text/plain")


urlpatterns = [path("admin/", admin.site.urls), path("health/", health, name="health")]

if is_badges_enabled():
    urlpatterns += [path("badges/", include("credentials.apps.badges.urls", namespace="badges"))]

urlpatterns.extend(get_plugin_url_patterns("credentials.djangoapp"))
