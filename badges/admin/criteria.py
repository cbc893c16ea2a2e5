"""What applications for a template are reviewed against, on the template's page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import models as orm
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from badges.admin.base import Screen
from badges.admin.generic import StackedInline
from badges.models import BadgeTemplate, Criterion


class CriterionInline(StackedInline[Criterion, BadgeTemplate]):
    """The criteria of reviews. What the provider says of its template is something else."""

    model = Criterion
    extra = 0
    fields = ("description", "is_required", "note", "position")
    formfield_overrides = {orm.TextField: {"widget": forms.Textarea(attrs={"rows": 2, "class": "badges-wide"})}}
    verbose_name = _("review criterion")
    verbose_name_plural = _("Review criteria")


class CopiesCriteria(Screen[Any]):
    """A screen of templates that can take over the provider's criteria for reviews."""

    @admin.action(description=_("Copy the provider's criteria as review criteria"), permissions=["change"])
    def copy_criteria(self, request: HttpRequest, queryset: orm.QuerySet[Any]) -> None:
        """Those that are not there yet, as required ones."""
        if not request.user.has_perm("badges.add_criterion"):
            self.message_user(request, gettext("You have no permission to add review criteria."), messages.ERROR)
            return
        number = 0
        for template in queryset:
            with transaction.atomic():
                if made := _copy(template):
                    self.log_change(request, template, gettext("Copied the provider's criteria as review criteria."))
                number += made
        text = ngettext("%d review criterion was added.", "%d review criteria were added.", number)
        self.message_user(request, text % number, messages.SUCCESS if number else messages.INFO)


def _copy(template: BadgeTemplate) -> int:
    present = list(template.review_criteria.values_list("description", flat=True))
    titles = dict.fromkeys(text for one in template.criteria if (text := (one["title"] or one["url"]).strip()))
    new = [text for text in titles if text not in present]
    for number, text in enumerate(new, start=len(present)):
        Criterion.objects.create(template_id=template.pk, description=text, position=min(number, 32_767))
    return len(new)
