"""Addresses of a project that does not include those of this app."""

from __future__ import annotations

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
