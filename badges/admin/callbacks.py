"""Callback endpoints: the systems that are told of awards, revocations and reviews, and how they do."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import urlsplit

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from badges.admin import delivery_texts as texts
from badges.admin.base import EMPTY, ProviderScreen
from badges.admin.callback_forms import CallbackEndpointForm
from badges.admin.delivery_filters import EndpointFilter, StateFilter, deliveries_link
from badges.exceptions import BadgesError
from badges.issuing import callback_health
from badges.issuing.callback_delivery import send_test
from badges.issuing.callback_signing import standard_form
from badges.models import CallbackEndpoint, Delivery
from badges.models.accounts import new_webhook_secret

HEALTH = ("health", "waiting", "given_up", "last_success", "last_error_text")


class CallbackEndpointAdmin(ProviderScreen[CallbackEndpoint]):
    """Where system callbacks go."""

    change_form_template = "admin/badges/callback_endpoint_change_form.html"
    form: Any = CallbackEndpointForm
    list_display: Any = ("name", "host", "health_column", "tells", "is_active", "last_success_at")
    list_filter = ("is_active",)
    search_fields = ("name", "url")
    readonly_fields: ClassVar[Any] = (*HEALTH, "secret_status")

    def get_fieldsets(self, request: HttpRequest, obj: CallbackEndpoint | None = None) -> Any:
        shown = ((_("Health"), {"fields": HEALTH}),) if obj is not None else ()
        secret = ("secret_status", "new_secret") if obj is not None else ("new_secret",)
        told = ("sends_awards", "sends_revocations", "sends_reviews")
        return (
            *shown,
            (_("Endpoint"), {"fields": ("name", "url", *secret, "is_active")}),
            (_("Is told of"), {"fields": told}),
        )

    class Media:
        js = ("badges/copy.js",)

    # What it shows.

    @admin.display(description=_("host"), ordering="url")
    def host(self, obj: CallbackEndpoint) -> str:
        """Of the address, what is short and no secret."""
        return urlsplit(obj.url).hostname or EMPTY

    @admin.display(description=_("is told of"))
    def tells(self, obj: CallbackEndpoint) -> str:
        told = {
            gettext("awards"): obj.sends_awards,
            gettext("revocations"): obj.sends_revocations,
            gettext("reviews"): obj.sends_reviews,
        }
        return ", ".join(word for word, is_told in told.items() if is_told) or EMPTY

    @admin.display(description=_("health"))
    def health_column(self, obj: CallbackEndpoint) -> str:
        state, text = _state(obj)
        return format_html('<span class="badges-state badges-state-{}">{}</span>', state, text)

    @admin.display(description=_("health"))
    def health(self, obj: CallbackEndpoint) -> str:
        return self.health_column(obj)

    @admin.display(description=_("waiting"))
    def waiting(self, obj: CallbackEndpoint) -> str:
        return _deliveries(obj, StateFilter.waiting, _counts(obj)["open"])

    @admin.display(description=_("given up"))
    def given_up(self, obj: CallbackEndpoint) -> str:
        return _deliveries(obj, Delivery.Status.DEAD.value, _counts(obj)["dead"])

    @admin.display(description=_("last success"))
    def last_success(self, obj: CallbackEndpoint) -> str:
        return texts.moment(obj.last_success_at)

    @admin.display(description=_("last error"))
    def last_error_text(self, obj: CallbackEndpoint) -> str:
        return obj.last_error or EMPTY

    @admin.display(description=_("stored secret"))
    def secret_status(self, obj: CallbackEndpoint) -> str:
        """Whether there is one; read without decrypting it."""
        stored = obj._meta.get_field("secret").pre_save(obj, add=False)
        return gettext('stored; see "Show the secret" above') if stored else gettext("missing")

    # What can be done.

    # What is typed as a secret must not stand in the report of an error.
    @method_decorator(sensitive_post_parameters("new_secret"))
    def changeform_view(self, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().changeform_view(*args, **kwargs)

    def save_model(self, request: HttpRequest, obj: CallbackEndpoint, form: Any, change: bool) -> None:
        if not change:
            super().save_model(request, obj, form, change)
            return
        # Only what was entered: workers write how it does, and somebody may have made a new secret meanwhile.
        obj.save(update_fields=form.entered_fields())
        if form.leads_elsewhere:
            callback_health.wake(obj.pk)

    def get_urls(self) -> list[URLPattern]:
        return [
            self.button("test", self._test),
            self._path("<path:object_id>/secret/", self.secret_view, "secret"),
            self._path("<path:object_id>/new-secret/", self.new_secret_view, "new_secret"),
            *super().get_urls(),
        ]

    def _test(self, request: HttpRequest, endpoint: CallbackEndpoint) -> None:
        """Send a message that tells nothing, and show what came back."""
        self.log_change(request, endpoint, gettext("Sent a test message."))
        try:
            answer = send_test(endpoint)
        except BadgesError as error:
            text = gettext("The test message was not taken: %(reason)s")
            self.message_user(request, text % {"reason": error}, messages.ERROR)
            return
        text = gettext("The test message was taken: HTTP %(status)d after %(duration)s. Answer: %(answer)s")
        told = {
            "status": answer.status,
            "duration": texts.took(answer.duration_ms),
            "answer": answer.shown or gettext("(empty)"),
        }
        self.message_user(request, text % told, messages.SUCCESS)

    def secret_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show the secret, in both of its forms; POST only, so that nothing keeps the page's address for it."""
        endpoint = self._asked_for(request, object_id)
        if isinstance(endpoint, HttpResponse):
            return endpoint
        self.log_change(request, endpoint, gettext("Looked at the secret."))
        return self._secret_page(request, endpoint)

    def new_secret_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Make a new secret, and show it; POST only."""
        endpoint = self._asked_for(request, object_id)
        if isinstance(endpoint, HttpResponse):
            return endpoint
        endpoint.secret = new_webhook_secret()
        endpoint.save(update_fields=["secret", "modified"])
        callback_health.wake(endpoint.pk)
        self.log_change(request, endpoint, gettext("Made a new secret."))
        text = gettext("This is the new secret. Enter it at the receiver now: all messages are signed with it already.")
        self.message_user(request, text, messages.WARNING)
        return self._secret_page(request, endpoint)

    def _asked_for(self, request: HttpRequest, object_id: str) -> CallbackEndpoint | HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        endpoint = self.get_object(request, object_id)
        if not self.has_change_permission(request, endpoint):
            raise PermissionDenied
        if endpoint is None:
            return HttpResponseRedirect(self._address("change", object_id))
        return endpoint

    @method_decorator(sensitive_variables("secret", "context"))
    def _secret_page(self, request: HttpRequest, endpoint: CallbackEndpoint) -> HttpResponse:
        try:
            secret = str(endpoint.secret)
        except BadgesError as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(self._address("change", endpoint.pk))
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Secret of an endpoint"),
            "subtitle": endpoint.name,
            "opts": self.opts,
            "media": self.media,
            "endpoint": endpoint,
            "secret": secret,
            "standard_form": standard_form(secret),
            "new_secret_address": self._address("new_secret", endpoint.pk),
            "back": self._address("change", endpoint.pk),
        }
        return TemplateResponse(request, "admin/badges/callback_secret.html", context)


def _state(endpoint: CallbackEndpoint) -> tuple[str, str]:
    """How an endpoint does: a word for the style, and words for people."""
    now = timezone.now()
    if not endpoint.is_active:
        return "unused", gettext("switched off")
    if endpoint.paused_until is not None and endpoint.paused_until > now:
        return "resting", gettext("rests until %(time)s") % {"time": texts.clock(endpoint.paused_until)}
    if endpoint.failures:
        text = ngettext("%d failure in a row", "%d failures in a row", endpoint.failures)
        return "trying", text % endpoint.failures
    if endpoint.last_success_at is None:
        return "unused", gettext("not called yet")
    return "works", gettext("works")


def _counts(endpoint: CallbackEndpoint) -> dict[str, int]:
    """How many deliveries of an endpoint are open, and were given up; read once a page."""
    kept: dict[str, Any] = vars(endpoint)
    if "_counts" not in kept:
        found = Delivery.objects.filter(callback__endpoint=endpoint).order_by()
        kept["_counts"] = found.aggregate(
            open=Count("pk", filter=Q(status__in=Delivery.OPEN)),
            dead=Count("pk", filter=Q(status=Delivery.Status.DEAD)),
        )
    counts: dict[str, int] = kept["_counts"]
    return counts


def _deliveries(endpoint: CallbackEndpoint, state: str, number: int) -> str:
    text = ngettext("%d delivery", "%d deliveries", number) % number
    return deliveries_link(EndpointFilter, endpoint.pk, state, text)
