"""What the pages share on which staff discard something, with a reason."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

LIMIT = 5000
"""So many are discarded at once; somebody waits for the page."""
LONGEST_REASON = 500


class IdsForm(forms.Form):
    """What a page between brings back: the ids of the rows that it named."""

    ids = forms.CharField(widget=forms.HiddenInput)


class DiscardForm(IdsForm):
    """Why they are discarded."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 3, "class": "badges-wide"}),
        help_text=_("It is kept with the events and in the history of changes. Name no learner."),
        error_messages={"required": _("Enter a reason: whoever looks at this later will want to know.")},
    )


def ids_of(text: str) -> list[int]:
    """The ids that came back with a page. What is none is left out."""
    parts = text.split(",")[:LIMIT]
    return [int(part) for part in parts if part.isascii() and part.isdecimal() and len(part) < 19]
