"""The addresses of the test project: the admin, as any Django project has it."""

from django.contrib import admin
from django.urls import path

urlpatterns = [path("admin/", admin.site.urls)]
