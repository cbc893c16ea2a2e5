"""The forms about applications: applying for a learner, reviewing, closing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from attrs import frozen
from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from badges.applications.errors import ApplicationRefused
from badges.applications.evidence import NewEvidence
from badges.applications.reviewing import Judgement
from badges.applications.sniffing import EXTENSIONS
from badges.conf import get_config
from badges.models import Application, BadgeTemplate, Criterion, Evidence
from badges.models.users import learner_by_email
from badges.privacy.people import named

WIDE = {"class": "badges-wide"}


class FilesInput(forms.ClearableFileInput):
    """Chooses any number of files."""

    allow_multiple_selected = True


class FilesField(forms.FileField):
    """Any number of files."""

    widget = FilesInput

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile[Any]]:
        chosen = data if isinstance(data, list | tuple) else [data] if data else []
        # What a file is, is found out by whoever takes evidence; an empty one is refused there, by its name.
        return [one for one in chosen if isinstance(one, UploadedFile)]


class EvidenceForm(forms.Form):
    """What is handed in, the first time or again."""

    required_css_class = "required"
    statement = forms.CharField(label=_("Statement"), required=False, widget=forms.Textarea(attrs={**WIDE, "rows": 4}))
    links = forms.CharField(
        label=_("Links"),
        required=False,
        widget=forms.Textarea(attrs={**WIDE, "rows": 3}),
        help_text=_("Evidence on the web: one address in each line."),
    )
    text = forms.CharField(
        label=_("Text"),
        required=False,
        widget=forms.Textarea(attrs={**WIDE, "rows": 4}),
        help_text=_("Evidence in words."),
    )
    # Not the files of the request, which forms have under this name once they are made.
    files: Any = FilesField(label=_("Files"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        settings = get_config().applications
        limit = int(settings.max_evidence)
        text = ngettext(
            "At most %(number)d piece of evidence in all. Files of up to %(size)d kB, of these types: %(types)s.",
            "At most %(number)d pieces of evidence in all. Files of up to %(size)d kB, of these types: %(types)s.",
            limit,
        )
        types = ", ".join(settings.file_types)
        self.fields["files"].help_text = text % {
            "number": limit,
            "size": int(settings.max_file // 1000),
            "types": types,
        }
        endings = [ending for media_type in settings.file_types for ending in EXTENSIONS.get(media_type, ())]
        self.fields["files"].widget.attrs["accept"] = ",".join([*settings.file_types, *endings])

    def evidence(self) -> list[NewEvidence]:
        """What is shown: links, the text, files."""
        links = [line.strip() for line in self.cleaned_data["links"].splitlines() if line.strip()]
        texts = [self.cleaned_data["text"]] if self.cleaned_data["text"].strip() else []
        return [
            *(NewEvidence(Evidence.Kind.LINK.value, url=link) for link in links),
            *(NewEvidence(Evidence.Kind.TEXT.value, text=text) for text in texts),
            *(NewEvidence(Evidence.Kind.FILE.value, file=file) for file in self.cleaned_data["files"]),
        ]

    def tell(self, error: ApplicationRefused) -> None:
        """Show why it was refused, beside the input that it is about; a piece of evidence is named."""
        if error.field in self.fields:
            self.add_error(error.field, str(error))
            return
        _, _, number = error.field.partition("evidence.")
        pieces = self.evidence()
        named = pieces[int(number)] if number.isdecimal() and int(number) < len(pieces) else None
        name = (named.url or (named.file.name if named.file is not None else "")) if named is not None else ""
        self.add_error(None, f"{name}: {error}" if name else str(error))


class ApplyForm(EvidenceForm):
    """An application for a learner."""

    field_order = ("template", "learner")
    template = forms.ModelChoiceField(label=_("Badge template"), queryset=BadgeTemplate.objects.none())
    learner = forms.CharField(label=_("Learner"), help_text=_("Username or e-mail address."), max_length=255)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        template: Any = self.fields["template"]
        template.queryset = BadgeTemplate.objects.filter(takes_applications=True, is_active=True).order_by("name", "pk")

    def clean_learner(self) -> Any:
        return learner_named(self.cleaned_data["learner"])


def learner_named(said: str) -> Any:
    """The active user whom somebody means.

    Arguments:
        said: a username or an e-mail address.

    Raises:
        ValidationError: there is none, or there are several: one's username may be another's address.
    """
    said = said.strip()
    meant = {user.pk: user for user in (named(said), learner_by_email(said)) if user is not None and user.is_active}
    if len(meant) != 1:
        text = gettext("There is no active user with this username or e-mail address, or more than one.")
        raise forms.ValidationError(text)
    return next(iter(meant.values()))


@frozen
class CriterionRow:
    """A criterion and the two inputs that belong to it."""

    criterion: Criterion
    is_satisfied: forms.BoundField
    comment: forms.BoundField


class ReviewForm(forms.Form):
    """A review: whether each criterion is satisfied, and words for the learner."""

    seen_at = forms.CharField(widget=forms.HiddenInput, required=False)
    comment = forms.CharField(
        label=_("Comment for the learner"), required=False, widget=forms.Textarea(attrs={**WIDE, "rows": 4})
    )

    def __init__(self, application: Application, *args: Any, **kwargs: Any) -> None:
        kwargs["initial"] = {"seen_at": application.submitted_at.isoformat()}
        super().__init__(*args, **kwargs)
        self.criteria: Sequence[Criterion] = list(application.template.review_criteria.all())
        for one in self.criteria:
            self.fields[f"satisfied_{one.pk}"] = forms.BooleanField(label=_("Satisfied"), required=False)
            self.fields[f"comment_{one.pk}"] = forms.CharField(
                label=_("Comment"), required=False, widget=forms.Textarea(attrs={**WIDE, "rows": 2})
            )

    def rows(self) -> Iterator[CriterionRow]:
        """The inputs, criterion by criterion."""
        for one in self.criteria:
            yield CriterionRow(one, self[f"satisfied_{one.pk}"], self[f"comment_{one.pk}"])

    def judgements(self) -> list[Judgement]:
        """What is said of each criterion."""
        said = self.cleaned_data
        return [Judgement(one.pk, said[f"satisfied_{one.pk}"], said[f"comment_{one.pk}"]) for one in self.criteria]

    def clean_seen_at(self) -> datetime:
        try:
            found = parse_datetime(self.cleaned_data["seen_at"])
        except ValueError:
            found = None
        if found is None or found.tzinfo is None:
            raise forms.ValidationError(gettext("Open the page of this application anew."))
        return found


class CloseForm(forms.Form):
    """Why an application is closed."""

    reason = forms.CharField(
        label=_("Reason"),
        widget=forms.Textarea(attrs={**WIDE, "rows": 2}),
        help_text=_("The learner reads it."),
        error_messages={"required": _("Enter a reason.")},
    )
