"""The form of a callback endpoint: its address is checked, and its secret goes in and comes out on request only."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from badges.admin.generic import ModelForm
from badges.exceptions import ConfigurationError
from badges.issuing import callback_addresses
from badges.issuing.callback_signing import headers
from badges.models import CallbackEndpoint

SHORTEST_SECRET = 8
LONGEST_SECRET = 500
ACTIONS = ("sends_awards", "sends_revocations", "sends_reviews")


class CallbackEndpointForm(ModelForm[CallbackEndpoint]):
    """An endpoint. The stored secret is not even decrypted to show the page."""

    url = forms.URLField(
        label=_("Address"),
        max_length=1000,
        assume_scheme="https",
        widget=forms.URLInput(attrs={"class": "vURLField"}),
        help_text=_("HTTPS only, and no address of this network."),
    )
    new_secret = forms.CharField(
        label=_("Secret"),
        required=False,
        min_length=SHORTEST_SECRET,
        max_length=LONGEST_SECRET,
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password", "class": "vTextField"}),
    )

    class Meta:
        model = CallbackEndpoint
        fields = ("name", "url", *ACTIONS, "is_active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "new_secret" not in self.fields:
            return
        self.fields["new_secret"].help_text = (
            _("Leave this empty to keep the stored secret, or enter the one that the receiver gave.")
            if self.instance.pk
            else _("Leave this empty for a new one, to be shown on request, or enter the one that the receiver gave.")
        )

    def clean_url(self) -> str:
        """The address, if it is one that callbacks may go to."""
        url: str = self.cleaned_data["url"]
        if reason := callback_addresses.defect(url):
            raise ValidationError(reason)
        return url

    def clean_new_secret(self) -> str:
        """The secret, if messages can be signed with it."""
        secret: str = self.cleaned_data["new_secret"]
        if secret:
            try:
                headers(secret=secret, url="https://x/", body=b"", message_id="x", now=timezone.now())
            except ConfigurationError:
                raise ValidationError(
                    _(
                        'Messages cannot be signed with this: it is a key of another kind, or begins with "whsec_" '
                        "and is not base64 behind that."
                    )
                ) from None
        return secret

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not any(cleaned.get(name) for name in ACTIONS):
            self.add_error(None, _("Choose what the endpoint is told of: awards, revocations or reviews."))
        if secret := cleaned.get("new_secret"):
            self.instance.secret = secret
        return cleaned

    def entered_fields(self) -> list[str]:
        """The model fields that this form gives a new value, of an endpoint that is there already."""
        return [
            "name",
            "url",
            *ACTIONS,
            "is_active",
            *(["secret"] if self.cleaned_data.get("new_secret") else []),
            "modified",
        ]

    @property
    def leads_elsewhere(self) -> bool:
        """Whether what was wrong with sending may be over with what was entered."""
        return bool({"url", "new_secret", "is_active"} & set(self.changed_data))
