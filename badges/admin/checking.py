"""Checking accounts from the admin: the action of the list and the button of the page."""

from __future__ import annotations

from typing import Any, TypeVar

from django.contrib import admin, messages
from django.db import models as orm
from django.http import HttpRequest
from django.urls import URLPattern
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from badges.admin.account_webhooks import WebhookScreen
from badges.admin.syncing import SyncScreen
from badges.issuing.account_checks import check
from badges.issuing.summary import health_of, queues
from badges.models import ProviderAccount

A = TypeVar("A", bound=ProviderAccount)


class CheckScreen(WebhookScreen[A], SyncScreen[A]):
    """A screen of accounts that can be checked at the provider."""

    def get_urls(self) -> list[URLPattern]:
        return [self.button("check", self._check), *super().get_urls()]

    @admin.action(description=_("Check now"), permissions=["change"])
    def check_now(self, request: HttpRequest, queryset: orm.QuerySet[A]) -> None:
        for account in queryset:
            self._check(request, account)

    def _check(self, request: HttpRequest, account: Any) -> None:
        before = health_of(account)
        if reason := check(account):
            text = gettext("%(account)s does not work: %(reason)s")
            self.message_user(request, text % {"account": account, "reason": reason}, messages.ERROR)
            return
        self.message_user(request, gettext("%(account)s works.") % {"account": account}, messages.SUCCESS)
        if before is not None and before.stopped_at is not None:
            self.log_change(request, account, gettext("Checked, and resumed."))
            self.tell_resumed(request, account)

    def tell_resumed(self, request: HttpRequest, account: Any) -> None:
        """Say what becomes of what waited for an account that works again."""
        queue = queues([account.pk]).get(account.pk)
        if queue is not None and queue.waiting:
            text = ngettext(
                "%(account)s goes on: %(number)d waiting delivery is due now, and the next run of deliver_badges takes "
                "it up.",
                "%(account)s goes on: %(number)d waiting deliveries are due now, and the next run of deliver_badges "
                "takes them up.",
                queue.waiting,
            )
            self.message_user(request, text % {"account": account, "number": queue.waiting}, messages.INFO)
