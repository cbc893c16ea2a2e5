"""Synchronizing templates from the admin: the action of the list and the button of the page."""

from __future__ import annotations

from typing import Any, TypeVar

from django.contrib import messages
from django.contrib.sites.shortcuts import get_current_site
from django.core.exceptions import ImproperlyConfigured, ObjectDoesNotExist
from django.db import models as orm
from django.http import HttpRequest
from django.urls import URLPattern
from django.utils.translation import gettext, ngettext

from badges.admin.base import ProviderScreen, defect_of
from badges.exceptions import BadgesError
from badges.issuing.sync.position import Overtaken, how_to_go_on
from badges.issuing.sync.report import Abandoned, InDoubt, LeftOut, News, PageReport, Resumed, Vanished
from badges.issuing.sync.run import sync_templates
from badges.models import ProviderAccount

A = TypeVar("A", bound=ProviderAccount)
SHOWN = 10


class SyncScreen(ProviderScreen[A]):
    """A screen of accounts whose templates can be synchronized."""

    change_form_template = "admin/badges/account_change_form.html"

    def get_urls(self) -> list[URLPattern]:
        return [self.button("sync", lambda request, account: self.synchronize(request, [account])), *super().get_urls()]

    def synchronize(self, request: HttpRequest, accounts: orm.QuerySet[A] | list[A]) -> None:
        """Synchronize accounts one after the other, and say what became of each."""
        for account in accounts:
            news = _Noted()
            try:
                report = sync_templates(account, site_id=_site_id(request), tell=news)
            except Exception as error:  # noqa: BLE001 - the class may be somebody else's; the others are still to be done
                text, level = f"{account.name}: {_failure(account, error)}", messages.ERROR
            else:
                self.log_change(request, account, gettext("Templates synchronized."))
                text, level = str(report), messages.SUCCESS
            if news.beginning:
                self.message_user(request, news.beginning, messages.INFO)
            self.message_user(request, text, level)
            self._tell_details(request, account, news)

    def _tell_details(self, request: HttpRequest, account: A, news: _Noted) -> None:
        for detail in news.details:
            self.message_user(request, f"{account.name}: {detail}", messages.WARNING)
        if news.more:
            text = ngettext("%(account)s: and %(rest)d more.", "%(account)s: and %(rest)d more.", news.more)
            self.message_user(request, text % {"account": account.name, "rest": news.more}, messages.WARNING)


class _Noted:
    """Notes what a synchronization tells and a page can show: how it began, and the first of what needs attention."""

    def __init__(self) -> None:
        self.beginning = ""
        self.details: list[str] = []
        self.more = 0

    def __call__(self, news: News) -> None:
        match news:
            case Resumed() | Abandoned():
                self.beginning = str(news)
            case Vanished() | LeftOut() | InDoubt() if len(self.details) < SHOWN:
                self.details.append(str(news))
            case Vanished() | LeftOut() | InDoubt():
                self.more += 1
            case PageReport():
                pass


def _failure(account: ProviderAccount, error: Exception) -> str:
    if isinstance(error, Overtaken):
        return str(error)
    text = str(error) if isinstance(error, BadgesError) else defect_of(error)
    return f"{text} {how_to_go_on(account)}".rstrip()


def _site_id(request: HttpRequest) -> int | None:
    try:
        site: Any = get_current_site(request)
        return int(site.pk)
    except (ObjectDoesNotExist, ImproperlyConfigured):
        return None
