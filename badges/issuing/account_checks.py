"""Asking a provider whether an account works: by hand, and from time to time while it is stopped."""

from __future__ import annotations

import logging

from django.db import Error
from django.db.models import F
from django.utils import timezone

from badges.exceptions import CeilingReached, describe
from badges.issuing import health
from badges.issuing.gate import calls_of
from badges.models import AccountHealth, ProviderAccount
from badges.providers import registry

logger = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds that a check may wait for its turn below the account's ceiling."""


def check(account: ProviderAccount) -> str:
    """Ask the provider whether an account works, and resume or stop it accordingly.

    Arguments:
        account: a stored account.

    Returns:
        Why it does not work; empty if it does. A provider that is silent says nothing about a key.
    """
    try:
        _ask(account)
    except Exception as error:  # noqa: BLE001 - the class may be somebody else's
        return describe(error)
    return ""


def _ask(account: ProviderAccount) -> None:
    with calls_of(account, patience=PATIENCE):
        registry.connect(account.as_data()).check_account()
    health.read(account.pk)
    if not health.resume(account.pk):
        health.forget([account.pk])


def check_stopped() -> None:
    """Check the stopped accounts whose key was changed, and those whose time has come; resume those that work."""
    for row in AccountHealth.objects.filter(stopped_at__isnull=False).select_related("account"):
        try:
            _check_stopped(row)
        except Error:
            raise
        except Exception as error:  # noqa: BLE001 - one account must not keep the others from being worked on
            logger.warning('The account "%s" could not be checked: %s', row.account.name, describe(error))


def _check_stopped(row: AccountHealth) -> None:
    now, key = timezone.now(), health.fingerprint(row.account)
    is_new = row.refused_key != key
    if not is_new and row.next_check_at is not None and row.next_check_at > now:
        return
    # Who still finds the row as it was read makes the check.
    as_read = AccountHealth.objects.filter(
        pk=row.pk, refused_key=row.refused_key, next_check_at=row.next_check_at, stopped_at__isnull=False
    )
    if not as_read.update(refused_key=key, next_check_at=now + health.until_check(1 if is_new else row.stops + 1)):
        return
    still_stopped = AccountHealth.objects.filter(pk=row.pk, stopped_at__isnull=False)
    try:
        _ask(row.account)
    except CeilingReached:
        # The provider was not asked, so the check is still to be made.
        still_stopped.update(next_check_at=now)
    except Exception:  # noqa: BLE001 - the class may be somebody else's; what it raised is on the account by now
        still_stopped.update(stops=F("stops") + 1)
