"""Accounts at providers: Credly organizations, Accredible API configs, and those of any provider."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

from django.contrib import admin, messages
from django.db import models as orm
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters

from badges.admin.account_forms import AccountForm, AnyAccountForm, CredlyOrganizationForm
from badges.admin.base import ProviderFilter, provider_label
from badges.admin.syncing import SyncScreen
from badges.models import AccredibleAPIConfig, CredlyOrganization, ProviderAccount

A = TypeVar("A", bound=ProviderAccount)


class AccountScreen(SyncScreen[A]):
    """What the three screens of accounts share."""

    form: Any = AccountForm
    list_display: Any = ("name", "key_status", "modified")
    search_fields = ("name", "external_id")
    readonly_fields: ClassVar[Any] = ("key_status",)
    account_fields: tuple[str, ...] = ("name",)

    @admin.display(description=_("stored key"))
    def key_status(self, obj: ProviderAccount) -> str:
        """Whether there is a key; read without decrypting it."""
        if obj.has_preconfigured_key:
            return gettext("from the settings")
        stored = obj._meta.get_field("api_key").pre_save(obj, add=False)
        return gettext("stored") if stored else gettext("missing")

    @admin.display(description=_("provider"), ordering="provider")
    def provider_name(self, obj: ProviderAccount) -> str:
        return provider_label(obj.provider)

    def get_fields(self, request: HttpRequest, obj: A | None = None) -> Any:
        return (*self.account_fields, *(("key_status",) if obj is not None else ()), "new_key")

    # What is typed as a key must not stand in the report of an error.
    @method_decorator(sensitive_post_parameters("new_key"))
    def changeform_view(self, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().changeform_view(*args, **kwargs)

    def save_model(self, request: HttpRequest, obj: A, form: Any, change: bool) -> None:
        if change:
            # Only what was entered: the provider has been asked since the row was read, and somebody else may have
            # replaced the key meanwhile.
            obj.save(update_fields=form.entered_fields())
        else:
            super().save_model(request, obj, form, change)
        if form.unchecked:
            text = gettext("Saved, but the account could not be checked at the provider: %(reason)s")
            self.message_user(request, text % {"reason": form.unchecked}, messages.WARNING)
        elif form.known_as:
            text = gettext('Checked at the provider, which knows this account as "%(name)s".')
            self.message_user(request, text % {"name": form.known_as}, messages.INFO)


class CredlyOrganizationAdmin(AccountScreen[CredlyOrganization]):
    """Organizations at Credly."""

    form: Any = CredlyOrganizationForm
    list_display: Any = ("name", "external_id", "key_status", "modified")
    account_fields = ("external_id", "name")
    actions = ("sync_organization_badge_templates",)

    @admin.action(description=_("Sync organization badge templates"), permissions=["change"])
    def sync_organization_badge_templates(
        self, request: HttpRequest, queryset: orm.QuerySet[CredlyOrganization]
    ) -> None:
        self.synchronize(request, queryset)


class AccredibleAPIConfigAdmin(AccountScreen[AccredibleAPIConfig]):
    """API keys at Accredible."""

    actions = ("sync_groups",)

    @admin.action(description=_("Sync groups"), permissions=["change"])
    def sync_groups(self, request: HttpRequest, queryset: orm.QuerySet[AccredibleAPIConfig]) -> None:
        self.synchronize(request, queryset)


class ProviderAccountAdmin(AccountScreen[ProviderAccount]):
    """Accounts of all providers, those that somebody plugged in among them."""

    form: Any = AnyAccountForm
    list_display: Any = ("name", "provider_name", "external_id", "key_status", "modified")
    list_filter: ClassVar[Any] = (ProviderFilter,)
    account_fields = ("provider", "external_id", "name")
    actions = ("sync_templates",)

    def get_readonly_fields(self, request: HttpRequest, obj: ProviderAccount | None = None) -> Any:
        return ("key_status",) if obj is None else ("key_status", "provider")

    @admin.action(description=_("Sync templates"), permissions=["change"])
    def sync_templates(self, request: HttpRequest, queryset: orm.QuerySet[ProviderAccount]) -> None:
        self.synchronize(request, queryset)
