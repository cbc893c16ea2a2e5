"""The forms of requirements and penalties: the event type is a choice of the configured ones."""

from __future__ import annotations

from typing import Any, TypeVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from badges.admin.generic import ModelForm, ModelMultipleChoiceField
from badges.admin.key_paths import event_choices
from badges.models import BadgePenalty, BadgeRequirement, BadgeTemplate, DataRule, PenaltyDataRule

Owner = TypeVar("Owner", BadgeRequirement, BadgePenalty)
GROUPS_LIST = "badges-groups"
SUGGESTED_GROUPS = ("A", "B", "C")


def group_suggestions(template: BadgeTemplate | None) -> list[str]:
    """The groups of a template, and the letters that operators are used to."""
    used = template.requirements.order_by().values_list("group", flat=True) if template and template.pk else ()
    return sorted({*SUGGESTED_GROUPS, *used} - {""})


class EventForm(ModelForm[Owner]):
    """What requirements and penalties share."""

    event_type = forms.ChoiceField(label=_("Event type"), choices=event_choices)
    rules_are_on_the_page = False
    """Whether the rules can be changed together with the event type; their own formset checks them then."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "event_type" in self.fields and self.instance.event_type:
            current = self.instance.event_type
            field: Any = self.fields["event_type"]
            field.choices = event_choices(current)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if "event_type" in self.changed_data and cleaned.get("event_type") and not self.instance._state.adding:
            self._check_stored_rules(cleaned["event_type"])
        return cleaned

    def _check_stored_rules(self, event_type: str) -> None:
        """Refuse an event type that the stored rules cannot have, where they are not changed together with it."""
        if self.rules_are_on_the_page:
            return
        rules: list[DataRule | PenaltyDataRule] = list(self.instance.rules.all())
        for rule in rules:
            try:
                rule.check_against(event_type)
            except ValidationError as error:
                text = gettext('The rule "%(rule)s" does not fit this event type: %(reason)s')
                self.add_error("event_type", text % {"rule": rule, "reason": " ".join(error.messages)})


class RequirementForm(EventForm[BadgeRequirement]):
    """A requirement; the group is free text with suggestions."""

    class Meta:
        model = BadgeRequirement
        fields = ("event_type", "group", "description")
        widgets = {
            "group": forms.TextInput(attrs={"list": GROUPS_LIST, "size": 8, "autocomplete": "off"}),
            "description": forms.Textarea(attrs={"rows": 2, "cols": 30}),
        }


class RequirementsField(ModelMultipleChoiceField[BadgeRequirement]):
    """The requirements that a penalty resets."""

    def label_from_instance(self, obj: BadgeRequirement) -> str:
        return f"{obj.group}: {obj}" if obj.group else str(obj)


class PenaltyForm(EventForm[BadgePenalty]):
    """A penalty; it resets requirements of its own template and of no other."""

    requirements = RequirementsField(
        label=_("Requirements that it resets"),
        queryset=BadgeRequirement.objects.none(),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": _("A penalty resets requirements of its own badge template only.")},
    )

    class Meta:
        model = BadgePenalty
        fields = ("event_type", "requirements", "description")
        widgets = {"description": forms.Textarea(attrs={"rows": 2, "cols": 30})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "requirements" in self.fields:
            self.offer_requirements_of(self.instance.template_id)

    def offer_requirements_of(self, template_id: int | None) -> None:
        """Let the choice be among the requirements of this template."""
        field: Any = self.fields["requirements"]
        field.queryset = BadgeRequirement.objects.filter(template=template_id)

    def _save_m2m(self) -> None:
        # The same page may just have deleted one of them.
        if "requirements" in self.cleaned_data:
            self.cleaned_data["requirements"] = self.cleaned_data["requirements"].all()
        super()._save_m2m()  # type: ignore[misc]
