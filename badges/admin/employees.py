"""Workforce: employees as their provider shows them to the employer, and the badges that the employer may see.

Nothing is changed here: the next event would change it back. A record can be deleted.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from badges.admin.base import EMPTY, IdFilter, ReadOnlyInline, Screen, change_link, outside_link
from badges.admin.generic import TabularInline
from badges.models import EmployeeBadge, EmployeeRecord, ProviderAccount
from badges.rules.payload import storable_text

MOST = 50
"""So many choices of a filter are shown."""


class EmployeeAccountFilter(IdFilter):
    """By account, of those that have employees."""

    title = _("account")
    parameter_name = lookup = "account"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        having = EmployeeRecord.objects.order_by().values("account")
        rows = ProviderAccount.objects.filter(pk__in=having).order_by("provider", "name").values_list("pk", "name")
        return [(str(pk), name) for pk, name in rows]


class WordFilter(admin.SimpleListFilter):
    """By a word that the provider or the employer chose: the most frequent ones, and the chosen one."""

    field: str

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        rows = EmployeeRecord.objects.exclude(**{self.field: ""}).order_by().values_list(self.field)
        words = [word for word, _number in rows.annotate(number=Count("pk")).order_by("-number", self.field)[:MOST]]
        chosen = request.GET.get(self.parameter_name or "", "")
        if chosen and chosen not in words:
            words.append(chosen)
        return [(word, word) for word in sorted(words)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[EmployeeRecord]) -> QuerySet[EmployeeRecord]:
        value = self.value()
        if value is None:
            return queryset
        # What no database can hold, nobody has.
        return queryset.filter(**{self.field: value}) if storable_text(value) == value else queryset.none()


class StateFilter(WordFilter):
    """By the state of the connection, which is the provider's word."""

    title = _("state of the connection")
    parameter_name = field = "employee_state"


class DepartmentFilter(WordFilter):
    """By department."""

    title = _("department")
    parameter_name = field = "department"


class LearnerFilter(admin.SimpleListFilter):
    """By whether the employee has a user record here."""

    title = _("learner")
    parameter_name = "learner"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", gettext("known here")), ("no", gettext("not known here"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[EmployeeRecord]) -> QuerySet[EmployeeRecord]:
        value = self.value()
        return queryset.filter(user__isnull=value == "no") if value in ("yes", "no") else queryset


class ShownFilter(admin.SimpleListFilter):
    """By whether the provider still shows the employee."""

    title = _("what the provider shows")
    parameter_name = "shown"
    conditions = {
        "yes": {"is_minimal": False},
        "minimal": {"is_minimal": True, "deleted_at__isnull": True},
        "deleted": {"deleted_at__isnull": False},
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("yes", gettext("shown")),
            ("minimal", gettext("not shown any more")),
            ("deleted", gettext("deleted")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[EmployeeRecord]) -> QuerySet[EmployeeRecord]:
        value = self.value()
        if value is None:
            return queryset
        return queryset.filter(**self.conditions[value]) if value in self.conditions else queryset.none()


class EmployeeBadgeInline(ReadOnlyInline, TabularInline[EmployeeBadge, EmployeeRecord]):
    """The badges that the employer may see, of whatever issuer."""

    model = EmployeeBadge
    verbose_name_plural = _("badges that the employer may see")
    fields = ("issuer", "state", "skill_names", "issued_at", "expires_at", "is_public", "page")
    readonly_fields = fields
    ordering = ("-issued_at", "id")

    def get_queryset(self, request: HttpRequest) -> QuerySet[EmployeeBadge]:
        return super().get_queryset(request).filter(is_visible=True)

    @admin.display(description=_("page"))
    def page(self, obj: EmployeeBadge) -> str:
        return outside_link(obj.url)

    @admin.display(description=_("issuer"))
    def issuer(self, obj: EmployeeBadge) -> str:
        return obj.issuer_name or EMPTY

    @admin.display(description=_("skills"))
    def skill_names(self, obj: EmployeeBadge) -> str:
        # They are texts since they were stored; a row that somebody else wrote may hold anything.
        return ", ".join(str(one) for one in obj.skills) or EMPTY if isinstance(obj.skills, list) else EMPTY


class EmployeeRecordAdmin(Screen[EmployeeRecord]):
    """Employees of Workforce organizations."""

    # The first ones are seen on a narrow window too.
    list_display = ("name", "department", "state", "learner", "number_of_badges", "as_of", "account")
    list_display_links = ("name",)
    list_filter = (EmployeeAccountFilter, StateFilter, DepartmentFilter, LearnerFilter, ShownFilter)
    list_select_related = ("account", "user")
    search_fields = ("full_name", "first_name", "last_name", "email", "external_id", "employment_id")
    search_help_text = _("Name, e-mail address, or identifier at the employer or at the provider")
    readonly_fields = ("learner", "photo", "number_of_badges")
    fieldsets = (
        (None, {"fields": ("full_name", "learner", "account", "number_of_badges")}),
        (
            _("Employment"),
            {
                "fields": (
                    *("email", "external_id", "department", "team", "position_title"),
                    *("manager_first_name", "manager_last_name", "manager_external_id"),
                    *("country", "state_or_province", "zip_code", "first_name", "last_name", "photo"),
                )
            },
        ),
        (
            _("Connection"),
            {
                "fields": (
                    *("employee_state", "employee_state_updated_at", "last_invitation_sent_at"),
                    *("has_provider_user", "employed_since"),
                )
            },
        ),
        (
            _("At the provider"),
            {"fields": ("employment_id", "as_of", "badges_refreshed_at", "is_minimal", "deleted_at")},
        ),
    )
    inlines = (EmployeeBadgeInline,)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: EmployeeRecord | None = None) -> bool:
        return False

    def get_fieldsets(self, request: HttpRequest, obj: EmployeeRecord | None = None) -> Any:
        """Only what is known of the employee: often it is little."""
        shown = []
        for title, options in self.fieldsets:
            names = [name for name in options["fields"] if title is None or _is_known(obj, str(name))]
            if names:
                shown.append((title, {"fields": names}))
        return shown

    def get_queryset(self, request: HttpRequest) -> QuerySet[EmployeeRecord]:
        mine = EmployeeBadge.objects.filter(employee=OuterRef("pk"), is_visible=True).order_by().values("employee")
        number = Subquery(mine.annotate(number=Count("pk")).values("number"))
        return super().get_queryset(request).annotate(badge_count=Coalesce(number, 0))

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Django's log of what was deleted keeps how a row was shown, for ever: so that is no name."""
        records: Any = list(queryset)
        for record in records:
            record.full_name = record.external_id = ""
        return super().log_deletions(request, records)

    @admin.display(description=_("name"), ordering="last_name")
    def name(self, obj: EmployeeRecord) -> str:
        return str(obj)

    @admin.display(description=_("state"), ordering="employee_state")
    def state(self, obj: EmployeeRecord) -> str:
        if obj.deleted_at is not None:
            return gettext("deleted")
        return gettext("not shown any more") if obj.is_minimal else obj.employee_state or EMPTY

    @admin.display(description=_("learner"), ordering="user")
    def learner(self, obj: EmployeeRecord) -> str:
        return change_link(obj.user) if obj.user is not None else EMPTY

    @admin.display(description=_("badges"), ordering="badge_count")
    def number_of_badges(self, obj: Any) -> int:
        return int(obj.badge_count)

    @admin.display(description=_("photo"))
    def photo(self, obj: EmployeeRecord) -> str:
        """A link: where the picture is, nobody has to learn who looks at this page."""
        return outside_link(obj.photo_url)


def _is_known(obj: EmployeeRecord | None, name: str) -> bool:
    field = {"photo": "photo_url"}.get(name, name)
    return obj is not None and getattr(obj, field) not in (None, "", False)
