"""The webhook address of an account, as it is entered at the provider, and the change of its secret."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, TypeVar

from django.contrib import admin, messages
from django.http import HttpRequest
from django.urls import NoReverseMatch, URLPattern, reverse
from django.utils import formats, timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from badges.admin.base import EMPTY, ProviderScreen, may_change
from badges.conf import get_config
from badges.exceptions import BadgesError
from badges.models import ProviderAccount
from badges.providers import registry
from badges.providers.webhooks import Webhooks

A = TypeVar("A", bound=ProviderAccount)
FIELDS = ("webhook_address", "webhook_steps", "former_secret")


class WebhookScreen(ProviderScreen[A]):
    """A screen of accounts whose providers call back."""

    class Media:
        js = ("badges/copy.js",)

    def get_urls(self) -> list[URLPattern]:
        return [
            self.button("new_webhook_secret", self._change_secret),
            self.button("end_former_secret", self._end_former),
            *super().get_urls(),
        ]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> A | None:
        account = super().get_object(request, object_id, from_field)
        if account is not None:
            vars(account)["base_address"] = get_config().public_url or request.build_absolute_uri("/")
            # The secret is as good as the right to change what is issued here.
            vars(account)["shows_secret"] = may_change(request.user, self.opts)
        return account

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        account: ProviderAccount | None = context.get("original")
        if account is not None:
            context["has_webhooks"] = webhooks_of(account) is not None
            context["has_former_secret"] = _former_until(account) is not None
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description=_("webhook"))
    def webhook_address(self, obj: ProviderAccount) -> str:
        """Where the provider is to call, with a button that copies it; where it signs, the secret too."""
        webhooks = webhooks_of(obj)
        if webhooks is None:
            return EMPTY
        if not vars(obj).get("shows_secret"):
            return gettext("Shown to those who may change this account.")
        try:
            secret = str(obj.webhook_secret)
            address = _address(obj, secret if webhooks.secret_in_address else "")
        except BadgesError as error:
            return str(error)
        rows = [(gettext("Address"), address)]
        if not webhooks.secret_in_address:
            rows.append((gettext("Secret"), secret))
        return format_html_join(
            "",
            '<div class="badges-copy"><span class="badges-copy-label">{}</span> <code>{}</code> '
            '<button type="button" data-badges-copy="{}" data-badges-copied="{}">{}</button></div>',
            ((label, value, value, gettext("Copied"), gettext("Copy")) for label, value in rows),
        )

    @admin.display(description=_("how to enter it"))
    def webhook_steps(self, obj: ProviderAccount) -> str:
        """What to do with it at the provider."""
        webhooks = webhooks_of(obj)
        if webhooks is None or not webhooks.setup_steps:
            return EMPTY
        steps = format_html_join("", "<li>{}</li>", ((step,) for step in webhooks.setup_steps))
        return format_html('<ol class="badges-steps">{}</ol>', steps)

    @admin.display(description=_("former secret"))
    def former_secret(self, obj: ProviderAccount) -> str:
        """Until when what comes with the former secret is let in."""
        until = _former_until(obj)
        if until is None:
            return EMPTY
        text = gettext("What comes with the former secret is let in until %(time)s.")
        return text % {"time": formats.date_format(timezone.localtime(until), "DATETIME_FORMAT")}

    def _change_secret(self, request: HttpRequest, account: A) -> None:
        valid_until = timezone.now() + timedelta(seconds=get_config().webhooks.rotation)
        try:
            account.rotate_webhook_secret(valid_until)
        except BadgesError:
            # The old one is lost with its encryption key; nothing can come with it any more.
            account.former_webhook_secret, account.former_webhook_secret_until = "", None
            account.renew_webhook_secret()
        account.save(
            update_fields=["webhook_secret", "former_webhook_secret", "former_webhook_secret_until", "modified"]
        )
        self.log_change(request, account, gettext("Changed the webhook secret."))
        text = gettext("There is a new webhook secret. Enter it at the provider; the former one works for a while yet.")
        self.message_user(request, text, messages.SUCCESS)

    def _end_former(self, request: HttpRequest, account: A) -> None:
        account.former_webhook_secret, account.former_webhook_secret_until = "", None
        account.save(update_fields=["former_webhook_secret", "former_webhook_secret_until", "modified"])
        self.log_change(request, account, gettext("Ended the former webhook secret."))
        self.message_user(request, gettext("The former webhook secret is not let in any more."), messages.SUCCESS)


def webhooks_of(account: ProviderAccount) -> type[Webhooks] | None:
    """How the account's provider calls back; None where it does not, or where its class cannot be loaded."""
    try:
        return registry.provider_class(account.provider).webhooks
    except BadgesError:
        return None


def _address(account: ProviderAccount, secret: str) -> str:
    base = str(vars(account).get("base_address", "")).rstrip("/")
    try:
        if secret:
            return base + reverse("badges:webhook-secret", args=[account.provider, account.pk, secret])
        return base + reverse("badges:webhook-account", args=[account.provider, account.pk])
    except NoReverseMatch as error:
        raise BadgesError(
            gettext("This project does not include badges.urls, so that no provider can call it. See the installation.")
        ) from error


def _former_until(account: ProviderAccount) -> Any:
    until = account.former_webhook_secret_until
    return until if until is not None and until > timezone.now() else None
