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

from badges.admin import account_health, account_webhooks
from badges.admin.account_forms import AccountForm, AnyAccountForm, CredlyOrganizationForm, takes_client_id
from badges.admin.badgekit_forms import BadgeKitSystemForm
from badges.admin.base import ProviderFilter, provider_label
from badges.admin.checking import CheckScreen
from badges.admin.delivery_texts import moment
from badges.issuing import health
from badges.issuing.summary import AccountSummary
from badges.models import AccredibleAPIConfig, BadgeKitSystem, CredlyOrganization, ProviderAccount

A = TypeVar("A", bound=ProviderAccount)


HEALTH = ("health_now", "waiting", "dead", "last_success", "last_error", "last_sync")


class AccountScreen(CheckScreen[A]):
    """What the three screens of accounts share."""

    form: Any = AccountForm
    list_display: Any = ("name", "health_column", "key_status", "modified")
    search_fields = ("name", "external_id")
    readonly_fields: ClassVar[Any] = ("key_status", *HEALTH, *account_webhooks.FIELDS)
    account_fields: tuple[str, ...] = ("name",)

    def get_queryset(self, request: HttpRequest) -> Any:
        return account_health.with_health(super().get_queryset(request))

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

    @admin.display(description=_("health"))
    def health_column(self, obj: ProviderAccount) -> str:
        return account_health.state_text(obj)

    @admin.display(description=_("health"))
    def health_now(self, obj: ProviderAccount) -> str:
        return account_health.health_text(self._summary(obj), has_preconfigured_key=obj.has_preconfigured_key)

    @admin.display(description=_("waiting"))
    def waiting(self, obj: ProviderAccount) -> str:
        return account_health.waiting_text(self._summary(obj))

    @admin.display(description=_("given up"))
    def dead(self, obj: ProviderAccount) -> str:
        return account_health.dead_text(self._summary(obj))

    @admin.display(description=_("last success"))
    def last_success(self, obj: ProviderAccount) -> str:
        return moment(self._summary(obj).last_success_at)

    @admin.display(description=_("last error"))
    def last_error(self, obj: ProviderAccount) -> str:
        return account_health.error_text(self._summary(obj))

    @admin.display(description=_("last synchronization"))
    def last_sync(self, obj: ProviderAccount) -> str:
        return account_health.sync_text(self._summary(obj))

    def _summary(self, obj: ProviderAccount) -> AccountSummary:
        """Read once a page: several fields show a part of it."""
        kept: dict[str, AccountSummary] = vars(obj)
        if "_summary" not in kept:
            kept["_summary"] = account_health.summary_of(obj)
        return kept["_summary"]

    def get_fieldsets(self, request: HttpRequest, obj: A | None = None) -> Any:
        fixed: str = getattr(self.model, "provider_slug", "")
        client = ("client_id",) if takes_client_id(fixed or (obj.provider if obj is not None else "")) else ()
        entered = (*self.account_fields, *client, *(("key_status",) if obj is not None else ()), "new_key")
        shown = ((_("Health"), {"fields": HEALTH}),) if obj is not None else ()
        calls_back = obj is not None and account_webhooks.webhooks_of(obj) is not None
        webhook = ((_("Webhook"), {"fields": account_webhooks.FIELDS}),) if calls_back else ()
        return (*shown, (_("Account"), {"fields": entered}), *webhook)

    # What is typed as a key must not stand in the report of an error.
    @method_decorator(sensitive_post_parameters("new_key", "own_webhook_secret"))
    def changeform_view(self, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().changeform_view(*args, **kwargs)

    def save_model(self, request: HttpRequest, obj: A, form: Any, change: bool) -> None:
        if change:
            # Only what was entered: the provider has been asked since the row was read, and somebody else may have
            # replaced the key meanwhile.
            obj.save(update_fields=form.entered_fields())
        else:
            super().save_model(request, obj, form, change)
        if form.known_as and not form.unchecked:
            # The provider was asked with the key that is used now, and took it; for reading, no more is known.
            health.of(obj.pk)
            health.read(obj.pk)
            if health.resume(obj.pk):
                self.tell_resumed(request, obj)
            else:
                health.forget([obj.pk])
        if form.unchecked:
            text = gettext("Saved, but the account could not be checked at the provider: %(reason)s")
            self.message_user(request, text % {"reason": form.unchecked}, messages.WARNING)
        elif form.known_as:
            text = gettext('Checked at the provider, which knows this account as "%(name)s".')
            self.message_user(request, text % {"name": form.known_as}, messages.INFO)


class CredlyOrganizationAdmin(AccountScreen[CredlyOrganization]):
    """Organizations at Credly."""

    form: Any = CredlyOrganizationForm
    list_display: Any = ("name", "health_column", "external_id", "key_status", "modified")
    account_fields = ("external_id", "name")
    actions = ("check_now", "sync_organization_badge_templates")

    @admin.action(description=_("Sync organization badge templates"), permissions=["change"])
    def sync_organization_badge_templates(
        self, request: HttpRequest, queryset: orm.QuerySet[CredlyOrganization]
    ) -> None:
        self.synchronize(request, queryset)


class AccredibleAPIConfigAdmin(AccountScreen[AccredibleAPIConfig]):
    """API keys at Accredible."""

    actions = ("check_now", "sync_groups")

    @admin.action(description=_("Sync groups"), permissions=["change"])
    def sync_groups(self, request: HttpRequest, queryset: orm.QuerySet[AccredibleAPIConfig]) -> None:
        self.synchronize(request, queryset)


class BadgeKitSystemAdmin(AccountScreen[BadgeKitSystem]):
    """Systems at a BadgeKit API."""

    form: Any = BadgeKitSystemForm
    list_display: Any = ("name", "health_column", "external_id", "is_issuing", "key_status", "modified")
    account_fields = ("external_id", "name", "is_issuing", "client_id")
    actions = ("check_now", "sync_badges")

    def get_fieldsets(self, request: HttpRequest, obj: BadgeKitSystem | None = None) -> Any:
        return (*super().get_fieldsets(request, obj), (_("Webhook secret"), {"fields": ("own_webhook_secret",)}))

    @admin.action(description=_("Sync badges"), permissions=["change"])
    def sync_badges(self, request: HttpRequest, queryset: orm.QuerySet[BadgeKitSystem]) -> None:
        self.synchronize(request, queryset)


class ProviderAccountAdmin(AccountScreen[ProviderAccount]):
    """Accounts of all providers, those that somebody plugged in among them."""

    form: Any = AnyAccountForm
    list_display: Any = ("name", "provider_name", "health_column", "external_id", "key_status", "modified")
    list_filter: ClassVar[Any] = (ProviderFilter,)
    account_fields = ("provider", "external_id", "name")
    actions = ("check_now", "sync_templates")

    def get_readonly_fields(self, request: HttpRequest, obj: ProviderAccount | None = None) -> Any:
        return self.readonly_fields if obj is None else (*self.readonly_fields, "provider")

    @admin.action(description=_("Sync templates"), permissions=["change"])
    def sync_templates(self, request: HttpRequest, queryset: orm.QuerySet[ProviderAccount]) -> None:
        self.synchronize(request, queryset)
