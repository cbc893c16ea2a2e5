"""Synchronizing templates from the admin: the action of the list and the button of the page."""

from __future__ import annotations

from typing import Any, TypeVar

from django.contrib import messages
from django.contrib.sites.shortcuts import get_current_site
from django.core.exceptions import ImproperlyConfigured, ObjectDoesNotExist, PermissionDenied
from django.db import models as orm
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext, ngettext

from badges.admin.base import Screen, defect_of
from badges.exceptions import BadgesError
from badges.issuing.template_sync import SyncReport, sync_templates
from badges.models import ProviderAccount

A = TypeVar("A", bound=ProviderAccount)
SHOWN = 10


class SyncScreen(Screen[A]):
    """A screen of accounts whose templates can be synchronized."""

    change_form_template = "admin/badges/account_change_form.html"

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_sync"
        view = self.admin_site.admin_view(self.sync_view)
        return [path("<path:object_id>/sync/", view, name=name), *super().get_urls()]

    def sync_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Synchronize one account; POST only."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        account = self.get_object(request, object_id)
        if not self.has_change_permission(request, account):
            raise PermissionDenied
        if account is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined, no-any-return]
        self.synchronize(request, [account])
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
        return HttpResponseRedirect(reverse(name, args=[account.pk]))

    def synchronize(self, request: HttpRequest, accounts: orm.QuerySet[A] | list[A]) -> None:
        """Synchronize accounts one after the other, and say what became of each."""
        for account in accounts:
            try:
                report = sync_templates(account, site_id=_site_id(request))
            except BadgesError as error:
                self.message_user(request, f"{account.name}: {error}", messages.ERROR)
            except Exception as error:  # noqa: BLE001 - the class may be somebody else's; the others are still to be done
                self.message_user(request, f"{account.name}: {defect_of(error)}", messages.ERROR)
            else:
                self.log_change(request, account, gettext("Templates synchronized."))
                self._tell(request, report)

    def _tell(self, request: HttpRequest, report: SyncReport) -> None:
        self.message_user(request, str(report), messages.SUCCESS)
        details: list[Any] = [*report.vanished, *report.skipped]
        for detail in details[:SHOWN]:
            self.message_user(request, f"{report.account}: {detail}", messages.WARNING)
        if len(details) > SHOWN:
            rest = len(details) - SHOWN
            text = ngettext("%(account)s: and %(rest)d more.", "%(account)s: and %(rest)d more.", rest)
            self.message_user(request, text % {"account": report.account, "rest": rest}, messages.WARNING)


def _site_id(request: HttpRequest) -> int | None:
    try:
        site: Any = get_current_site(request)
        return int(site.pk)
    except (ObjectDoesNotExist, ImproperlyConfigured):
        return None
