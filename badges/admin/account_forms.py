"""The forms of provider accounts: the key goes in and never comes out, and the provider is asked before saving."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from badges.admin.base import defect_of, provider_choices
from badges.admin.generic import ModelForm
from badges.exceptions import BadgesError, ConfigurationError, ProviderAuthError, ProviderError, ProviderRejected
from badges.models import CredlyOrganization, ProviderAccount
from badges.providers import registry
from badges.rules.payload import storable_text


def organization_uuid(text: str) -> str:
    """The UUID of a Credly organization, as UUIDs are written.

    Raises:
        ValidationError: it is none.
    """
    try:
        return str(uuid.UUID(text))
    except ValueError as error:
        raise ValidationError(
            gettext("This is not a UUID. Credly shows the organization's at Developers. Example: %(example)s")
            % {"example": "628fcaa9-cfd3-4a9b-aa62-9973ac938ad6"}
        ) from error


def takes_client_id(slug: str) -> bool:
    """Whether an account of this provider may be an OAuth client; not where the provider is not known."""
    try:
        return registry.provider_class(slug).features.takes_client_credentials
    except BadgesError:
        return False


IDENTIFIERS: dict[str, Callable[[str], str]] = {CredlyOrganization.provider_slug: organization_uuid}
"""How the identifier of an account is read, of the providers that have a form for it."""


class AccountForm(ModelForm[ProviderAccount]):
    """An account of any provider.

    The key is no model field here: the stored one is not even decrypted to show the page.
    """

    new_key = forms.CharField(
        label=_("API key"),
        required=False,
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password", "class": "vTextField"}),
    )
    unchecked: str = ""
    """Why the provider could not be asked, once the form is valid."""
    known_as: str = ""
    """How the provider names the account."""

    class Meta:
        model = ProviderAccount
        fields = ("external_id", "name", "client_id")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "name" in self.fields:
            self.fields["name"].required = False
            self.fields["name"].help_text = _("Left empty, it becomes the name that the provider has for the account.")
        key, client = self.fields["new_key"], self.fields.get("client_id")
        if client is not None:
            client.help_text = _(
                "Only for an OAuth client: the API key is then the client's secret. Empty for an authorization token."
            )
            client.disabled = self.instance.has_preconfigured_key
        if self.instance.has_preconfigured_key:
            key.disabled = True
            key.help_text = _("This account's key comes from BADGES_CONFIG in the settings and is changed there.")
        elif self.instance.pk:
            key.help_text = _("The stored key is never shown. Leave this empty to keep it, or enter a new one.")
        else:
            key.help_text = _("It is stored encrypted and never shown again.")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        slug = self._provider()
        if slug:
            # Set now: the constraint of provider and identifier is validated with it, see below.
            self.instance.provider = slug
            if "external_id" in cleaned:
                self._clean_external_id(slug, cleaned)
            self._clean_key(slug, cleaned)
        return cleaned

    def entered_fields(self) -> list[str]:
        """The model fields that this form gives a new value, of an account that is there already."""
        fields = [name for name in ("external_id", "name", "client_id") if name in self.cleaned_data]
        return [*fields, *(["api_key"] if self.cleaned_data.get("new_key") else []), "modified"]

    def _provider(self) -> str:
        fixed: str = getattr(self._meta.model, "provider_slug", "")
        return fixed or self.cleaned_data.get("provider", "") or self.instance.provider

    def _clean_external_id(self, slug: str, cleaned: dict[str, Any]) -> None:
        external_id = (cleaned["external_id"] or "").strip()
        try:
            is_required = registry.provider_class(slug).features.account_has_external_id
            preconfigured = registry.provider_settings(slug).preconfigured_keys
        except BadgesError as error:
            self.add_error(None, str(error))
            return
        if not external_id and is_required:
            self.add_error("external_id", _("This provider knows an account by an identifier. Enter it."))
            return
        if external_id and external_id.lower() not in preconfigured and slug in IDENTIFIERS:
            try:
                external_id = IDENTIFIERS[slug](external_id)
            except ValidationError as error:
                self.add_error("external_id", error)
                return
        cleaned["external_id"] = external_id or None

    def _clean_key(self, slug: str, cleaned: dict[str, Any]) -> None:
        entered = cleaned.get("new_key", "")
        external_id = cleaned.get("external_id", self.instance.external_id)
        candidate = ProviderAccount(provider=slug, external_id=external_id)
        has_key = bool(self.instance.pk) or candidate.has_preconfigured_key
        if not entered and not has_key and "external_id" not in self.errors:
            self.add_error("new_key", _("Enter the key that the provider gave for this account."))
        if entered:
            self.instance.api_key = entered

    def _get_validation_exclusions(self) -> set[str]:
        # The provider is set by clean(), not by a field; excluded, it would switch the unique constraint off.
        excluded: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return excluded - {"provider"} if self.instance.provider else excluded

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if not self.errors:
            self._ask_provider()
        if self.errors and self.cleaned_data.get("new_key") and "new_key" not in self.errors:
            # The page comes back with an empty field, and saved like that the old key would stay.
            self.add_error("new_key", _("Enter the key again: it is not kept while something else is wrong."))

    def _ask_provider(self) -> None:
        """Check the account. A refusal is an error; silence is a warning, for it says nothing of the account."""
        try:
            self.known_as = storable_text(registry.connect(self.instance.as_data()).check_account().name)
        except (ProviderAuthError, ProviderRejected, ConfigurationError) as error:
            self.add_error(None, str(error))
            return
        except ProviderError as error:
            self.unchecked = str(error)
        except Exception as error:  # noqa: BLE001 - the class may be somebody else's; its defect must not end in a 500
            self.unchecked = defect_of(error)
        if not self.instance.name:
            self.instance.name = self.known_as[:255]
        if not self.instance.name:
            self.add_error("name", _("The provider did not say a name for this account. Enter one."))


class AnyAccountForm(AccountForm):
    """An account whose provider is chosen among the registered ones."""

    provider = forms.ChoiceField(label=_("Provider"), choices=provider_choices)


class CredlyOrganizationForm(AccountForm):
    """An organization at Credly."""

    class Meta(AccountForm.Meta):
        labels: ClassVar[dict[str, Any]] = {"external_id": _("Organization UUID")}
        widgets: ClassVar[dict[str, Any]] = {"external_id": forms.TextInput(attrs={"class": "badges-wide"})}
