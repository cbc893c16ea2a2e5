"""What staff do about dead events: replay, discard, put back, and look at personal data."""

from __future__ import annotations

import copy
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db import models as orm
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.urls import URLPattern
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from badges.admin import dead_event_forms as forms
from badges.admin.asking import DiscardForm, IdsForm, ids_of
from badges.admin.base import ActScreen, UnwrappedScreen
from badges.issuing import tasks
from badges.models import DeadEvent
from badges.processing import replaying

SECONDS = 20.0
"""Somebody waits for the page. What is not replayed by then is told, and ``replay_events`` has all the time."""
ERRORS_TOLD = 5
Status = DeadEvent.Status


class DeadEventActions(UnwrappedScreen[DeadEvent], ActScreen[DeadEvent]):
    """The actions of the list, and the buttons of the page. Whoever may change dead events may use them."""

    actions = ("replay", "replay_alike", "discard")

    def get_urls(self) -> list[URLPattern]:
        of_one: dict[str, Callable[..., HttpResponse]] = {
            "replay": self.replay_view,
            "put_back": self.put_back_view,
            "reveal": self.reveal_view,
            "alike": self.alike_view,
            "discard": self.discard_view,
        }
        own = [self._path(f"<int:object_id>/{slug}/", view, slug) for slug, view in of_one.items()]
        own.append(self._path("alike/", self.alike_view, "alike_selected"))
        own.append(self._path("discard/", self.discard_view, "discard_selected"))
        return [*own, *super().get_urls()]

    # Of the list.

    @admin.action(description=_("Replay"), permissions=["act"])
    def replay(self, request: HttpRequest, queryset: orm.QuerySet[DeadEvent]) -> None:
        selected = queryset.count()
        waiting = replaying.in_order(queryset.filter(status=Status.WAITING))
        self._replay(request, waiting)
        if left := selected - len(waiting):
            text = ngettext(
                "%d was left alone: it was replayed or discarded before.",
                "%d were left alone: they were replayed or discarded before.",
                left,
            )
            self.message_user(request, text % left, messages.WARNING)

    @admin.action(description=_("Replay all of the same kinds..."), permissions=["act"])
    def replay_alike(self, request: HttpRequest, queryset: orm.QuerySet[DeadEvent]) -> HttpResponse:
        return self._ask(request, forms.replaying(forms.kinds_of(queryset)), "alike")

    @admin.action(description=_("Discard..."), permissions=["act"])
    def discard(self, request: HttpRequest, queryset: orm.QuerySet[DeadEvent]) -> HttpResponse:
        return self._ask(request, forms.discarding(queryset), "discard")

    # Of one event's page, and what the pages between send.

    def replay_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Replay one; POST only."""
        self._require_permission(request)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        self.replay(request, DeadEvent.objects.filter(pk=object_id))
        return self._go_back(object_id)

    def put_back_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Let a discarded one wait again; POST only."""
        self._require_permission(request)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        event = DeadEvent.objects.filter(pk=object_id).first()
        if event is not None and replaying.put_back(event):
            self._log(request, [event], gettext("Put back."))
            self.message_user(request, gettext("It waits again, and can be replayed."), messages.SUCCESS)
        return self._go_back(object_id)

    def reveal_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """The page of a dead event with its personal data. That somebody asked for it is in its history."""
        self._require_permission(request)
        event = DeadEvent.objects.filter(pk=object_id).first()
        if request.method != "POST" or event is None:
            return self._go_back(object_id)
        self._log(request, [event], gettext("Personal data was shown."))
        page: Any = copy.copy(request)
        page.method, page.shows_personal_data = "GET", True
        return self.change_view(page, str(object_id))

    def alike_view(self, request: HttpRequest, object_id: int | None = None) -> HttpResponse:
        """Ask, and replay all that failed like one event, or like those that the page named."""
        self._require_permission(request)
        examples = forms.kinds_of(DeadEvent.objects.filter(pk__in=ids_of(request, object_id)))
        if request.method != "POST":
            return self._ask(request, forms.replaying(examples), "alike", object_id)
        self._replay(request, replaying.in_order(replaying.alike(*examples)))
        return self._go_back(object_id)

    def discard_view(self, request: HttpRequest, object_id: int | None = None) -> HttpResponse:
        """Ask for a reason, and discard one event, or those that the page named."""
        self._require_permission(request)
        ids = ids_of(request, object_id)
        asked = forms.discarding(DeadEvent.objects.filter(pk__in=ids))
        form = DiscardForm(request.POST) if request.method == "POST" and asked.ids else None
        if form is None or not form.is_valid():
            return self._ask(request, asked, "discard", object_id, form)
        reason = form.cleaned_data["reason"]
        discarded = replaying.discard_all(ids, reason)
        self._log(request, discarded, gettext("Discarded: %(reason)s") % {"reason": reason})
        text = ngettext("%d dead event was discarded.", "%d dead events were discarded.", len(discarded))
        self.message_user(request, text % len(discarded), messages.SUCCESS)
        return self._go_back(object_id)

    # How it is done.

    def _replay(self, request: HttpRequest, ids: list[int]) -> None:
        """Replay these, until they are done or somebody would wait too long."""
        until = time.monotonic() + SECONDS
        done: list[int] = []
        errors: Counter[str] = Counter()
        # A provider may be slow: deliveries begin when all is processed, and the sweep takes what is left of them.
        with tasks.held() as badge_ids:
            try:
                for came in replaying.replay_all(ids):
                    if came.error:
                        errors[came.error] += 1
                    else:
                        done.append(came.dead_event_id)
                    if time.monotonic() > until:
                        break
            except replaying.Busy as error:
                errors[str(error)] += 1
        self._log(request, DeadEvent.objects.filter(pk__in=done).defer("payload", "body"), gettext("Replayed."))
        tasks.enqueue_all(badge_ids, is_stopping=lambda: time.monotonic() > until)
        self._tell_replayed(request, len(done), errors, left=len(ids) - len(done) - errors.total())

    def _tell_replayed(self, request: HttpRequest, done: int, errors: Counter[str], *, left: int) -> None:
        for error, number in errors.most_common(ERRORS_TOLD):
            text = ngettext(
                "%(number)d event could not be replayed: %(error)s",
                "%(number)d events could not be replayed: %(error)s",
                number,
            )
            self.message_user(request, text % {"number": number, "error": error}, messages.ERROR)
        if rest := sum(number for _error, number in errors.most_common()[ERRORS_TOLD:]):
            text = ngettext(
                "%d more could not be replayed; see its error.",
                "%d more could not be replayed; see their errors.",
                rest,
            )
            self.message_user(request, text % rest, messages.ERROR)
        text = ngettext("%d event was replayed.", "%d events were replayed.", done)
        self.message_user(request, text % done, messages.SUCCESS if done else messages.INFO)
        if left:
            text = ngettext(
                "%d more waits: so many at once are too many for a page. Do it again, or run replay_events.",
                "%d more wait: so many at once are too many for a page. Do it again, or run replay_events.",
                left,
            )
            self.message_user(request, text % left, messages.WARNING)

    def _ask(
        self,
        request: HttpRequest,
        asked: forms.Confirmation,
        slug: str,
        object_id: int | None = None,
        form: DiscardForm | None = None,
    ) -> HttpResponse:
        shown = form or (DiscardForm if slug == "discard" else IdsForm)(initial={"ids": asked.ids})
        return self._ask_about(
            request, "dead_events_confirm", slug, object_id, title=asked.title, asked=asked, form=shown
        )
