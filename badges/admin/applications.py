"""Applications: what learners show, the reviews, and what staff decide."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models as orm
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed
from django.http import HttpResponseRedirect as Redirect
from django.urls import URLPattern, reverse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from badges.admin import delivery_texts as texts
from badges.admin.application_forms import ApplyForm, CloseForm, EvidenceForm, ReviewForm
from badges.admin.base import EMPTY, TemplateFilter, UnwrappedScreen, change_link, user_lookups
from badges.applications import applying, files, permissions, reviewing
from badges.applications.errors import ApplicationRefused
from badges.applications.moves import may_move
from badges.models import Application, ApplicationChange, Badge, Review
from badges.models.users import USERNAME, username_of

Status = Application.Status


class AssignedFilter(admin.SimpleListFilter):
    """By who is to review it: myself, nobody, or one of those who have some."""

    title = _("assigned to")
    parameter_name = "assigned"
    limit = 50

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        rows = Application.objects.filter(assigned_to__isnull=False).exclude(assigned_to=request.user.pk)
        others = rows.order_by("assigned_to").values_list("assigned_to", f"assigned_to__{USERNAME}").distinct()
        return [
            ("me", gettext("Myself")),
            ("nobody", gettext("Nobody")),
            *((str(pk), name) for pk, name in others[: self.limit]),
        ]

    def queryset(self, request: HttpRequest, queryset: orm.QuerySet[Any]) -> orm.QuerySet[Any]:
        value = self.value()
        if value is None:
            return queryset
        if value == "nobody":
            return queryset.filter(assigned_to=None)
        chosen = str(request.user.pk) if value == "me" else value
        is_id = chosen in dict(self.lookup_choices) or value == "me"
        return queryset.filter(assigned_to=chosen) if is_id else queryset.none()


class ApplicationAdmin(UnwrappedScreen[Application]):
    """Whoever reviews applications sees them; what else can be done depends on the permissions."""

    change_form_template = "admin/badges/application_change_form.html"
    # The first ones are seen on a narrow window too.
    list_display = ("template", "learner_name", "status", "submitted_at", "assigned_to", "account")
    list_filter: ClassVar[Any] = (
        "status",
        AssignedFilter,
        TemplateFilter,
        ("account", admin.RelatedOnlyFieldListFilter),
    )
    list_select_related = ("template", "user", "assigned_to", "account")
    search_fields = (*user_lookups("user"), "learner_email", "template__name", "slug")
    search_help_text = _("Username, e-mail address, name of a badge template, or identifier of an application")
    fields = ("template_link", "learner", "status", "submitted", "assigned", "statement")
    only_where_told = ("badge", "said", "processed", "origin")
    readonly_fields = (*fields, *only_where_told)

    # Who may do what.

    def has_view_permission(self, request: HttpRequest, obj: Application | None = None) -> bool:
        return permissions.may_see_all(request.user)

    def has_change_permission(self, request: HttpRequest, obj: Application | None = None) -> bool:
        # What is written in an application is its learner's. What staff do has its own buttons.
        return False

    def get_urls(self) -> list[URLPattern]:
        views: dict[str, Callable[[HttpRequest, Application], HttpResponse]] = {
            "review": self.review,
            "award": self.award,
            "close": self.close,
            "assign": self.assign,
        }
        own = [self._path(f"<int:object_id>/{slug}/", self._button(view), slug) for slug, view in views.items()]
        return [
            *own,
            self._path("<int:object_id>/evidence/<int:evidence_id>/", self.evidence_view, "evidence"),
            self._path("<int:object_id>/resubmit/", self.resubmit_view, "resubmit"),
            *super().get_urls(),
        ]

    # What an application shows.

    def get_fields(self, request: HttpRequest, obj: Application | None = None) -> Any:
        if obj is None:
            return self.fields
        told = [name for name in self.only_where_told if getattr(self, name)(obj) not in ("", EMPTY)]
        return (*self.fields[:3], *told, *self.fields[3:])

    @admin.display(description=_("learner"), ordering="user__username")
    def learner_name(self, obj: Application) -> str:
        return username_of(obj.user) if obj.user is not None else obj.learner_email or EMPTY

    @admin.display(description=_("learner"))
    def learner(self, obj: Application) -> str:
        if obj.user is not None:
            return change_link(obj.user)
        return gettext("%(email)s (not known here)") % {"email": obj.learner_email or EMPTY}

    @admin.display(description=_("badge template"))
    def template_link(self, obj: Application) -> str:
        return change_link(obj.template)

    @admin.display(description=_("badge"))
    def badge(self, obj: Application) -> str:
        found = Badge.objects.filter(user=obj.user, template=obj.template_id).select_related("user").first()
        return format_html("{}: {}", change_link(found), found.get_status_display()) if found is not None else EMPTY

    @admin.display(description=_("note"))
    def said(self, obj: Application) -> str:
        """Why it was closed, or what there is to say of the award."""
        return obj.note

    @admin.display(description=_("submitted at"))
    def submitted(self, obj: Application) -> str:
        return texts.moment(obj.submitted_at)

    @admin.display(description=_("processed at"))
    def processed(self, obj: Application) -> str:
        return texts.moment(obj.processed_at)

    @admin.display(description=_("assigned to"))
    def assigned(self, obj: Application) -> str:
        return username_of(obj.assigned_to) if obj.assigned_to is not None else EMPTY

    @admin.display(description=_("BadgeKit system"))
    def origin(self, obj: Application) -> str:
        return change_link(obj.account) if obj.account is not None else EMPTY

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        application: Application | None = context.get("original")
        if application is not None:
            context = {**self._about(request, application), **context}
            # The name of the badge, and nothing of the learner: titles are kept in histories of browsers.
            context["title"] = gettext('Application for "%(name)s"') % {"name": application.template}
            context["subtitle"] = None
        return super().render_change_form(request, context, *args, **kwargs)

    def _about(self, request: HttpRequest, application: Application) -> dict[str, Any]:
        user: Any = request.user
        is_own = permissions.is_own(user, application)
        may_manage = permissions.may_manage(user) and not is_own
        is_reviewed_here = not application.is_copy and application.status == Status.SUBMITTED
        is_reviewer = permissions.may_review(user) and not is_own
        reviews = Review.objects.filter(application=application)
        return {
            "evidence": application.evidence.all(),
            "reviews": reviews.select_related("author").prefetch_related("items"),
            "changes": ApplicationChange.objects.filter(application=application).select_related("by"),
            "is_own": is_own,
            "may_assign": application.is_open and not application.is_copy and is_reviewer,
            "may_resubmit": self.has_add_permission(request) and may_move(application, Status.SUBMITTED),
            "is_mine": application.assigned_to_id == user.pk,
            "may_award": may_manage and may_move(application, Status.AWARDED),
            "awards_on_approval": application.template.awards_on_approval,
            "review_form": ReviewForm(application) if is_reviewer and is_reviewed_here else None,
            "close_form": CloseForm() if may_manage and application.is_open else None,
        }

    # What is done.

    def review(self, request: HttpRequest, application: Application) -> HttpResponse:
        form = ReviewForm(application, request.POST)
        approves = request.POST.get("decision") == "approve"
        if not form.is_valid():
            return self._again(request, application, review_form=form)
        try:
            reviewing.review(
                application,
                request.user,
                items=form.judgements(),
                comment=form.cleaned_data["comment"],
                approves=approves,
                seen_at=form.cleaned_data["seen_at"],
            )
        except ApplicationRefused as error:
            form.add_error(None, str(error))
            return self._again(request, application, review_form=form)
        application.refresh_from_db()
        said = gettext("Approved.") if approves else gettext("More is asked of the learner.")
        if application.status == Status.AWARDED:
            said = gettext("Approved, and the badge was awarded.")
        return self._done(request, application, " ".join(filter(None, [said, application.note])))

    def award(self, request: HttpRequest, application: Application) -> HttpResponse:
        awarded = reviewing.award(application, request.user)
        return self._done(request, awarded, awarded.note or gettext("The badge was awarded."))

    def close(self, request: HttpRequest, application: Application) -> HttpResponse:
        form = CloseForm(request.POST)
        if not form.is_valid():
            return self._again(request, application, close_form=form)
        closed = reviewing.close(application, form.cleaned_data["reason"], request.user)
        return self._done(request, closed, gettext("The application was closed."))

    def assign(self, request: HttpRequest, application: Application) -> HttpResponse:
        to = None if request.POST.get("to") == "nobody" else request.user
        assigned = reviewing.assign(application, to, request.user)
        text = gettext("It is assigned to you.") if to is not None else gettext("It is assigned to nobody.")
        return self._done(request, assigned, text)

    def evidence_view(self, request: HttpRequest, object_id: int, evidence_id: int) -> HttpResponseBase:
        """The file of a piece of evidence, as an attachment."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        application = self.get_object(request, str(object_id))
        piece = application.evidence.filter(pk=evidence_id).first() if application is not None else None
        if piece is None:
            raise Http404
        return files.response(piece)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Apply for a learner."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = ApplyForm(request.POST, request.FILES) if request.method == "POST" else ApplyForm()
        if request.method == "POST" and form.is_valid():
            try:
                made = applying.submit(
                    form.cleaned_data["template"],
                    form.cleaned_data["learner"],
                    statement=form.cleaned_data["statement"],
                    evidence=form.evidence(),
                    by=request.user,
                )
            except ApplicationRefused as error:
                form.tell(error)
            else:
                self.log_addition(request, made, gettext("Handed in for the learner."))
                return self._handed_in(request, made)
        return self._form_page(request, form, gettext("Apply for a learner"))

    def resubmit_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Hand in again for a learner what more was asked of."""
        application = self.get_object(request, str(object_id))
        if not self.has_view_permission(request) or not self.has_add_permission(request):
            raise PermissionDenied
        if application is None:
            raise Http404
        form = EvidenceForm(initial={"statement": application.statement})
        if request.method == "POST":
            form = EvidenceForm(request.POST, request.FILES)
        if request.method == "POST" and form.is_valid():
            try:
                again = applying.resubmit(
                    application,
                    statement=form.cleaned_data["statement"],
                    evidence=form.evidence(),
                    by=request.user,
                )
            except ApplicationRefused as error:
                form.tell(error)
            else:
                self.log_change(request, again, gettext("Handed in again for the learner."))
                return self._handed_in(request, again)
        return self._form_page(request, form, gettext("Hand in again for the learner"))

    def _handed_in(self, request: HttpRequest, application: Application) -> HttpResponse:
        self.message_user(request, gettext("The application was handed in."), messages.SUCCESS)
        may_see = self.has_view_permission(request)
        return Redirect(self._address("change", application.pk) if may_see else reverse("admin:index"))

    def _form_page(self, request: HttpRequest, form: EvidenceForm, title: str) -> HttpResponse:
        may_see = self.has_view_permission(request)
        return self._page(request, "application_add", title=title, form=form, may_see=may_see)

    def _button(self, work: Callable[[HttpRequest, Application], HttpResponse]) -> Callable[..., HttpResponse]:
        """The view of a form on an application's page; what is refused is told there."""

        def view(request: HttpRequest, object_id: int) -> HttpResponse:
            if request.method != "POST":
                return HttpResponseNotAllowed(["POST"])
            if not self.has_view_permission(request):
                raise PermissionDenied
            application = self.get_object(request, str(object_id))
            if application is None:
                return Redirect(self._address("change", object_id))
            try:
                return work(request, application)
            except ApplicationRefused as error:
                self.message_user(request, str(error), messages.ERROR)
                return Redirect(self._address("change", object_id))

        wrapped: Callable[..., HttpResponse] = self.admin_site.admin_view(view)
        return wrapped

    def _done(self, request: HttpRequest, application: Application, text: str) -> HttpResponse:
        self.log_change(request, application, text)
        self.message_user(request, text, messages.SUCCESS)
        return Redirect(self._address("change", application.pk))

    def _again(self, request: HttpRequest, application: Application, **forms: Any) -> HttpResponse:
        """The page once more, with a form as it was filled in and what is wrong with it."""
        page: Any = copy.copy(request)
        page.method = "GET"
        return self.change_view(page, str(application.pk), extra_context={**forms, "form_errors": True})
