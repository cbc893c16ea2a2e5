"""Awarded badges: our record of them, the provider's word, what staff did by hand, and what is still to be told."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from badges.admin import delivery_texts as texts
from badges.admin.awards_by_hand import ChangeInline, RevokesByHand
from badges.admin.base import (
    OfLearner,
    ReadOnlyInline,
    ReadOnlyScreen,
    TemplateFilter,
    TemplateOriginFilter,
    outside_link,
    user_lookups,
)
from badges.admin.generic import TabularInline
from badges.models import Badge, BadgeNotification, Delivery


class DeliveryInline(ReadOnlyInline, TabularInline[Delivery, Badge]):
    """What is to be told about the badge, to the platform and to the provider."""

    model = Delivery
    show_change_link = True
    fields = ("action", "status", "attempts", "next_time", "last_error", "note")
    readonly_fields = fields
    ordering = ("id",)

    def get_queryset(self, request: HttpRequest) -> Any:
        return texts.with_what_they_wait_for(super().get_queryset(request))

    @admin.display(description=_("next attempt"))
    def next_time(self, obj: Delivery) -> str:
        return texts.next_time(obj)


class NotificationInline(ReadOnlyInline, TabularInline[BadgeNotification, Badge]):
    """Why the learner has not claimed it, as far as the provider tells."""

    model = BadgeNotification
    fields = ("kind", "sent_at")
    readonly_fields = fields


class BadgeAdmin(OfLearner, RevokesByHand, ReadOnlyScreen[Badge]):
    """Badges of all origins."""

    change_form_template = "admin/badges/badge_change_form.html"

    list_display: Any = ("user", "template", "status", "state", "awarded_at", "provider_page")
    list_display_links = ("user", "template")
    list_filter: ClassVar[Any] = ("status", "state", TemplateOriginFilter, TemplateFilter)
    list_select_related = ("user", "template")
    search_fields = (*user_lookups("user"), "template__name", "external_id")
    search_help_text = _("Username, e-mail address, name of a badge template, or identifier at the provider")
    fields = (
        "learner",
        "template_link",
        "status",
        "awarded_at",
        "revoked_at",
        "state",
        "state_at",
        "is_public",
        "external_id",
        "provider_page",
        "uuid",
    )
    readonly_fields = fields
    inlines = (ChangeInline, DeliveryInline, NotificationInline)

    @admin.display(description=_("page at the provider"))
    def provider_page(self, obj: Badge) -> str:
        return outside_link(obj.url)


class ProviderBadgeScreen(BadgeAdmin):
    """Badges of one provider."""

    list_filter: ClassVar[Any] = ("status", "state", TemplateFilter)


class CredlyBadgeAdmin(ProviderBadgeScreen):
    """Badges that are issued at Credly."""


class AccredibleBadgeAdmin(ProviderBadgeScreen):
    """Badges that are issued at Accredible."""


class BadgeKitBadgeAdmin(ProviderBadgeScreen):
    """Badges of BadgeKit systems."""
