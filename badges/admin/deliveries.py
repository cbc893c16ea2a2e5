"""Deliveries: what is to be done, what was tried, and what came of it; and trying again at once."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db import models as orm
from django.http import HttpRequest
from django.template.defaultfilters import truncatechars
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from badges.admin.base import BadgeOriginFilter, ReadOnlyInline, ReadOnlyScreen, change_link, may_change, user_lookups
from badges.admin.generic import TabularInline
from badges.issuing.deliveries import retry_now
from badges.issuing.tasks import enqueue_on_commit
from badges.models import Delivery, DeliveryAttempt


class AttemptInline(ReadOnlyInline, TabularInline[DeliveryAttempt, Delivery]):
    """Every attempt at a delivery."""

    model = DeliveryAttempt
    fields = ("number", "started_at", "duration_ms", "outcome", "status_code", "detail")
    readonly_fields = fields


class DeliveryAdmin(ReadOnlyScreen[Delivery]):
    """The outbox."""

    list_display = ("id", "badge", "action", "status", "error", "attempts", "next_attempt")
    list_display_links = ("id", "badge")
    list_filter = ("status", "action", BadgeOriginFilter, "next_attempt_at")
    list_select_related = ("badge__user", "badge__template")
    search_fields = (*user_lookups("badge__user"), "badge__template__name", "badge__external_id")
    search_help_text = _("Username, e-mail address, name of a badge template, or identifier at the provider")
    fields = (
        "badge_link",
        "action",
        "status",
        "attempts",
        "next_attempt",
        "last_error",
        "leased_until",
        "finished_at",
        "created",
        "modified",
    )
    readonly_fields = fields
    inlines = (AttemptInline,)
    actions = ("retry",)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Whether a user may have deliveries attempted: whoever may change them."""
        return may_change(request.user, self.opts)

    @admin.display(description=_("badge"))
    def badge_link(self, obj: Delivery) -> str:
        return change_link(obj.badge)

    @admin.display(description=_("next attempt at"), ordering="next_attempt_at", empty_value="-")
    def next_attempt(self, obj: Delivery) -> Any:
        return obj.next_attempt_at if obj.status == Delivery.Status.PENDING else None

    @admin.display(description=_("last error"), empty_value="-")
    def error(self, obj: Delivery) -> str | None:
        return truncatechars(obj.last_error, 100) or None

    @admin.action(description=_("Retry now"), permissions=["retry"])
    def retry(self, request: HttpRequest, queryset: orm.QuerySet[Delivery]) -> None:
        retried = 0
        for delivery in queryset.order_by("pk"):
            if retry_now(delivery):
                self.log_change(request, delivery, gettext("Retried by hand."))
                enqueue_on_commit(delivery.badge_id)
                retried += 1
        text = ngettext("%d delivery is attempted now.", "%d deliveries are attempted now.", retried)
        self.message_user(request, text % retried, messages.SUCCESS if retried else messages.INFO)
        if left := queryset.count() - retried:
            text = ngettext(
                "%d delivery was left alone: it is finished, or a worker has it.",
                "%d deliveries were left alone: they are finished, or a worker has them.",
                left,
            )
            self.message_user(request, text % left, messages.WARNING)
