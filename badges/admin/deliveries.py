"""Deliveries: what is to be done, what was tried, what came of it; and trying again, cancelling, marking as done."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.db import models as orm
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.defaultfilters import truncatechars
from django.urls import URLPattern
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from badges.admin import delivery_texts as texts
from badges.admin import ending
from badges.admin.account_health import state_text
from badges.admin.asking import ids_of
from badges.admin.base import (
    EMPTY,
    ActScreen,
    BadgeOriginFilter,
    ReadOnlyInline,
    change_link,
    id_in,
    outside_link,
    user_lookups,
    uuid_in,
)
from badges.admin.delivery_filters import AccountFilter, AgeFilter, DueFilter, EndpointFilter, StateFilter
from badges.admin.generic import StackedInline
from badges.exceptions import BadgesError
from badges.issuing import by_hand
from badges.issuing.deliveries import PROVIDER_CALLS
from badges.models import Delivery, DeliveryAttempt


class AttemptInline(ReadOnlyInline, StackedInline[DeliveryAttempt, Delivery]):
    """Every attempt at a delivery, the last one first."""

    model = DeliveryAttempt
    fields = ("when", "status_code", "detail", "reason", "exchanged")
    readonly_fields = fields
    ordering = ("-number",)

    @admin.display(description=_("when"))
    def when(self, obj: DeliveryAttempt) -> str:
        """When, and how long."""
        return gettext("%(time)s, took %(duration)s") % {
            "time": texts.moment(obj.started_at),
            "duration": texts.took(obj.duration_ms),
        }

    @admin.display(description=_("asked and answered"))
    def exchanged(self, obj: DeliveryAttempt) -> str:
        return texts.exchanges(obj.exchanges)


class DeliveryAdmin(ActScreen[Delivery]):
    """The outbox."""

    change_form_template = "admin/badges/delivery_change_form.html"
    # The first ones are seen on a narrow window too.
    list_display = ("about", "doing", "status", "error", "next_time", "age", "attempts", "id")
    list_display_links = ("about", "id")
    list_filter = (StateFilter, "action", DueFilter, AgeFilter, AccountFilter, EndpointFilter, BadgeOriginFilter)
    search_fields = (
        *user_lookups("badge__user"),
        "badge__template__name",
        "badge__external_id",
        *user_lookups("callback__badge__user"),
        "callback__badge__template__name",
        *user_lookups("callback__review__application__user"),
        "callback__review__application__template__name",
    )
    search_help_text = _(
        "Username, e-mail address, name of a badge template, or identifier at the provider; or a badge's whole UUID, "
        "or the number of a delivery"
    )
    fields = (
        "subject_link",
        "provider_page",
        "action",
        "endpoint",
        "message_id",
        "status",
        "note",
        "next_time",
        "last_error",
        "attempts",
        "failures",
        "gives_up",
        "account",
        "written",
        "finished",
    )
    readonly_fields = fields
    inlines = (AttemptInline,)
    actions = ("retry", "send_again", "cancel", "mark_done")

    def get_queryset(self, request: HttpRequest) -> Any:
        return texts.with_what_they_wait_for(super().get_queryset(request))

    def get_search_results(self, request: HttpRequest, queryset: orm.QuerySet[Delivery], search_term: str) -> Any:
        term = search_term.strip()
        if (found := uuid_in(term)) is not None:
            by_badge = Q(badge__uuid=found) | Q(badge__external_id__iexact=term) | Q(callback__badge__uuid=found)
            return queryset.filter(by_badge | Q(callback__message_id=found)), False
        results, may_have_duplicates = super().get_search_results(request, queryset, search_term)
        if (pk := id_in(term)) is not None:
            results |= queryset.filter(pk=pk)
        return results, may_have_duplicates

    # What a delivery shows.

    @admin.display(description=_("about"), ordering="badge")
    def about(self, obj: Delivery) -> str:
        return texts.subject_text(obj)

    @admin.display(description=_("action"), ordering="action")
    def doing(self, obj: Delivery) -> str:
        return texts.action_text(obj)

    @admin.display(description=_("about"))
    def subject_link(self, obj: Delivery) -> str:
        subject = texts.subject_of(obj)
        return change_link(subject) if subject is not None else EMPTY

    @admin.display(description=_("callback endpoint"))
    def endpoint(self, obj: Delivery) -> str:
        """Whom a callback tells, and what."""
        if obj.callback is None:
            return EMPTY
        return format_html("{}: {}", change_link(obj.callback.endpoint), obj.callback.get_action_display())

    @admin.display(description=_("message id"))
    def message_id(self, obj: Delivery) -> str:
        return str(obj.callback.message_id) if obj.callback is not None else EMPTY

    @admin.display(description=_("page at the provider"))
    def provider_page(self, obj: Delivery) -> str:
        return outside_link(obj.badge.url) if obj.badge is not None else EMPTY

    @admin.display(description=_("account"))
    def account(self, obj: Delivery) -> str:
        """The account that it needs, with its health."""
        account = obj.own_badge.template.account if obj.action in PROVIDER_CALLS else None
        if account is None:
            return EMPTY
        return format_html("{}: {}", change_link(account), state_text(account))

    @admin.display(description=_("age"), ordering="-created")
    def age(self, obj: Delivery) -> str:
        return texts.age(obj.created)

    @admin.display(description=_("next attempt"), ordering="next_attempt_at")
    def next_time(self, obj: Delivery) -> str:
        return texts.next_time(obj)

    @admin.display(description=_("gives up at"))
    def gives_up(self, obj: Delivery) -> str:
        return texts.moment(obj.give_up_at) if obj.status in Delivery.OPEN else EMPTY

    @admin.display(description=_("written at"))
    def written(self, obj: Delivery) -> str:
        return texts.moment(obj.created)

    @admin.display(description=_("finished at"))
    def finished(self, obj: Delivery) -> str:
        return texts.moment(obj.finished_at)

    @admin.display(description=_("last error"), empty_value=EMPTY)
    def error(self, obj: Delivery) -> str | None:
        return truncatechars(obj.last_error, 100) or None

    # What can be done by hand.

    @admin.action(description=_("Retry now"), permissions=["act"])
    def retry(self, request: HttpRequest, queryset: orm.QuerySet[Delivery]) -> None:
        selected = queryset.count()
        retried = by_hand.retry(queryset)
        self._log(request, retried.deliveries, gettext("Retried by hand."))
        self._tell_retried(request, retried, left=selected - len(retried.deliveries) - retried.beyond_limit)

    @admin.action(description=_("Send callbacks again that were taken"), permissions=["act"])
    def send_again(self, request: HttpRequest, queryset: orm.QuerySet[Delivery]) -> None:
        again = by_hand.send_again(queryset)
        self._log(request, again, gettext("Sent again by hand."))
        text = ngettext("%d callback is sent again.", "%d callbacks are sent again.", len(again))
        self.message_user(request, text % len(again), messages.SUCCESS if again else messages.INFO)

    @admin.action(description=_("Cancel..."), permissions=["act"])
    def cancel(self, request: HttpRequest, queryset: orm.QuerySet[Delivery]) -> HttpResponse:
        return self._ask(request, ending.plan(ending.CANCEL, queryset))

    @admin.action(description=_("Mark as done..."), permissions=["act"])
    def mark_done(self, request: HttpRequest, queryset: orm.QuerySet[Delivery]) -> HttpResponse:
        return self._ask(request, ending.plan(ending.MARK_DONE, queryset))

    def get_urls(self) -> list[URLPattern]:
        own = [self._path("<int:object_id>/retry/", self.retry_view, "retry")]
        for slug, way in ending.WAYS.items():
            view = partial(self.end_view, way=way)
            own.append(self._path(f"{slug}/", view, f"{slug}_selected"))
            own.append(self._path(f"<int:object_id>/{slug}/", view, slug))
        return [*own, *super().get_urls()]

    def retry_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Retry one delivery; POST only."""
        self._require_permission(request)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        self.retry(request, self.get_queryset(request).filter(pk=object_id))
        return self._go_back(object_id)

    def end_view(self, request: HttpRequest, way: ending.Way, object_id: int | None = None) -> HttpResponse:
        """Ask for a reason, and end the deliveries that the page named: one by its address, several by their ids."""
        self._require_permission(request)
        if request.method != "POST" and object_id is None:
            return self._go_back(None)
        chosen = ids_of(request, object_id)
        plan = ending.plan(way, self.get_queryset(request).filter(pk__in=chosen))
        if request.method != "POST" or not plan.chosen:
            return self._ask(request, plan, object_id)
        form = plan.form_class(request.POST)
        if not form.is_valid():
            return self._ask(request, plan, object_id, form)
        reason, external_id = form.cleaned_data["reason"], form.cleaned_data.get("external_id", "")
        try:
            ended = by_hand.end([one.pk for one in plan.chosen], way.status, reason, external_id=external_id)
        except BadgesError as error:
            self.message_user(request, str(error), messages.ERROR)
            return self._ask(request, plan, object_id, form)
        self._log(request, ended, f"{way.title}: {reason}")
        self._tell_ended(request, way, len(ended), left=len(chosen) - len(ended))
        return self._go_back(object_id)

    def _ask(
        self, request: HttpRequest, plan: ending.Plan, object_id: int | None = None, form: Any = None
    ) -> HttpResponse:
        form = form or plan.form_class(initial={"ids": plan.ids})
        way = plan.way
        return self._ask_about(request, "end_deliveries", way.slug, object_id, title=way.title, plan=plan, form=form)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        delivery: Delivery | None = context.get("original")
        if delivery is not None:
            context["title"] = gettext("Delivery %(number)s: %(action)s") % {
                "number": delivery.pk,
                "action": delivery.get_action_display(),
            }
            context["subtitle"] = texts.subject_text(delivery)
        context["may_act"] = delivery is not None and self.has_act_permission(request) and by_hand.may_end(delivery)
        return super().render_change_form(request, context, *args, **kwargs)

    def _tell_retried(self, request: HttpRequest, retried: by_hand.Retried, *, left: int) -> None:
        if retried.done:
            text = ngettext("%d delivery was carried out.", "%d deliveries were carried out.", retried.done)
            self.message_user(request, text % retried.done, messages.SUCCESS)
        if retried.cancelled:
            text = ngettext("%d delivery was cancelled.", "%d deliveries were cancelled.", retried.cancelled)
            self.message_user(request, text % retried.cancelled, messages.INFO)
        if number := len(retried.failed):
            text = ngettext(
                "%(number)d delivery failed again: %(error)s",
                "%(number)d deliveries failed again. The first of them: %(error)s",
                number,
            )
            error = truncatechars(retried.failed[0].last_error, 300)
            self.message_user(request, text % {"number": number, "error": error}, messages.WARNING)
        if retried.due or not retried.deliveries:
            text = ngettext("%d delivery is due now.", "%d deliveries are due now.", retried.due)
            self.message_user(request, text % retried.due, messages.SUCCESS if retried.due else messages.INFO)
        if retried.left_to_sweep:
            text = ngettext(
                "%d badge is left to the next run of deliver_badges.",
                "%d badges are left to the next run of deliver_badges.",
                retried.left_to_sweep,
            )
            self.message_user(request, text % retried.left_to_sweep, messages.INFO)
        if retried.beyond_limit:
            text = gettext("%(more)d more are selected. So many at once are too many; do it again for them.")
            self.message_user(request, text % {"more": retried.beyond_limit}, messages.WARNING)
        for health in retried.stopped:
            text = gettext(
                'The account "%(account)s" is stopped, so its deliveries wait all the same: %(reason)s Replace its '
                'key, or press "Check now" on its page.'
            )
            self.message_user(
                request, text % {"account": health.account, "reason": health.stop_reason}, messages.WARNING
            )
        self._tell_left(request, left)

    def _tell_ended(self, request: HttpRequest, way: ending.Way, number: int, *, left: int) -> None:
        if way is ending.CANCEL:
            text = ngettext("%d delivery was cancelled.", "%d deliveries were cancelled.", number)
        else:
            text = ngettext("%d delivery was marked as done.", "%d deliveries were marked as done.", number)
        self.message_user(request, text % number, messages.SUCCESS if number else messages.INFO)
        self._tell_left(request, left)

    def _tell_left(self, request: HttpRequest, left: int) -> None:
        if left > 0:
            text = ngettext(
                "%d delivery was left alone: it is finished, or a worker has it.",
                "%d deliveries were left alone: they are finished, or a worker has them.",
                left,
            )
            self.message_user(request, text % left, messages.WARNING)
