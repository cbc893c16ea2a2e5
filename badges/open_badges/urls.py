"""Addresses of hosted badges. They are in messages and in learners' backpacks, and must never change."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from badges.open_badges import views

urlpatterns: list[URLPattern | URLResolver] = [
    path("assertions/<uuid:badge_id>/", views.assertion, name="assertion"),
    path("badge-classes/<uuid:template_id>/", views.badge_class, name="badge_class"),
    path("issuer/", views.issuer, name="issuer"),
    path("badge-image.svg", views.badge_image, name="badge_image"),
]
