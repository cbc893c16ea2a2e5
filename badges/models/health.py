"""What is known of how an account at a provider does: whether it may be called, and since when not."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from badges.models.accounts import ProviderAccount


class AccountHealth(models.Model):
    """One row an account, shared by all workers. Apart from the account, which holds a key and changes rarely.

    .. no_pii: Errors are redacted before they are stored.
    """

    account = models.OneToOneField(
        ProviderAccount, verbose_name=_("account"), on_delete=models.CASCADE, primary_key=True, related_name="health"
    )
    stopped_at = models.DateTimeField(_("stopped at"), null=True, blank=True)
    stop_reason = models.TextField(_("why it is stopped"), blank=True, default="")
    # Of the key that was refused; a keyed hash, from which the key cannot be had.
    refused_key = models.CharField(_("fingerprint of the refused key"), max_length=64, blank=True, default="")
    stops = models.PositiveIntegerField(_("stops in a row"), default=0)
    next_check_at = models.DateTimeField(_("next check at"), null=True, blank=True)
    failures = models.PositiveIntegerField(_("failures in a row"), default=0)
    paused_until = models.DateTimeField(_("paused until"), null=True, blank=True)
    # While one delivery tries an account after its rest; the worker of it may have been killed.
    probing_until = models.DateTimeField(_("being tried until"), null=True, blank=True)
    # The last time that a key was good for more than reading.
    proven_at = models.DateTimeField(_("key proven at"), null=True, blank=True)
    last_success_at = models.DateTimeField(_("last success at"), null=True, blank=True)
    last_error_at = models.DateTimeField(_("last error at"), null=True, blank=True)
    last_error = models.TextField(_("last error"), blank=True, default="")
    # Seconds since 1970, a number so that one statement can compute with it on every database.
    slots_used_until = models.FloatField(_("call slots used until"), default=0.0)

    class Meta:
        db_table = "badging_accounthealth"
        verbose_name = _("account health")
        verbose_name_plural = _("account health")

    def __str__(self) -> str:
        return str(self.account)


class TemplateSync(models.Model):
    """How far the synchronization of an account's templates is, so that one that failed goes on where it was.

    .. no_pii:
    """

    account = models.OneToOneField(
        ProviderAccount, verbose_name=_("account"), on_delete=models.CASCADE, primary_key=True, related_name="sync"
    )
    token = models.UUIDField(_("token"), default=uuid.uuid4)
    """Stands on each template that this synchronization has seen."""
    next_page = models.PositiveIntegerField(_("next page"), default=1)
    started_at = models.DateTimeField(_("started at"), default=timezone.now)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    last_error = models.TextField(_("last error"), blank=True, default="")

    class Meta:
        db_table = "badging_templatesync"
        verbose_name = _("template synchronization")
        verbose_name_plural = _("template synchronizations")

    def __str__(self) -> str:
        return str(self.account)
