"""Requirements and penalties: their own pages, and their place on the page of their template."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from badges.admin import activation, key_paths
from badges.admin.base import Screen
from badges.admin.event_forms import GROUPS_LIST, PenaltyForm, RequirementForm, group_suggestions
from badges.admin.generic import BaseInlineFormSet, StackedInline
from badges.admin.rules import DataRuleInline, PenaltyDataRuleInline, rules_text
from badges.models import BadgePenalty, BadgeRequirement, BadgeTemplate

Owner = TypeVar("Owner", BadgeRequirement, BadgePenalty)


class EventScreen(Screen[Owner]):
    """What the pages of requirements and penalties share."""

    change_form_template = "admin/badges/event_change_form.html"
    list_display: Any = ("__str__", "template", "event_type")
    list_display_links = ("__str__",)
    list_filter: ClassVar[Any] = ("event_type", "template__is_active")
    list_select_related: ClassVar[Any] = ("template",)
    search_fields: ClassVar[Any] = ("description", "event_type", "template__name")
    autocomplete_fields: ClassVar[Any] = ("template",)

    def get_readonly_fields(self, request: HttpRequest, obj: Owner | None = None) -> Any:
        return () if obj is None else ("template",)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change, **kwargs)
        # Where the rules can be changed on the same page, their formset checks them.
        inlines = self.get_inline_instances(request, obj)
        form.rules_are_on_the_page = any(inline.has_change_permission(request, obj) for inline in inlines)
        return form

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        owner: BadgeRequirement | BadgePenalty | None = context.get("original")
        context["badges_key_paths"] = key_paths.by_event_type(owner.event_type if owner else "")
        context["badges_groups_list"] = GROUPS_LIST
        context["badges_groups"] = group_suggestions(owner.template if owner else None)
        return super().render_change_form(request, context, *args, **kwargs)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if form.instance.template.is_active:
            for text in activation.warnings_for(form.instance.template):
                self.message_user(request, text, "warning")


class BadgeRequirementAdmin(EventScreen[BadgeRequirement]):
    """What earns a badge."""

    form: Any = RequirementForm
    fields = ("template", "event_type", "group", "description")
    list_display: Any = ("__str__", "template", "group", "event_type")
    inlines = (DataRuleInline,)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        deletable, counts, perms_needed, protected = super().get_deleted_objects(objs, request)
        for template in activation.left_without_requirement(objs):
            self.message_user(request, activation.needs_requirement(template), "error")
            protected.append(str(template))
        return deletable, counts, perms_needed, protected


class BadgePenaltyAdmin(EventScreen[BadgePenalty]):
    """What takes a badge away."""

    form: Any = PenaltyForm
    fields = ("template", "event_type", "requirements", "description")
    inlines = (PenaltyDataRuleInline,)

    def get_fields(self, request: HttpRequest, obj: BadgePenalty | None = None) -> Any:
        # Which requirements there are is known with the template, so they are chosen on the page after this one.
        return self.fields if obj is not None else ("template", "event_type", "description")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        return form if obj is not None else type(form.__name__, (form,), {"requirements": None})

    def response_add(self, request: HttpRequest, obj: BadgePenalty, post_url_continue: Any = None) -> HttpResponse:
        if "_popup" in request.POST or not self.has_change_permission(request, obj):
            return super().response_add(request, obj, post_url_continue)
        text = gettext("The penalty was added. Now choose the requirements that it resets.")
        self.message_user(request, text, "warning")
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
        return HttpResponseRedirect(reverse(name, args=[obj.pk]))


class RequirementFormSet(BaseInlineFormSet[BadgeRequirement, BadgeTemplate, RequirementForm]):
    """The requirements of a template: an active one keeps at least one."""

    def clean(self) -> None:
        super().clean()
        left = [form for form in self.forms if form not in self.deleted_forms and self._counts(form)]
        if self.instance.is_active and not left and not activation.is_earned_otherwise(self.instance):
            raise ValidationError(activation.needs_requirement(self.instance))

    def _counts(self, form: RequirementForm) -> bool:
        # How many forms are said to be stored comes with the request, and is not believed.
        is_stored = not form.instance._state.adding
        return is_stored or (form not in self.initial_forms and form.has_changed())


class PenaltyFormSet(BaseInlineFormSet[BadgePenalty, BadgeTemplate, PenaltyForm]):
    """The penalties of a template: they reset its requirements."""

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        if "requirements" in form.fields:
            form.offer_requirements_of(self.instance.pk)


class _EventInline(StackedInline[Owner, BadgeTemplate]):
    extra = 0
    show_change_link = True
    readonly_fields = ("rules_summary",)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("rules")

    @admin.display(description=_("data rules"))
    def rules_summary(self, obj: Owner) -> str:
        if obj.pk is None:
            return gettext("Save first; then open its own page, by the link Change, to add rules.")
        return rules_text(obj)


class RequirementInline(_EventInline[BadgeRequirement]):
    """The requirements of a template."""

    model = BadgeRequirement
    form: Any = RequirementForm
    formset: Any = RequirementFormSet
    fields = ("event_type", "group", "description", "rules_summary")


class PenaltyInline(_EventInline[BadgePenalty]):
    """The penalties of a template."""

    model = BadgePenalty
    form: Any = PenaltyForm
    formset: Any = PenaltyFormSet
    fields = ("event_type", "requirements", "description", "rules_summary")
