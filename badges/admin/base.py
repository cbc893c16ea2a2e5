"""What the screens share: read-only pages, links, JSON for people, and the filter by provider."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, Iterable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.utils import unquote
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.db.models import ProtectedError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
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

    def get_paginator(self, request: HttpRequest, queryset: Any, *args: Any, **kwargs: Any) -> Any:
        match = request.resolver_match
        if queryset.model is LogEntry and match is not None:
            queryset = self._history(unquote(match.kwargs["object_id"]))
        return super().get_paginator(request, queryset, *args, **kwargs)

    def _history(self, object_id: str) -> models.QuerySet[LogEntry]:
        """What was done to a row, on whichever screen: that of its provider, or that of all providers."""
        shown_as = [model for model in apps.get_models() if model._meta.concrete_model is self.opts.concrete_model]
        types = ContentType.objects.get_for_models(*shown_as, for_concrete_models=False)
        entries = LogEntry.objects.filter(object_id=object_id, content_type__in=list(types.values()))
        return entries.select_related("user").order_by("action_time", "pk")

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

    def _page(self, request: HttpRequest, template: str, **told: Any) -> HttpResponse:
        """A page of this screen that is none of the admin's own; ``told`` is what stands on it."""
        context = {
            **self.admin_site.each_context(request),
            "subtitle": None,
            "opts": self.opts,
            "media": self.media,
            "error_note": _error_note(len(told["form"].errors)) if "form" in told else "",
            **told,
        }
        return TemplateResponse(request, f"admin/badges/{template}.html", context)

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


class ActScreen(ReadOnlyScreen[M]):
    """A read-only screen on which staff do something about rows, one by its page or several by the list."""

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Whether a user may: whoever may change such rows, also where nobody changes them by a form."""
        return may_change(request.user, self.opts)

    def _require_permission(self, request: HttpRequest) -> None:
        if not self.has_act_permission(request):
            raise PermissionDenied

    def _ask_about(
        self, request: HttpRequest, template: str, slug: str, object_id: int | None, **told: Any
    ) -> HttpResponse:
        """The page that asks before ``slug`` is done, to one row or to those that the page names."""
        action = self._address(slug, object_id) if object_id is not None else self._address(f"{slug}_selected")
        return self._page(request, template, action_address=action, back=self._origin(object_id), **told)

    def _go_back(self, object_id: int | None) -> HttpResponse:
        return HttpResponseRedirect(self._origin(object_id))

    def _origin(self, object_id: int | None) -> str:
        """Where somebody came from: the page of a row, or the list."""
        return self._address("change", object_id) if object_id is not None else self._address("changelist")


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


class OfLearner:
    """Mixin of a screen whose rows are about a learner and a badge template: links to both."""

    @admin.display(description=_("learner"))
    def learner(self, obj: Any) -> str:
        return change_link(obj.user)

    @admin.display(description=_("badge template"))
    def template_link(self, obj: Any) -> str:
        return change_link(obj.template)


def may_change(user: AbstractBaseUser | AnonymousUser, opts: Any) -> bool:
    """Whether a user has the permission to change rows of a model, whatever its screen offers."""
    return bool(getattr(user, "has_perm", lambda perm: False)(f"{opts.app_label}.change_{opts.model_name}"))


def _error_note(number: int) -> str:
    """What stands above a form in which so much is wrong, as on the admin's own pages."""
    return ngettext("Please correct the error below.", "Please correct the errors below.", number)


def id_in(text: str) -> int | None:
    """A text from outside as the id of a row; None for what is none, or has more digits than databases take."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def uuid_in(text: str) -> uuid.UUID | None:
    """A text from outside as a UUID; None for what is none."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def user_lookups(prefix: str) -> tuple[str, str]:
    """The lookups of a learner's username and e-mail, for ``search_fields``."""
    model: Any = get_user_model()
    return f"{prefix}__{model.USERNAME_FIELD}", f"{prefix}__{model.get_email_field_name()}"


def pretty_json(value: object) -> SafeString:
    """A JSON value as people read it."""
    text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True, default=str)
    return format_html('<pre class="badges-json">{}</pre>', text)


def paragraphs(lines: Iterable[str]) -> str:
    """Lines below each other, without the empty ones."""
    shown = format_html_join("", "<div>{}</div>", ((line,) for line in lines if line))
    return format_html('<div class="badges-lines">{}</div>', shown)


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


class IdFilter(admin.SimpleListFilter):
    """By a row that the listed ones refer to."""

    lookup: str

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
        value = self.value()
        if value is None:
            return queryset
        pk = id_in(value)
        return queryset.none() if pk is None else queryset.filter(**{self.lookup: pk})


class TemplateFilter(IdFilter):
    """By badge template, of those that occur; where they are many, the first ones by name and the chosen one."""

    title = _("badge template")
    parameter_name = lookup = "template"
    limit = 50

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        occurring = model_admin.model._default_manager.order_by().values("template")
        templates = BadgeTemplate.objects.filter(pk__in=occurring).order_by("name", "pk").values_list("pk", "name")
        found = dict(templates[: self.limit])
        if (chosen := id_in(request.GET.get(self.parameter_name, ""))) is not None:
            found.update(templates.filter(pk=chosen))
        return [(str(pk), name) for pk, name in found.items()]
