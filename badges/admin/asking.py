"""What the pages share that ask before something is done: for a reason, and about which rows."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from badges.admin.base import id_in
from badges.issuing.by_staff import LONGEST_REASON

LIMIT = 5000
"""So many rows are changed at once; somebody waits for the page."""
SHOWN = 20
"""So many of them are named on the page."""


class _Lines(forms.CharField):
    """Text of some lines, of which a browser counts the ends as one character each, and sends two."""

    def to_python(self, value: Any) -> str:
        return (super().to_python(value) or "").replace("\r\n", "\n")


def reason_field(kept: Any) -> forms.CharField:
    """The input for a reason; ``kept`` says where it is kept."""
    return _Lines(
        label=_("Reason"),
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 3, "class": "badges-wide"}),
        help_text=kept,
        error_messages={"required": _("Enter a reason: whoever looks at this later will want to know.")},
    )


class IdsForm(forms.Form):
    """What a page between brings back: the ids of the rows that it named."""

    required_css_class = "required"
    ids = forms.CharField(widget=forms.HiddenInput)


class DiscardForm(IdsForm):
    """Why events are discarded."""

    reason = reason_field(_("It is kept with the events and in the history of changes. Name no learner."))


def and_more(number: int) -> str:
    """How many rows more are meant than those that are named."""
    return ngettext("and %d more", "and %d more", number) % number if number > 0 else ""


def ids_of(request: HttpRequest, object_id: int | None) -> list[int]:
    """The ids of the rows that are meant: the address names one, or the page brings several back. No others."""
    named = request.POST.get("ids", "") if object_id is None else str(object_id)
    found = (id_in(part) for part in named.split(",")[:LIMIT])
    return [pk for pk in found if pk is not None]
