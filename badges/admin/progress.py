"""Badge progress: how far each learner is, and which events say so. Read-only."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models as orm
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from badges.admin.base import (
    OfLearner,
    ReadOnlyInline,
    ReadOnlyScreen,
    TemplateFilter,
    TemplateOriginFilter,
    change_link,
    pretty_json,
    user_lookups,
)
from badges.admin.generic import StackedInline
from badges.models import BadgeProgress, Fulfillment


class CompletionFilter(admin.SimpleListFilter):
    """Complete or not."""

    title = _("completion")
    parameter_name = "complete"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", gettext("Complete")), ("no", gettext("Not complete"))]

    def queryset(self, request: HttpRequest, queryset: orm.QuerySet[Any]) -> orm.QuerySet[Any]:
        value = self.value()
        return queryset.filter(complete=value == "yes") if value in ("yes", "no") else queryset


class FulfillmentInline(ReadOnlyInline, StackedInline[Fulfillment, BadgeProgress]):
    """What the events said, requirement by requirement."""

    model = Fulfillment
    fields = ("requirement_link", "group", "is_fulfilled", "event_type", "event_id", "event_time", "evidence_json")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> orm.QuerySet[Fulfillment]:
        return super().get_queryset(request).select_related("requirement")

    @admin.display(description=_("requirement"))
    def requirement_link(self, obj: Fulfillment) -> str:
        return change_link(obj.requirement)

    @admin.display(description=_("group"), empty_value="-")
    def group(self, obj: Fulfillment) -> str | None:
        return obj.requirement.group or None

    @admin.display(description=_("evidence"))
    def evidence_json(self, obj: Fulfillment) -> str:
        return pretty_json(obj.evidence)


class BadgeProgressAdmin(OfLearner, ReadOnlyScreen[BadgeProgress]):
    """Progress records."""

    list_display = ("user", "template", "completion", "is_complete", "modified")
    list_display_links = ("user", "template")
    list_filter = (CompletionFilter, "template__is_active", TemplateOriginFilter, TemplateFilter)
    list_select_related = ("user", "template")
    search_fields = (*user_lookups("user"), "template__name")
    search_help_text = _("Username, e-mail address, or name of a badge template")
    fields = ("learner", "template_link", "completion", "is_complete", "groups", "created", "modified")
    readonly_fields = fields
    inlines = (FulfillmentInline,)

    def get_queryset(self, request: HttpRequest) -> orm.QuerySet[BadgeProgress]:
        return BadgeProgress.objects.with_completion().order_by(*self.get_ordering(request) or ("-id",))

    @admin.display(description=_("groups fulfilled"), ordering="fulfilled_count")
    def completion(self, obj: Any) -> str:
        percent = 100 * obj.fulfilled_count // obj.group_count if obj.group_count else 0
        return gettext("%(done)d of %(all)d (%(percent)d %%)") % {
            "done": obj.fulfilled_count,
            "all": obj.group_count,
            "percent": percent,
        }

    @admin.display(description=_("complete"), boolean=True, ordering="complete")
    def is_complete(self, obj: Any) -> bool:
        return bool(obj.complete)

    @admin.display(description=_("groups"))
    def groups(self, obj: BadgeProgress) -> str:
        """Every group, and whether it is fulfilled; a requirement without a group by its own name."""
        names: dict[str | int, str] = {
            requirement.pk: str(requirement) for requirement in obj.template.requirements.all()
        }
        states = {True: gettext("fulfilled"), False: gettext("open")}
        return format_html_join(
            "", "<div>{}: {}</div>", ((names.get(key, key), states[done]) for key, done in obj.group_states().items())
        )
