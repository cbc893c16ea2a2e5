"""The addresses of the demo: the admin, and those at which providers call back."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("admin/", admin.site.urls),
    path("badges/", include("badges.urls")),
    path("", RedirectView.as_view(pattern_name="admin:index")),
]
