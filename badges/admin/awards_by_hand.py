"""Awarding a badge by hand on its template's page, and revoking one on its own: the pages between, and the audit."""

from __future__ import annotations

from functools import partial
from typing import Any, TypeVar

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from badges.admin.application_forms import learner_named
from badges.admin.asking import reason_field
from badges.admin.base import M, ReadOnlyInline, Screen, change_link
from badges.admin.generic import TabularInline
from badges.exceptions import Refused
from badges.issuing import by_staff
from badges.models import Badge, BadgeChange, BadgeTemplate
from badges.processing.retries import retried

T = TypeVar("T", bound=BadgeTemplate)
AWARD = "badges.add_badge"
REVOKE = "badges.change_badge"


class ChangeInline(ReadOnlyInline, TabularInline[BadgeChange, Badge]):
    """What staff did to a badge by hand: who, when and why."""

    model = BadgeChange
    # The first ones are seen on a narrow window too.
    fields = ("action", "reason", "by", "at")
    readonly_fields = fields
    ordering = ("id",)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("by")


class WhyForm(forms.Form):
    """Why a badge is awarded or revoked."""

    required_css_class = "required"
    reason = reason_field(_("It is kept with the badge and in the history of changes. Name no learner."))


class AwardForm(WhyForm):
    """To whom, and why."""

    field_order = ("learner", "reason")
    learner = forms.CharField(
        label=_("Learner"),
        help_text=_("Username or e-mail address."),
        max_length=255,
        widget=forms.TextInput(attrs={"class": "badges-wide", "autocomplete": "off"}),
    )

    def clean_learner(self) -> Any:
        return learner_named(self.cleaned_data["learner"])


class ByHand(Screen[M]):
    """A screen with a page that asks before something is done by hand."""

    def page_by_hand(self, route: str, view: Any, slug: str) -> URLPattern:
        """The address of such a page. What is done makes its own transaction, and is done again where it loses."""
        pattern = self._path(route, view, slug)
        transaction.non_atomic_requests(pattern.callback)
        return pattern

    def ask(self, request: HttpRequest, row: Any, form: WhyForm, **told: Any) -> HttpResponse:
        """Show the page; ``told`` is what stands on it."""
        back = self._address("change", row.pk)
        return self._page(request, "by_hand", form=form, action_address=request.path, back=back, **told)


class AwardsByHand(ByHand[T]):
    """A screen of badge templates."""

    def get_urls(self) -> list[URLPattern]:
        page = self.page_by_hand("<int:object_id>/award/", self.award_view, "award")
        return [page, *super().get_urls()]

    def award_address(self, request: HttpRequest, template: BadgeTemplate | None) -> str:
        """Where a badge of this template is awarded; empty where the user may not, or nobody can."""
        if template is None or not template.is_active or not request.user.has_perm(AWARD):
            return ""
        return self._address("award", template.pk)

    def award_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Ask for a learner and a reason, and award the badge."""
        template = self.get_object(request, str(object_id))
        if not self.has_view_permission(request, template) or not request.user.has_perm(AWARD):
            raise PermissionDenied
        if template is None:
            raise Http404
        form = AwardForm(request.POST or None)
        in_the_way = ""
        if request.method == "POST" and form.is_valid():
            learner, reason = form.cleaned_data["learner"], form.cleaned_data["reason"]
            try:
                badge = retried(partial(by_staff.award, template, learner, by=request.user, reason=reason))
            except Refused as refused:
                in_the_way = _tell(request, form, refused)
            else:
                return self._awarded(request, template, badge, reason)
        return self.ask(
            request,
            template,
            form,
            title=gettext("Award a badge"),
            heading=template.name,
            warnings=_consequences_of_award(template),
            in_the_way=in_the_way,
            button=gettext("Award the badge"),
        )

    def _awarded(self, request: HttpRequest, template: BadgeTemplate, badge: Badge, reason: str) -> HttpResponse:
        # The history is the badge's, although this is the template's screen.
        entry: Any = badge
        self.log_addition(request, entry, gettext("Awarded by hand: %(reason)s") % {"reason": reason})
        self.message_user(request, gettext("The badge was awarded."), messages.SUCCESS)
        if _may_see_badges(request):
            return HttpResponseRedirect(reverse("admin:badges_badge_change", args=[badge.pk]))
        return HttpResponseRedirect(self._address("change", template.pk))


class RevokesByHand(ByHand[Badge]):
    """A screen of badges."""

    def get_urls(self) -> list[URLPattern]:
        page = self.page_by_hand("<int:object_id>/revoke/", self.revoke_view, "revoke")
        return [page, *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        badge: Badge | None = context.get("original")
        context["may_revoke"] = badge is not None and badge.is_awarded and request.user.has_perm(REVOKE)
        return super().render_change_form(request, context, *args, **kwargs)

    def revoke_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Ask for a reason, and take the badge away."""
        badge = self.get_object(request, str(object_id))
        if not self.has_view_permission(request, badge) or not request.user.has_perm(REVOKE):
            raise PermissionDenied
        if badge is None:
            raise Http404
        form = WhyForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            reason = form.cleaned_data["reason"]
            try:
                revoked = retried(partial(by_staff.revoke, badge, by=request.user, reason=reason))
            except Badge.DoesNotExist as gone:
                raise Http404 from gone
            except Refused as refused:
                _tell(request, form, refused)
            else:
                self.log_change(request, revoked, gettext("Revoked by hand: %(reason)s") % {"reason": reason})
                self.message_user(request, gettext("The badge was revoked."), messages.SUCCESS)
                return HttpResponseRedirect(self._address("change", badge.pk))
        return self.ask(
            request,
            badge,
            form,
            title=gettext("Revoke a badge"),
            heading=badge,
            warnings=_consequences_of_revocation(badge),
            button=gettext("Revoke the badge"),
        )


def _may_see_badges(request: HttpRequest) -> bool:
    return request.user.has_perm("badges.view_badge") or request.user.has_perm(REVOKE)


def _tell(request: HttpRequest, form: forms.Form, refused: Refused) -> str:
    """Show on a form what was refused; gives a link to the badge that is in the way, for who may see it."""
    form.add_error(refused.field if refused.field in form.fields else None, str(refused))
    if isinstance(refused, by_staff.BadgeInTheWay) and _may_see_badges(request):
        return change_link(refused.badge)
    return ""


def _consequences_of_award(template: BadgeTemplate) -> list[str]:
    told = [gettext("The learner gets the badge, whether or not the requirements are fulfilled. The platform is told.")]
    if template.account is not None and template.account.is_issuing:
        text = gettext('It is issued with the account "%(account)s". The provider may write to the learner.')
        told.append(text % {"account": template.account})
    return told


def _consequences_of_revocation(badge: Badge) -> list[str]:
    told = [gettext("This is final: a badge that was taken away is not awarded again. The platform is told.")]
    account = badge.template.account
    if account is not None and account.is_issuing:
        text = gettext('If it was issued at the provider, it is revoked there, too, with the account "%(account)s".')
        told.append(text % {"account": account})
    return told
