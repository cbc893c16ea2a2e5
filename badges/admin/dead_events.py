"""Dead events: what could not be processed, and processing it again."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from django.contrib import admin, messages
from django.db import models as orm
from django.http import HttpRequest
from django.template.defaultfilters import truncatechars
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from badges.admin.base import ReadOnlyScreen, may_change, pretty_json
from badges.exceptions import BadgesError
from badges.models import DeadEvent
from badges.processing.dead_events import replay as process_again

MASK = "********"
PERSONAL = frozenset({"username", "email", "name", "full_name", "first_name", "last_name"})
PERSONAL_ANYWHERE = PERSONAL - {"name"}


def masked(value: Any, *, is_person: bool = False) -> Any:
    """A payload without what identifies a person: everything below ``pii``, and names and addresses elsewhere."""
    if isinstance(value, Mapping):
        hidden = PERSONAL if is_person or "pii" in value else PERSONAL_ANYWHERE
        return {key: _masked_item(str(key), item, hidden) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked(item, is_person=is_person) for item in value]
    return value


def _masked_item(key: str, value: Any, hidden: frozenset[str]) -> Any:
    if key == "pii":
        return _all_masked(value)
    if key in hidden and not isinstance(value, Mapping | list | tuple):
        return MASK if value else value
    is_person = key == "user" or key.endswith("_user") or key == "created_by"
    return masked(value, is_person=is_person)


def _all_masked(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _all_masked(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_all_masked(item) for item in value]
    return MASK if value else value


class DeadEventAdmin(ReadOnlyScreen[DeadEvent]):
    """Events that failed."""

    list_display = ("event_type", "event_id", "status", "short_error", "event_time")
    list_display_links = ("event_type", "event_id")
    list_filter = ("status", "event_type", "event_time")
    search_fields = ("event_type", "error")
    search_help_text = _("Event type, or words of the error; or a whole event id")
    fields = ("event_type", "event_id", "event_time", "status", "error", "shown_payload", "shown_metadata", "created")
    readonly_fields = fields
    actions = ("replay",)

    def has_replay_permission(self, request: HttpRequest) -> bool:
        """Whether a user may process events again: whoever may change dead events."""
        return may_change(request.user, self.opts)

    def get_search_results(self, request: HttpRequest, queryset: orm.QuerySet[DeadEvent], search_term: str) -> Any:
        if _is_uuid(search_term):
            return queryset.filter(event_id=search_term.strip()), False
        return super().get_search_results(request, queryset, search_term)

    @admin.display(description=_("error"))
    def short_error(self, obj: DeadEvent) -> str:
        return truncatechars(obj.error, 120)

    @admin.display(description=_("payload (personal data is not shown)"))
    def shown_payload(self, obj: DeadEvent) -> str:
        return pretty_json(masked(obj.payload))

    @admin.display(description=_("metadata"))
    def shown_metadata(self, obj: DeadEvent) -> str:
        return pretty_json(masked(obj.metadata))

    @admin.action(description=_("Replay"), permissions=["replay"])
    def replay(self, request: HttpRequest, queryset: orm.QuerySet[DeadEvent]) -> None:
        done = 0
        for event in queryset.order_by("event_time", "pk"):
            try:
                process_again(event)
            except BadgesError as error:
                self.message_user(request, f"{event}: {error}", messages.ERROR)
            else:
                self.log_change(request, event, gettext("Replayed."))
                done += 1
        text = ngettext("%d event was replayed.", "%d events were replayed.", done)
        self.message_user(request, text % done, messages.SUCCESS if done else messages.INFO)


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text.strip())
    except ValueError:
        return False
    return True
