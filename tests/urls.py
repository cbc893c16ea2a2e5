"""The addresses of the test project: the admin, as any Django project has it, and the app's own."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [path("admin/", admin.site.urls), path("badges/", include("badges.urls"))]
