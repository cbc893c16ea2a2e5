"""The consumers of the event bus, and how far their groups are."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.actions import delete_selected as delete_after_confirmation
from django.db import models as orm
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import truncatechars
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from badges.admin.base import EMPTY, Screen, paragraphs
from badges.admin.delivery_texts import age
from badges.eventbus.groups import Bus, ConsumerState, Group, read_bus, state_of
from badges.eventbus.redis.stats import GroupStats
from badges.issuing.summary import dead_by_kind
from badges.models import BusConsumer, DeadEvent

FORGOTTEN_AFTER = timedelta(days=1)
"""What has not been heard of for so long may be forgotten."""
NOW = ("state", "seen_at", "started_at", "stopped_at", "last_message_id", "events", "awards", "last_error")
GROUP = ("unread", "pending", "readers")


class BusConsumerAdmin(Screen[BusConsumer]):
    """Consumers of this app; the stock consumer tells nothing of itself."""

    list_display = ("name", "state", "number_of_events", "number_of_awards", "short_error", "group")
    ordering = ("topic", "group_id", "name")
    fieldsets = (
        (None, {"fields": ("name", "topic", "group_id")}),
        (_("Consumer"), {"fields": NOW}),
        (_("Its group, at this moment"), {"fields": GROUP}),
    )
    readonly_fields = (*NOW, *GROUP)
    actions = ("delete_selected",)
    change_list_template = "admin/badges/consumer_change_list.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: BusConsumer | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: BusConsumer | None = None) -> bool:
        may = super().has_delete_permission(request, obj)
        return may and (obj is None or obj.seen_at < timezone.now() - FORGOTTEN_AFTER)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        # Lazy, so that an action that leads elsewhere does not ask the bus.
        context = {"bus_lines": SimpleLazyObject(_bus_lines), **(extra_context or {})}
        return super().changelist_view(request, context)

    # The confirmation page of Django sends its own name of the action.
    @admin.action(description=_("Forget selected consumers"), permissions=["delete"])
    def delete_selected(self, request: HttpRequest, queryset: orm.QuerySet[BusConsumer]) -> HttpResponse | None:
        gone = queryset.filter(seen_at__lt=timezone.now() - FORGOTTEN_AFTER)
        if kept := queryset.count() - gone.count():
            text = ngettext(
                "%d consumer was seen within a day, and is kept.",
                "%d consumers were seen within a day, and are kept.",
                kept,
            )
            self.message_user(request, text % kept, messages.WARNING)
        response: HttpResponse | None = delete_after_confirmation(self, request, gone) if gone.exists() else None
        return response

    @admin.display(description=_("consumer group"), ordering="topic")
    def group(self, obj: BusConsumer) -> str:
        return f"{obj.topic} / {obj.group_id}"

    @admin.display(description=_("state"), ordering="seen_at")
    def state(self, obj: BusConsumer) -> str:
        state = state_of(obj, timezone.now())
        if state is ConsumerState.STOPPED and obj.stopped_at is not None:
            text = gettext("stopped %(time)s ago") % {"time": age(obj.stopped_at)}
        elif state is ConsumerState.RUNNING:
            text = gettext("running")
        else:
            text = gettext("not seen for %(time)s") % {"time": age(obj.seen_at)}
        return format_html('<span class="badges-consumer-{}">{}</span>', state.value, text)

    @admin.display(description=_("events"), ordering="events")
    def number_of_events(self, obj: BusConsumer) -> int:
        """A shorter heading than the field's own, which says since when."""
        return obj.events

    @admin.display(description=_("awards"), ordering="awards")
    def number_of_awards(self, obj: BusConsumer) -> int:
        return obj.awards

    @admin.display(description=_("last error"))
    def short_error(self, obj: BusConsumer) -> str:
        return truncatechars(obj.last_error, 120) or EMPTY

    @admin.display(description=_("unread"))
    def unread(self, obj: BusConsumer) -> str:
        bus = self._bus(obj)
        stats = _stats(bus)
        return paragraphs(_unread(bus.groups[0], stats)) if stats is not None else _unknown(bus)

    @admin.display(description=_("pending"))
    def pending(self, obj: BusConsumer) -> str:
        stats = _stats(self._bus(obj))
        return _pending(stats) if stats is not None else EMPTY

    @admin.display(description=_("consumers of the group"))
    def readers(self, obj: BusConsumer) -> str:
        """Those that the bus knows of: also those that tell nothing of themselves."""
        stats = _stats(self._bus(obj))
        if stats is None or not stats.consumers:
            return EMPTY
        text = gettext("%(name)s: %(pending)d pending, idle for %(time)s")
        now = timezone.now()
        return paragraphs(
            text % {"name": one.name, "pending": one.pending, "time": age(now - timedelta(seconds=one.idle_seconds))}
            for one in stats.consumers
        )

    def _bus(self, obj: BusConsumer) -> Bus:
        """Asked once a page: several fields show a part of it."""
        kept: dict[str, Bus] = vars(obj)
        if "_bus" not in kept:
            kept["_bus"] = read_bus(only=(obj.topic, obj.group_id))
        return kept["_bus"]


def _bus_lines() -> str:
    """Every group in a line, what is wrong with the bus, and how many dead events wait."""
    bus = read_bus()
    lines = []
    for group in bus.groups:
        if group.stats is not None:
            parts = [*_unread(group, group.stats), gettext("Pending: %(text)s.") % {"text": _pending(group.stats)}]
            lines.append(
                format_html(
                    "<strong>{}</strong>: {}", str(group), format_html_join(" ", "{}", ((part,) for part in parts))
                )
            )
    return paragraphs([*lines, bus.error, bus.note, _dead_events()])


def _dead_events() -> str:
    number = sum(dead_by_kind().values())
    if not number:
        return gettext("No dead events wait.")
    address = reverse("admin:badges_deadevent_changelist", query={"status__exact": DeadEvent.Status.WAITING.value})
    text = ngettext("%d dead event waits", "%d dead events wait", number) % number
    return format_html('<a href="{}">{}</a>', address, text)


def _stats(bus: Bus) -> GroupStats | None:
    return bus.groups[0].stats if bus.groups else None


def _unknown(bus: Bus) -> str:
    return bus.error or bus.note or EMPTY


def _unread(group: Group, stats: GroupStats) -> list[str]:
    """What is unread, in sentences."""
    if not stats.exists:
        return [gettext("The bus knows no such group.")]
    if not stats.lag or stats.oldest_unread_seconds is None:
        lines = [gettext("Nothing is unread.")]
    else:
        text = ngettext(
            "%(number)s unread event, %(age)s old.",
            "%(number)s unread events, the oldest is %(age)s old.",
            stats.lag,
        )
        number = gettext("at least %d") % stats.lag if stats.lag_is_at_least else str(stats.lag)
        lines = [text % {"number": number, "age": _age(stats.oldest_unread_seconds)}]
    if group.is_unattended(timezone.now()):
        lines.append(format_html("<strong>{}</strong>", gettext("No consumer is there to read.")))
    if stats.trimmed:
        text = ngettext(
            "%d event is gone from the bus unread, and lost.",
            "%d events are gone from the bus unread, and lost.",
            stats.trimmed,
        )
        lines.append(format_html("<strong>{}</strong>", text % stats.trimmed))
    return lines


def _pending(stats: GroupStats) -> str:
    if not stats.pending or stats.oldest_pending_seconds is None:
        return gettext("none")
    text = ngettext("%(number)d event, %(age)s old", "%(number)d events, the oldest is %(age)s old", stats.pending)
    return text % {"number": stats.pending, "age": _age(stats.oldest_pending_seconds)}


def _age(seconds: float) -> str:
    return age(timezone.now() - timedelta(seconds=seconds))
