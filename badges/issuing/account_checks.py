"""Asking a provider whether an account works: by hand, and from time to time while it is stopped."""

from __future__ import annotations

from django.db.models import F
from django.utils import timezone

from badges.exceptions import describe
from badges.issuing import health
from badges.issuing.gate import calls_of
from badges.models import AccountHealth, ProviderAccount
from badges.providers import registry


def check(account: ProviderAccount, *, patience: float = 5.0) -> str:
    """Ask the provider whether an account works, and resume or stop it accordingly.

    Arguments:
        account: a stored account.
        patience: seconds that the call may wait for its turn below the account's ceiling.

    Returns:
        Why it does not work; empty if it does. A provider that is silent says nothing about a key.
    """
    try:
        with calls_of(account, patience=patience):
            registry.connect(account.as_data()).check_account()
    except Exception as error:  # noqa: BLE001 - the class may be somebody else's
        return describe(error)
    health.resume(account.pk)
    health.succeeded(account.pk, proves_key=False)
    return ""


def check_stopped() -> None:
    """Resume the stopped accounts whose key was changed, and check those whose time has come."""
    now = timezone.now()
    for row in AccountHealth.objects.filter(stopped_at__isnull=False).select_related("account"):
        if row.refused_key != health.fingerprint(row.account):
            health.resume(row.pk)
        elif row.next_check_at is None or row.next_check_at <= now:
            # Who still finds the row as it was read makes the check.
            mine = AccountHealth.objects.filter(pk=row.pk, next_check_at=row.next_check_at)
            if mine.update(next_check_at=now + health.until_check(row.stops + 1)) and check(row.account):
                AccountHealth.objects.filter(pk=row.pk, stopped_at__isnull=False).update(stops=F("stops") + 1)
