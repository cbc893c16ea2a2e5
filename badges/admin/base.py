"""What the screens share: read-only pages, links, JSON for people, and the filter by provider."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.db.models import ProtectedError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.csrf import csrf_protect

from badges.admin.generic import ModelAdmin
from badges.data import OPENEDX_ORIGIN
from badges.exceptions import BadgesError, describe
from badges.models import BadgeTemplate
from badges.providers import registry

logger = logging.getLogger(__name__)
M = TypeVar("M", bound=models.Model)
EMPTY = "-"


class Screen(ModelAdmin[M]):
    """The base of all screens of this app."""

    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}

    class Media:
        css = {"all": ("badges/admin.css",)}

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)
        except ProtectedError as error:
            return self._refuse_deletion(request, error)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        try:
            return super().changelist_view(request, extra_context)
        except ProtectedError as error:
            return self._refuse_deletion(request, error)

    def delete_queryset(self, request: HttpRequest, queryset: models.QuerySet[M]) -> None:
        # A savepoint, so that a refusal leaves a transaction around the request usable.
        with transaction.atomic():
            super().delete_queryset(request, queryset)

    def _refuse_deletion(self, request: HttpRequest, error: ProtectedError) -> HttpResponse:
        """Something began to protect a row after the confirmation page had found nothing."""
        self.message_user(request, str(error.args[0]), "error")
        return HttpResponseRedirect(self._address("changelist"))

    def _address(self, page: str, *arguments: Any) -> str:
        """The address of a page of this screen."""
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_{page}", args=arguments)

    def _path(self, route: str, view: Callable[..., HttpResponseBase], slug: str) -> URLPattern:
        """A page of this screen that is found under ``slug``."""
        name = f"{self.opts.app_label}_{self.opts.model_name}_{slug}"
        return path(route, self.admin_site.admin_view(view), name=name)

    def _log(self, request: HttpRequest, rows: Iterable[M], text: str) -> None:
        """Note in the admin's log of rows what was done with them."""
        user: Any = request.user
        if noted := list(rows):
            LogEntry.objects.log_actions(user.pk, noted, CHANGE, change_message=text)


class UnwrappedScreen(Screen[M]):
    """A screen of which no page is one transaction, also with ``ATOMIC_REQUESTS``: what is done makes its own."""

    @property
    def urls(self) -> list[URLPattern]:
        """The addresses of all pages, those of subclasses too; none of them is wrapped in a transaction."""
        patterns = super().urls
        for pattern in patterns:
            transaction.non_atomic_requests(pattern.callback)
        return patterns


class ProviderScreen(UnwrappedScreen[M]):
    """A screen whose pages ask a provider: no transaction is open meanwhile.

    In one, ``ATOMIC_REQUESTS``' or the admin's own, what the call notes of the account would stay locked for all
    workers until the provider has answered, and be lost with a request that fails.
    """

    @method_decorator(csrf_protect)
    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The page of a row. Its form asks the provider, and then one row is saved: that needs no transaction."""
        unwrapped: Any = super()
        response: HttpResponse = unwrapped._changeform_view(request, object_id, form_url, extra_context)
        return response

    def button(self, slug: str, work: Callable[[HttpRequest, M], None]) -> URLPattern:
        """The address of a button on a row's page: a POST of whoever may change the row does the work."""

        def view(request: HttpRequest, object_id: str) -> HttpResponse:
            if request.method != "POST":
                return HttpResponseNotAllowed(["POST"])
            row = self.get_object(request, object_id)
            if not self.has_change_permission(request, row):
                raise PermissionDenied
            if row is not None:
                work(request, row)
            # Of a row that is gone, that page says so.
            return HttpResponseRedirect(self._address("change", object_id if row is None else row.pk))

        return self._path(f"<path:object_id>/{slug}/", view, slug)


class ReadOnlyScreen(Screen[M]):
    """A screen that shows and never changes."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        # The admin asks this too when something else is deleted, whose deletion cascades here: a learner, say.
        match = request.resolver_match
        here = f"{self.opts.app_label}_{self.opts.model_name}_"
        if match is not None and (match.url_name or "").startswith(here):
            return False
        return super().has_delete_permission(request, obj)


class ReadOnlyInline:
    """Mixin of an inline that shows what a row consists of, to whoever may see the row, and never changes it."""

    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True


def may_change(user: AbstractBaseUser | AnonymousUser, opts: Any) -> bool:
    """Whether a user has the permission to change rows of a model, whatever its screen offers."""
    return bool(getattr(user, "has_perm", lambda perm: False)(f"{opts.app_label}.change_{opts.model_name}"))


def user_lookups(prefix: str) -> tuple[str, str]:
    """The lookups of a learner's username and e-mail, for ``search_fields``."""
    model: Any = get_user_model()
    return f"{prefix}__{model.USERNAME_FIELD}", f"{prefix}__{model.get_email_field_name()}"


def pretty_json(value: object) -> SafeString:
    """A JSON value as people read it."""
    text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True, default=str)
    return format_html('<pre class="badges-json">{}</pre>', text)


def change_link(obj: models.Model) -> str:
    """A link to the page of a row; its text alone where there is no such page."""
    try:
        url = reverse(f"admin:{obj._meta.app_label}_{obj._meta.model_name}_change", args=[obj.pk])
    except NoReverseMatch:
        return str(obj)
    return format_html('<a href="{}">{}</a>', url, obj)


def is_web_address(url: str) -> bool:
    """Whether a text that came from outside may be put into a link or an image."""
    return url.startswith(("https://", "http://"))


def outside_link(url: str) -> str:
    """A link to a page of a provider; of its address only the host is shown, for the rest is long and may be secret."""
    if not is_web_address(url):
        return EMPTY
    return format_html('<a href="{}" rel="noopener noreferrer">{}</a>', url, urlsplit(url).netloc)


def provider_label(slug: str) -> str:
    """A provider's name for people; its slug where its class cannot be loaded."""
    try:
        return str(registry.provider_class(slug).label)
    except BadgesError:
        return slug


def provider_choices() -> list[tuple[str, str]]:
    """Slug and name of every registered provider."""
    return [(slug, provider_label(slug)) for slug in sorted(registry.registered())]


def defect_of(error: Exception) -> str:
    """A sentence about an error that a provider's class should not have raised; it goes to the log too."""
    text = gettext("The code of this provider failed: %(error)s") % {"error": describe(error)}
    logger.error(text)
    return text


class ProviderFilter(admin.SimpleListFilter):
    """By provider: those that are registered."""

    title = _("provider")
    parameter_name = "provider_slug"
    lookup = "provider"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return provider_choices()

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
        value = self.value()
        if value is None:
            return queryset
        if value not in dict(self.lookup_choices):
            return queryset.none()
        return queryset.filter(**{self.lookup: "" if value == OPENEDX_ORIGIN else value})


class OriginFilter(ProviderFilter):
    """By provider, or none."""

    title = _("origin")

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(OPENEDX_ORIGIN, gettext("Open edX (no provider)")), *provider_choices()]


class TemplateOriginFilter(OriginFilter):
    """By the provider of a row's template."""

    lookup = "template__provider"


class BadgeOriginFilter(OriginFilter):
    """By the provider of a row's badge."""

    lookup = "badge__template__provider"


class TemplateFilter(admin.SimpleListFilter):
    """By badge template, of those that occur; where they are many, the first ones by name and the chosen one."""

    title = _("badge template")
    parameter_name = "template"
    limit = 50

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        occurring = model_admin.model._default_manager.order_by().values("template")
        templates = BadgeTemplate.objects.filter(pk__in=occurring).order_by("name", "pk").values_list("pk", "name")
        found = dict(templates[: self.limit])
        chosen = request.GET.get(self.parameter_name, "")
        if chosen.isdecimal() and len(chosen) < 19:
            found.update(templates.filter(pk=int(chosen)))
        return [(str(pk), name) for pk, name in found.items()]

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
        value = self.value()
        if value is None:
            return queryset
        # An id that no column can hold matches nothing; more digits would be refused by the database.
        return queryset.filter(template=int(value)) if value.isdecimal() and len(value) < 19 else queryset.none()
