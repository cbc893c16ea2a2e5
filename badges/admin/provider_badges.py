"""Badges that are only at a provider: whose they are, and why they are not ours. Read-only."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from badges.admin.base import EMPTY, ReadOnlyScreen, change_link, outside_link
from badges.models import BadgeTemplate, ProviderBadge


class ProviderBadgeAdmin(ReadOnlyScreen[ProviderBadge]):
    """What providers told us of, and this app did not award."""

    list_display = ("external_id", "account", "template", "state", "relation", "note", "issued_at")
    list_filter = ("account", "relation", "state", ("badge", admin.EmptyFieldListFilter))
    list_select_related = ("account",)
    search_fields = ("external_id", "email", "template_external_id", "other_organization")
    search_help_text = _("Identifier of the badge or of its template at the provider, e-mail address, or organization")
    fields = (
        *("account_link", "external_id", "template", "template_external_id", "email", "state", "state_at"),
        *("issued_at", "relation", "other_organization", "page", "adopted_as", "note", "created", "modified"),
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProviderBadge]:
        ours = BadgeTemplate.objects.filter(
            account=OuterRef("account"), external_id=OuterRef("template_external_id")
        ).order_by()
        found = super().get_queryset(request).annotate(template_name=Subquery(ours.values("name")[:1]))
        return found.select_related("badge__user", "badge__template").defer("account__api_key")

    @admin.display(description=_("account"))
    def account_link(self, obj: ProviderBadge) -> str:
        return change_link(obj.account)

    @admin.display(description=_("badge template"))
    def template(self, obj: ProviderBadge) -> str:
        """Ours, where it is one of ours."""
        return getattr(obj, "template_name", None) or EMPTY

    @admin.display(description=_("page at the provider"))
    def page(self, obj: ProviderBadge) -> str:
        return outside_link(obj.url)

    @admin.display(description=_("adopted as"))
    def adopted_as(self, obj: ProviderBadge) -> str:
        return change_link(obj.badge) if obj.badge is not None else EMPTY
