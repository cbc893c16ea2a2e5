"""Data rules, inline on the page of their requirement or penalty: offered and checked for its event type."""

from __future__ import annotations

from typing import Any, TypeVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from badges.admin import key_paths
from badges.admin.generic import BaseInlineFormSet, ModelForm, StackedInline
from badges.conf import get_config
from badges.exceptions import BadgesError
from badges.models import BadgePenalty, BadgeRequirement, DataRule, PenaltyDataRule
from badges.rules.operators import Operator
from badges.rules.schema import event_schema

R = TypeVar("R", DataRule, PenaltyDataRule)
Owner = TypeVar("Owner", BadgeRequirement, BadgePenalty)


class ValueInput(forms.TextInput):
    """A text input followed by what the rule's key path expects; the script keeps it up to date."""

    hint = ""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        hint_id = f"{(attrs or {}).get('id', name)}_hint"
        described = {**(attrs or {}), "aria-describedby": hint_id}
        field = super().render(name, value, described, renderer)
        return format_html(
            '<div class="badges-value">{}<div class="badges-hint" id="{}" aria-live="polite">{}</div></div>',
            field,
            hint_id,
            self.hint,
        )


class RuleForm(ModelForm[R]):
    """One rule. The formset says for which event type."""

    data_path = forms.CharField(label=_("Key path"), widget=forms.Select(attrs={"data-badges-path": ""}))
    event_type = ""
    owner_is_stored = True

    class Meta:
        fields = ("data_path", "operator", "value")
        widgets = {"value": ValueInput(attrs={"class": "vTextField", "data-badges-value": ""})}

    def offer_paths_of(self, event_type: str) -> None:
        """Let the choice be among the key paths of this event type; of all where it is not known yet."""
        self.event_type = event_type
        current = str(self["data_path"].value() or "")
        path: Any = self.fields["data_path"].widget
        path.choices = key_paths.path_choices(event_type, current)
        value: Any = self.fields["value"].widget
        value.hint = key_paths.hint(event_type, current) if event_type and current else ""

    def clean_data_path(self) -> str:
        path = str(self.cleaned_data["data_path"])
        if path in get_config().ignored_keypaths and path != self.initial.get("data_path"):
            raise ValidationError(
                gettext('BADGES_CONFIG["rules"]["ignored_keypaths"] keeps "%(path)s" out of rules.') % {"path": path}
            )
        return path

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        # The model checks a rule whose owner is stored; here it may be new.
        if not self.errors and self.event_type and not self.owner_is_stored:
            try:
                self.instance.check_against(self.event_type)
            except ValidationError as error:
                self.add_error(None, error)


class RuleFormSet(BaseInlineFormSet[R, Owner, RuleForm[R]]):
    """All rules of one owner: each for the event type that the owner's own form says, and none against another."""

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        form.owner_is_stored = not self.instance._state.adding
        form.offer_paths_of(self.instance.event_type)

    def clean(self) -> None:
        super().clean()
        wanted: dict[str, Any] = {}
        unwanted: dict[str, list[Any]] = {}
        seen: set[tuple[str, str, str]] = set()
        for form in self.forms:
            if form.errors or form in self.deleted_forms or not form.cleaned_data.get("data_path"):
                continue
            data = form.cleaned_data
            # Case does not count: MySQL's unique constraint ignores it.
            same = (data["data_path"], data["operator"], data["value"].casefold())
            if same in seen:
                form.add_error("value", gettext("This rule is there already."))
                continue
            seen.add(same)
            self._check_contradiction(form, wanted, unwanted)

    def _check_contradiction(self, form: Any, wanted: dict[str, Any], unwanted: dict[str, list[Any]]) -> None:
        path = form.cleaned_data["data_path"]
        try:
            value = event_schema(self.instance.event_type).kind_of(path).read(form.cleaned_data["value"])
        except BadgesError:
            return
        if form.cleaned_data["operator"] == Operator.NE:
            unwanted.setdefault(path, []).append(value)
        elif path in wanted and wanted[path] != value:
            form.add_error(
                "value",
                gettext(
                    'All rules must match at once, and "%(path)s" cannot have two values. '
                    "For alternatives make two requirements of the same group."
                )
                % {"path": path},
            )
        elif path in wanted:
            form.add_error("value", gettext("This rule is there already."))
        else:
            wanted[path] = value
        if path in wanted and wanted[path] in unwanted.get(path, ()) and not form.errors:
            text = gettext('The rules want "%(path)s" to have this value and not to have it, so they never match.')
            form.add_error("value", text % {"path": path})


class _RuleInline(StackedInline[R, Owner]):
    form: Any = RuleForm
    formset: Any = RuleFormSet
    extra = 0
    fields = ("data_path", "operator", "value")
    verbose_name = _("data rule")
    verbose_name_plural = _("data rules: all of them must match")

    class Media:
        js = ("badges/rules.js",)


class DataRuleInline(_RuleInline[DataRule, BadgeRequirement]):
    """The rules of a requirement."""

    model = DataRule


class PenaltyDataRuleInline(_RuleInline[PenaltyDataRule, BadgePenalty]):
    """The rules of a penalty."""

    model = PenaltyDataRule


def rules_text(owner: BadgeRequirement | BadgePenalty) -> str:
    """The rules of an owner in one line."""
    rules = sorted(owner.rules.all(), key=lambda rule: rule.pk)
    return "; ".join(str(rule) for rule in rules) or gettext("none: every event of this type matches")
