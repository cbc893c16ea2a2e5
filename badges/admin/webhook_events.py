"""The inbox of webhooks: what providers sent, what came of it, and what staff do about it."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin, messages
from django.db import models as orm
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.urls import URLPattern
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from badges.admin.asking import SHOWN, DiscardForm, and_more, ids_of
from badges.admin.base import EMPTY, ActScreen, UnwrappedScreen, change_link, pretty_json, uuid_in
from badges.admin.masking import MASK, masked
from badges.models import WebhookEvent
from badges.webhooks import by_hand

ADDRESSES = frozenset({"learner", "author"})
"""Whose values are e-mail addresses in BadgeKit's messages, besides those that are called so."""
Status = WebhookEvent.Status


class WebhookEventAdmin(UnwrappedScreen[WebhookEvent], ActScreen[WebhookEvent]):
    """What providers sent."""

    change_form_template = "admin/badges/webhook_event_change_form.html"
    list_display = ("event_type", "account", "status", "result", "occurred_at", "times_received", "received_at")
    list_filter = ("status", "account", "event_type", "is_proven", "received_at")
    list_select_related = ("account",)
    search_fields = ("event_type", "note", "last_error")
    search_help_text = _("Event type, words of a note or an error; or a whole event id")
    actions = ("replay", "discard")
    fields = (
        *("account", "event_type", "event_id", "status", "note", "last_error", "attempts", "next_attempt_at"),
        *("occurred_at", "received_at", "last_received_at", "times_received", "is_proven", "remote_address"),
        *("shown_body", "shown_headers", "finished_at"),
    )
    readonly_fields = fields

    def get_urls(self) -> list[URLPattern]:
        own = [
            self._path("<int:object_id>/replay/", self.replay_view, "replay"),
            self._path("<int:object_id>/discard/", self.discard_view, "discard"),
            self._path("discard/", self.discard_view, "discard_selected"),
        ]
        return [*own, *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> orm.QuerySet[WebhookEvent]:
        events = super().get_queryset(request).defer("account__api_key", "account__webhook_secret")
        is_page = request.resolver_match is not None and "object_id" in request.resolver_match.kwargs
        return events if is_page else events.defer("body", "headers")

    def get_search_results(self, request: HttpRequest, queryset: orm.QuerySet[WebhookEvent], search_term: str) -> Any:
        if (found := uuid_in(search_term.strip())) is not None:
            return queryset.filter(event_id=str(found)), False
        return super().get_search_results(request, queryset, search_term)

    # What an event shows.

    @admin.display(description=_("what came of it"))
    def result(self, obj: WebhookEvent) -> str:
        return obj.last_error or obj.note or EMPTY

    @admin.display(description=_("body"))
    def shown_body(self, obj: WebhookEvent) -> str:
        try:
            return pretty_json(_masked(masked(json.loads(obj.body))))
        except ValueError:
            return format_html('<pre class="badges-json">{}</pre>', obj.body)
        except RecursionError:
            # A stranger may have sent it. What cannot be read through cannot be masked, either.
            return gettext("It is nested too deeply to be shown.")

    @admin.display(description=_("headers"))
    def shown_headers(self, obj: WebhookEvent) -> str:
        return pretty_json(obj.headers)

    @admin.display(description=_("account"), ordering="account")
    def account(self, obj: WebhookEvent) -> str:
        return change_link(obj.account)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        event: WebhookEvent | None = context.get("original")
        if event is not None and self.has_act_permission(request):
            row = WebhookEvent.objects.filter(pk=event.pk)
            context.update(
                may_replay=row.filter(by_hand.replayable()).exists(),
                may_discard=row.filter(by_hand.discardable()).exists(),
            )
        return super().render_change_form(request, context, *args, **kwargs)

    # What staff do.

    @admin.action(description=_("Process again"), permissions=["act"])
    def replay(self, request: HttpRequest, queryset: orm.QuerySet[WebhookEvent]) -> None:
        chosen = list(queryset.order_by("pk").defer("body", "headers")[: by_hand.LIMIT])
        done = by_hand.replay_all(WebhookEvent.objects.filter(pk__in=[event.pk for event in chosen]))
        self._log(request, chosen, gettext("To be processed again."))
        text = ngettext("%d event is processed again soon.", "%d events are processed again soon.", done)
        self.message_user(request, text % done, messages.SUCCESS if done else messages.INFO)
        if left := len(chosen) - done:
            text = ngettext(
                "%d was left alone: it is being processed.", "%d were left alone: they are being processed.", left
            )
            self.message_user(request, text % left, messages.WARNING)

    @admin.action(description=_("Discard..."), permissions=["act"])
    def discard(self, request: HttpRequest, queryset: orm.QuerySet[WebhookEvent]) -> HttpResponse:
        return self._ask(request, list(queryset.order_by("pk").values_list("pk", flat=True)[: by_hand.LIMIT]))

    def replay_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Process one again; POST only."""
        self._require_permission(request)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        self.replay(request, WebhookEvent.objects.filter(pk=object_id))
        return self._go_back(object_id)

    def discard_view(self, request: HttpRequest, object_id: int | None = None) -> HttpResponse:
        """Ask for a reason, and discard one event, or those that the page named."""
        self._require_permission(request)
        ids = ids_of(request, object_id)
        form = DiscardForm(request.POST) if request.method == "POST" else None
        if form is None or not form.is_valid():
            return self._ask(request, ids, form, object_id)
        reason = form.cleaned_data["reason"]
        chosen = list(_discardable(ids))
        done = by_hand.discard_all(WebhookEvent.objects.filter(pk__in=[event.pk for event in chosen]), reason)
        self._log(request, chosen, gettext("Discarded: %(reason)s") % {"reason": reason})
        text = ngettext("%d webhook event was discarded.", "%d webhook events were discarded.", done)
        self.message_user(request, text % done, messages.SUCCESS if done else messages.INFO)
        return self._go_back(object_id)

    def _ask(
        self, request: HttpRequest, ids: list[int], form: DiscardForm | None = None, object_id: int | None = None
    ) -> HttpResponse:
        chosen = list(_discardable(ids))
        number = len(chosen)
        heading = ngettext("%d webhook event will be discarded", "%d webhook events will be discarded", number)
        return self._ask_about(
            request,
            "webhook_events_discard",
            "discard",
            object_id,
            title=gettext("Discard webhook events"),
            heading=heading % number,
            events=chosen[:SHOWN],
            more=and_more(number - SHOWN),
            form=form or DiscardForm(initial={"ids": ",".join(str(event.pk) for event in chosen)}),
        )


def _discardable(ids: list[int]) -> orm.QuerySet[WebhookEvent]:
    return WebhookEvent.objects.filter(by_hand.discardable(), pk__in=ids).order_by("pk").defer("body", "headers")


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: MASK if key in ADDRESSES and item else _masked(item) for key, item in value.items()}
    return [_masked(item) for item in value] if isinstance(value, list) else value
