"""The filters of the list of deliveries: state, account, age, and what is due."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from badges.admin.base import IdFilter, provider_label
from badges.issuing import health
from badges.issuing.callback_health import resting_endpoints
from badges.issuing.deliveries import PROVIDER_CALLS, due
from badges.models import CallbackEndpoint, Delivery, ProviderAccount


class StateFilter(admin.SimpleListFilter):
    """By status; what waits is in two of them."""

    title = _("status")
    parameter_name = "state"
    waiting = "waiting"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(self.waiting, gettext("waiting (pending or in progress)")), *Delivery.Status.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        value = self.value()
        if value is None:
            return queryset
        if value not in dict(self.lookup_choices):
            return queryset.none()
        return queryset.filter(status__in=Delivery.OPEN if value == self.waiting else [value])


class AccountFilter(IdFilter):
    """By the account that a delivery needs. Announcements need none."""

    title = _("account")
    parameter_name = "account"
    lookup = "badge__template__account"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        rows = ProviderAccount.objects.order_by("provider", "name").values_list("pk", "provider", "name")
        return [(str(pk), f"{name} ({provider_label(provider)})") for pk, provider, name in rows]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        found = super().queryset(request, queryset)
        return found if self.value() is None else found.filter(action__in=PROVIDER_CALLS)


class EndpointFilter(IdFilter):
    """By the endpoint that a callback goes to."""

    title = _("callback endpoint")
    parameter_name = "endpoint"
    lookup = "callback__endpoint"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(pk), name) for pk, name in CallbackEndpoint.objects.order_by("name").values_list("pk", "name")]


def deliveries_link(chosen: type[IdFilter], pk: int, state: str, text: str) -> str:
    """A link to the deliveries of an account, or to an endpoint, that are in this state."""
    query = {str(chosen.parameter_name): pk, StateFilter.parameter_name: state}
    return format_html('<a href="{}">{}</a>', reverse("admin:badges_delivery_changelist", query=query), text)


class AgeFilter(admin.SimpleListFilter):
    """By how long ago a delivery was written."""

    title = _("age")
    parameter_name = "older_than"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        days = [(24 * n, ngettext("older than %d day", "older than %d days", n) % n) for n in (1, 3)]
        return [(str(hours), text) for hours, text in ((1, gettext("older than 1 hour")), *days)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        value = self.value()
        if value is None:
            return queryset
        if value not in dict(self.lookup_choices):
            return queryset.none()
        return queryset.filter(created__lt=timezone.now() - timedelta(hours=int(value)))


class DueFilter(admin.SimpleListFilter):
    """By what a waiting delivery waits for: a worker, its account, or its time."""

    title = _("due")
    parameter_name = "due"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("now", gettext("due now")),
            ("account", gettext("waits for its account or endpoint")),
            ("later", gettext("later")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        value = self.value()
        if value is None:
            return queryset
        now = timezone.now()
        needs_blocked = Q(action__in=PROVIDER_CALLS, badge__template__account_id__in=health.blocked_accounts(now)) | Q(
            callback__endpoint_id__in=resting_endpoints()
        )
        if value == "now":
            return queryset.filter(pk__in=due(now).values("pk")).exclude(needs_blocked)
        if value == "account":
            return queryset.filter(needs_blocked, status__in=Delivery.OPEN)
        if value == "later":
            return queryset.filter(status=Delivery.Status.PENDING, next_attempt_at__gt=now).exclude(needs_blocked)
        return queryset.none()
