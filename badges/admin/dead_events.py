"""Dead events: what could not be processed, and why. Personal data is masked until somebody asks for it."""

from __future__ import annotations

import re
from typing import Any

from django.contrib import admin
from django.db import models as orm
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import truncatechars
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from badges.admin.base import EMPTY, id_in, pretty_json, uuid_in
from badges.admin.dead_event_actions import DeadEventActions
from badges.admin.masking import masked, message_text
from badges.models import DeadEvent
from badges.processing import replaying

Kind, Status = DeadEvent.Kind, DeadEvent.Status


class DeadEventAdmin(DeadEventActions):
    """Events and messages that could not be processed."""

    change_form_template = "admin/badges/dead_event_change_form.html"
    # The first ones are seen on a narrow window too.
    list_display = ("name", "short_error", "status", "kind", "attempts", "event_time", "created")
    list_display_links = ("name",)
    list_filter = ("status", "kind", "event_type", "event_time", "created")
    search_fields = ("event_type", "error", "topic", "note")
    search_help_text = _(
        "Event type, topic, or words of the error; or a whole event id, the id of a message, or the number of a dead "
        "event"
    )
    actions = ("replay", "replay_alike", "discard")

    def get_queryset(self, request: HttpRequest) -> orm.QuerySet[DeadEvent]:
        events = super().get_queryset(request)
        is_page = request.resolver_match is not None and "object_id" in request.resolver_match.kwargs
        # Payloads may be long, and the list shows none.
        return events if is_page else events.defer("payload", "body", "metadata")

    def get_search_results(self, request: HttpRequest, queryset: orm.QuerySet[DeadEvent], search_term: str) -> Any:
        term = search_term.strip()
        if (found := uuid_in(term)) is not None:
            # A message that could not be decoded has no event id, but its headers may tell one.
            return queryset.filter(Q(event_id=found) | Q(metadata__id=str(found))), False
        if re.fullmatch(r"[0-9]{1,20}-[0-9]{1,20}", term):
            return queryset.filter(message_id=term), False
        results, may_have_duplicates = super().get_search_results(request, queryset, search_term)
        if (pk := id_in(term)) is not None:
            results |= queryset.filter(pk=pk)
        return results, may_have_duplicates

    # What a dead event shows.

    def get_fields(self, request: HttpRequest, obj: DeadEvent | None = None) -> Any:
        shown = ["kind", "status", "error", "note", "attempts", "event_type", "event_id", "event_time", "message"]
        empty = (
            set() if obj is None else {name for name in ("note", "event_id", "event_time") if not getattr(obj, name)}
        )
        if obj is None or obj.payload:
            shown.append("shown_payload")
        if obj is None or obj.body:
            shown.append("shown_body")
        return [*(name for name in shown if name not in empty), "shown_metadata", "created", "modified"]

    def get_readonly_fields(self, request: HttpRequest, obj: DeadEvent | None = None) -> Any:
        return self.get_fields(request, obj)

    @admin.display(description=_("event"), ordering="event_type")
    def name(self, obj: DeadEvent) -> str:
        """Its type; of a message without one, where it stood."""
        return obj.event_type or f"{obj.topic} {obj.message_id or obj.pk}"

    @admin.display(description=_("error"), ordering="error")
    def short_error(self, obj: DeadEvent) -> str:
        return truncatechars(obj.error, 120)

    @admin.display(description=_("message on the bus"))
    def message(self, obj: DeadEvent) -> str:
        return f"{obj.topic} {obj.message_id}" if obj.message_id else EMPTY

    @admin.display(description=_("payload"))
    def shown_payload(self, obj: DeadEvent) -> str:
        return pretty_json(obj.payload if _is_revealed(obj) else masked(obj.payload))

    @admin.display(description=_("message that could not be decoded"))
    def shown_body(self, obj: DeadEvent) -> str:
        lines = message_text(obj.body, is_masked=not _is_revealed(obj)).items()
        return format_html('<pre class="badges-json">{}</pre>', "\n".join(f"{name}: {text}" for name, text in lines))

    @admin.display(description=_("metadata"))
    def shown_metadata(self, obj: DeadEvent) -> str:
        return pretty_json(masked(obj.metadata))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> DeadEvent | None:
        event = super().get_object(request, object_id, from_field)
        if event is not None:
            vars(event)["is_revealed"] = getattr(request, "shows_personal_data", False)
        return event

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        event: DeadEvent | None = context.get("original")
        if event is not None:
            text = gettext("Dead event %(number)s: %(kind)s")
            context["title"] = text % {"number": event.pk, "kind": event.get_kind_display()}
            context["subtitle"] = None
        if event is not None and self.has_act_permission(request):
            is_waiting = event.status == Status.WAITING
            may_replay = is_waiting and event.kind != Kind.LOST
            context.update(
                may_replay=may_replay,
                others_alike=may_replay and replaying.alike(event).exclude(pk=event.pk).exists(),
                may_discard=is_waiting,
                may_put_back=event.status == Status.DISCARDED,
                may_reveal=bool(event.payload or event.body) and not _is_revealed(event),
            )
        return super().render_change_form(request, context, *args, **kwargs)


def _is_revealed(event: DeadEvent) -> bool:
    return bool(vars(event).get("is_revealed"))
