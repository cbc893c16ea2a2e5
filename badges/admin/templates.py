"""Badge templates: of all origins, of Credly, and Accredible's groups."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import models as orm
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from badges.admin import activation
from badges.admin.awards_by_hand import AwardsByHand
from badges.admin.base import (
    EMPTY,
    OriginFilter,
    Screen,
    change_link,
    is_web_address,
    outside_link,
    provider_label,
)
from badges.admin.criteria import CopiesCriteria, CriterionInline
from badges.admin.event_forms import GROUPS_LIST, group_suggestions
from badges.admin.generic import ModelForm
from badges.admin.requirements import PenaltyInline, RequirementInline
from badges.exceptions import BadgesError
from badges.models import (
    AccredibleGroup,
    BadgeKitTemplate,
    BadgeRequirement,
    BadgeTemplate,
    CredlyBadgeTemplate,
    ProviderAccount,
)
from badges.providers import registry

T = TypeVar("T", bound=BadgeTemplate)


def _is_made_at_provider(slug: str) -> bool:
    """Whether templates of this provider come from a synchronization, so that they are not edited here."""
    try:
        return bool(slug) and registry.provider_class(slug).features.lists_templates
    except BadgesError:
        return True


def _accounts_without_list() -> orm.QuerySet[ProviderAccount]:
    """The accounts whose providers list no templates, so that these are added by hand."""
    slugs = [slug for slug in registry.registered() if not _is_made_at_provider(slug)]
    return ProviderAccount.objects.filter(provider__in=slugs)


class TemplateForm(ModelForm[BadgeTemplate]):
    """A badge template."""

    has_inline_requirements = True

    class Meta:
        model = BadgeTemplate
        fields = ()  # the screen says which

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "account" in self.fields:
            account: Any = self.fields["account"]
            account.queryset = _accounts_without_list()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if "account" in cleaned and "external_id" in cleaned:
            if cleaned["account"] and not cleaned["external_id"]:
                text = gettext("Enter the identifier that the provider gave this template.")
                raise ValidationError({"external_id": text})
            if cleaned["external_id"] and not cleaned["account"]:
                raise ValidationError({"account": gettext("Choose the account that the identifier belongs to.")})
        # With the requirements on the same page their formset decides: it sees those that are added or deleted now.
        is_without = not self.has_inline_requirements and not self._has_requirement()
        is_applied_for = cleaned.get("takes_applications") or cleaned.get("awards_on_approval")
        if cleaned.get("is_active") and is_without and not is_applied_for:
            raise ValidationError({"is_active": activation.needs_requirement(self.instance)})
        return cleaned

    def _has_requirement(self) -> bool:
        return not self.instance._state.adding and self.instance.requirements.exists()


class TemplateScreen(AwardsByHand[T], CopiesCriteria, Screen[T]):
    """What the three screens of templates share."""

    form: Any = TemplateForm
    change_form_template = "admin/badges/event_change_form.html"
    list_display: Any = ("name", "origin_name", "account", "state", "is_active", "requirement_count")
    list_filter: ClassVar[Any] = (
        "is_active",
        "state",
        "takes_applications",
        ("account", admin.RelatedOnlyFieldListFilter),
        "site",
    )
    list_select_related: ClassVar[Any] = ("account",)
    search_fields: ClassVar[Any] = ("name", "external_id")
    actions: Any = ("activate", "deactivate", "copy_criteria")
    always_read_only = ("image", "uuid", "origin_name", "state", "skills_list", "criteria_list")

    @admin.display(description=_("origin"), ordering="provider")
    def origin_name(self, obj: BadgeTemplate) -> str:
        return provider_label(obj.provider) if obj.provider else "Open edX"

    @admin.display(description=_("image"))
    def image(self, obj: BadgeTemplate) -> str:
        if not is_web_address(obj.image_url):
            return EMPTY
        return format_html(
            '<img class="badges-image" src="{}" alt="{}" referrerpolicy="no-referrer" loading="lazy">',
            obj.image_url,
            gettext("Image of %(name)s") % {"name": obj.name},
        )

    @admin.display(description=_("skills"))
    def skills_list(self, obj: BadgeTemplate) -> str:
        return format_html_join(", ", "{}", ((skill,) for skill in obj.skills)) or EMPTY

    @admin.display(description=_("criteria"))
    def criteria_list(self, obj: BadgeTemplate) -> str:
        lines = ((one["title"], outside_link(one["url"]) if one["url"] else "") for one in obj.criteria)
        return format_html_join("", "<div>{} {}</div>", lines) or EMPTY

    @admin.display(description=_("account"))
    def account_link(self, obj: BadgeTemplate) -> str:
        return change_link(obj.account) if obj.account is not None else EMPTY

    @admin.display(description=_("requirements"))
    def requirement_count(self, obj: Any) -> int:
        return int(obj.requirement_count)

    def get_queryset(self, request: HttpRequest) -> Any:
        counted = (
            BadgeRequirement.objects.filter(template=orm.OuterRef("pk"))
            .order_by()
            .values("template")
            .annotate(number=orm.Count("pk"))
            .values("number")
        )
        number = orm.functions.Coalesce(orm.Subquery(counted, output_field=orm.IntegerField()), 0)
        return super().get_queryset(request).annotate(requirement_count=number)

    def get_inlines(self, request: HttpRequest, obj: T | None) -> Any:
        # A penalty resets requirements that are stored.
        inlines = (RequirementInline, CriterionInline)
        return inlines if obj is None else (RequirementInline, PenaltyInline, CriterionInline)

    def get_fieldsets(self, request: HttpRequest, obj: T | None = None) -> Any:
        return (
            (_("Generic"), {"fields": ("site", "is_active")}),
            (_("Badge template"), {"fields": self._template_fields(obj)}),
            (_("Applications"), {"fields": ("takes_applications", "awards_on_approval")}),
            *(((_("Provider"), {"fields": fields}),) if (fields := self._provider_fields(obj)) else ()),
        )

    def _template_fields(self, obj: T | None) -> tuple[str, ...]:
        if obj is None:
            return ("name", "description", "image_url")
        image = ("image",) if _is_made_at_provider(obj.provider) else ("image_url", "image")
        told = tuple(name for name in ("skills", "criteria") if getattr(obj, name))
        return ("name", "description", *image, *(f"{name}_list" for name in told), "uuid", "origin_name", "state")

    def _provider_fields(self, obj: T | None) -> tuple[str, ...]:
        if obj is not None and not self._may_move(obj):
            return ("account_link", "external_id") if obj.provider else ()
        return ("account", "external_id") if _accounts_without_list().exists() else ()

    def _may_move(self, obj: T) -> bool:
        """Whether it may be given to another account: made here, and no badge depends on where it is."""
        return not _is_made_at_provider(obj.provider) and not obj.badges.exists()

    def get_readonly_fields(self, request: HttpRequest, obj: T | None = None) -> Any:
        if obj is None:
            return self.always_read_only
        made = ("name", "description") if _is_made_at_provider(obj.provider) else ()
        moved = () if self._may_move(obj) else ("account_link", "external_id")
        return (*self.always_read_only, *made, *moved)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change, **kwargs)
        inlines = self.get_inline_instances(request, obj)
        form.has_inline_requirements = any(isinstance(inline, RequirementInline) for inline in inlines)
        return form

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        context["badges_groups_list"] = GROUPS_LIST
        context["badges_groups"] = group_suggestions(context.get("original"))
        context["badges_award_address"] = self.award_address(request, context.get("original"))
        return super().render_change_form(request, context, *args, **kwargs)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        self._warn(request, form.instance)

    def _warn(self, request: HttpRequest, template: BadgeTemplate) -> None:
        if template.is_active:
            for text in activation.warnings_for(template):
                self.message_user(request, text, messages.WARNING)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        deletable, counts, perms_needed, protected = super().get_deleted_objects(objs, request)
        for template in objs:
            if template.is_active:
                text = gettext('The badge template "%(name)s" is active. Deactivate it first; then it can be deleted.')
                self.message_user(request, text % {"name": template.name}, messages.ERROR)
                protected.append(str(template))
        return deletable, counts, perms_needed, protected

    @admin.action(description=_("Activate"), permissions=["change"])
    def activate(self, request: HttpRequest, queryset: orm.QuerySet[T]) -> None:
        done = 0
        for template in queryset.filter(is_active=False):
            if found := activation.obstacles(template):
                self.message_user(request, f"{template.name}: {' '.join(found)}", messages.ERROR)
                continue
            self._switch(request, template, is_active=True)
            self._warn(request, template)
            done += 1
        text = ngettext("%d badge template was activated.", "%d badge templates were activated.", done)
        self.message_user(request, text % done, messages.SUCCESS if done else messages.INFO)

    @admin.action(description=_("Deactivate"), permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: orm.QuerySet[T]) -> None:
        done = 0
        for template in queryset.filter(is_active=True):
            self._switch(request, template, is_active=False)
            done += 1
        text = ngettext("%d badge template was deactivated.", "%d badge templates were deactivated.", done)
        self.message_user(request, text % done, messages.SUCCESS if done else messages.INFO)

    def _switch(self, request: HttpRequest, template: T, *, is_active: bool) -> None:
        with transaction.atomic():
            template.is_active = is_active
            template.save(update_fields=["is_active", "modified"])
            self.log_change(request, template, gettext("Activated.") if is_active else gettext("Deactivated."))


class BadgeTemplateAdmin(TemplateScreen[BadgeTemplate]):
    """Templates of all origins; those without a provider are made here."""

    list_filter: ClassVar[Any] = (OriginFilter, *TemplateScreen.list_filter)


class SyncedTemplateScreen(TemplateScreen[T]):
    """Templates that come from a synchronization and from nowhere else."""

    list_display: Any = ("name", "account", "state", "is_active", "requirement_count")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


class CredlyBadgeTemplateAdmin(SyncedTemplateScreen[CredlyBadgeTemplate]):
    """Badge templates of Credly organizations."""


class AccredibleGroupAdmin(SyncedTemplateScreen[AccredibleGroup]):
    """Accredible's groups."""


class BadgeKitTemplateAdmin(SyncedTemplateScreen[BadgeKitTemplate]):
    """Badges of BadgeKit systems."""
