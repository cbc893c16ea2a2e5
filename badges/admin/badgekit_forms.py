"""The form of a BadgeKit system: one may only tell us of its badges, and then needs no key."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from badges.admin.account_forms import AccountForm
from badges.conf import get_config
from badges.exceptions import BadgesError
from badges.models import BadgeKitSystem
from badges.providers.badgekit.client import MASTER

SECRETS = ("webhook_secret", "former_webhook_secret", "former_webhook_secret_until")


class BadgeKitSystemForm(AccountForm):
    """A system at a BadgeKit API."""

    own_webhook_secret = forms.CharField(
        label=_("Secret of its webhook"),
        required=False,
        max_length=255,
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password", "class": "vTextField"}),
        help_text=_(
            "Only where BadgeKit's own operator has chosen it: what stands in its table of webhooks. Left empty, the "
            "stored one stays; a new system gets one that is made up here, which is then to be entered at BadgeKit."
        ),
    )

    class Meta:
        model = BadgeKitSystem
        fields = ("external_id", "name", "client_id", "is_issuing")
        labels: ClassVar[dict[str, Any]] = {
            "external_id": _("Slug of the system"),
            "client_id": _("Name of the API key"),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if (name := self.fields.get("client_id")) is not None:
            name.help_text = _('Left empty, it is "%(name)s", the key that may do everything.') % {"name": MASTER}
            name.disabled = False

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if secret := cleaned.get("own_webhook_secret", ""):
            self._take(secret)
        return cleaned

    def entered_fields(self) -> list[str]:
        secrets = SECRETS if self.cleaned_data.get("own_webhook_secret") else ()
        return [*super().entered_fields(), "is_issuing", *secrets]

    def _take(self, secret: str) -> None:
        until = timezone.now() + timedelta(seconds=get_config().webhooks.rotation)
        try:
            if self.instance.pk:
                self.instance.rotate_webhook_secret(until, secret)
                return
        except BadgesError:
            # The former one is lost with its encryption key; nothing can come with it any more.
            self.instance.former_webhook_secret, self.instance.former_webhook_secret_until = "", None
        self.instance.webhook_secret = secret

    def _clean_key(self, slug: str, cleaned: dict[str, Any]) -> None:
        if cleaned.get("is_issuing") or cleaned.get("new_key"):
            super()._clean_key(slug, cleaned)

    def _ask_provider(self) -> None:
        if not self.instance.only_tells:
            super()._ask_provider()
        elif not self.instance.name:
            self.add_error("name", _("Enter a name: without a key, the system is not asked for its own."))
