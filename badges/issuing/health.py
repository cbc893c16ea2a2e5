"""How the accounts at providers do: stopped when their key is refused, resting when calls fail in a row.

One row an account, changed by single statements, so that any number of workers share what one of them learned.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

from attrs import frozen
from django.db.models import F, Q
from django.utils import timezone
from django.utils.crypto import salted_hmac

from badges.conf import get_config
from badges.exceptions import (
    AccountUnusable,
    BadgesError,
    CeilingReached,
    ProviderAuthError,
    ProviderError,
    ProviderRateLimited,
    ProviderRejected,
    describe,
)
from badges.issuing.retry import rate_limit_pause, resting_time
from badges.models import AccountHealth, Delivery, ProviderAccount
from badges.providers import registry

logger = logging.getLogger(__name__)

SUCCESS_IS_WRITTEN_EVERY = timedelta(seconds=10)
"""So that a row that all workers share is not written by each of their calls."""
LONGEST_ERROR = 1000


@frozen
class Blocked:
    """An account that must not be called now."""

    until: datetime | None
    """When it may be tried again; None where only a person, or a check that passes, opens it."""
    reason: str


@frozen
class Probe:
    """The one call that tries an account after its rest."""

    account_id: int
    ends: datetime
    """When another worker makes the next one: the worker of this one may have been killed."""


def of(account_id: int) -> AccountHealth:
    """The health of an account; its row is made where there is none."""
    health = AccountHealth.objects.filter(account_id=account_id).first()
    return health or AccountHealth.objects.get_or_create(account_id=account_id)[0]


def admission(account: ProviderAccount) -> Blocked | Probe | None:
    """Whether an account may be called now: freely (None), as the one probe after its rest, or not at all."""
    health, now = of(account.pk), timezone.now()
    if health.stopped_at is not None:
        if health.refused_key == fingerprint(account):
            return Blocked(None, health.stop_reason)
        resume(account.pk)
        return None
    if health.paused_until is None:
        return None
    if health.paused_until > now:
        return Blocked(health.paused_until, health.last_error)
    # Who still finds the row as it was read makes the probe; the others wait for what comes of it.
    ends = now + timedelta(seconds=get_config().deliveries.lease)
    won = AccountHealth.objects.filter(pk=account.pk, paused_until=health.paused_until).update(paused_until=ends)
    return Probe(account.pk, ends) if won else Blocked(ends, health.last_error)


def give_back(probe: Probe) -> None:
    """A probe came to no call: the next worker makes it."""
    AccountHealth.objects.filter(pk=probe.account_id, paused_until=probe.ends).update(paused_until=timezone.now())


def fingerprint(account: ProviderAccount) -> str:
    """A keyed hash of the key in use, to see that it was changed; of what is stored where it cannot be read."""
    try:
        used = registry.effective(account.as_data())
        text = f"{used.client_id}:{used.api_key}"
    except BadgesError:
        stored = account._meta.get_field("api_key").pre_save(account, add=False)
        text = f"unreadable:{account.client_id}:{stored}"
    return salted_hmac("badges.issuing.health", text, algorithm="sha256").hexdigest()


def succeeded(account_id: int, began: datetime | None = None, *, proves_key: bool = True) -> None:
    """The provider did what it was asked, or refused it as one that is well.

    Arguments:
        account_id: the account.
        began: when the call was begun (aware; now, if not given). What failed later is newer news: its pause stays.
        proves_key: whether the key was good for more than reading. A key that may only read passes every check.
    """
    now = timezone.now()
    known = AccountHealth.objects.filter(pk=account_id)
    without_newer_failure = Q(last_error_at__isnull=True) | Q(last_error_at__lte=began or now)
    troubled = Q(failures__gt=0) | Q(paused_until__isnull=False)
    is_old = Q(last_success_at__isnull=True) | Q(last_success_at__lt=now - SUCCESS_IS_WRITTEN_EVERY)
    if not known.filter(without_newer_failure, troubled).update(failures=0, paused_until=None, last_success_at=now):
        known.filter(is_old).update(last_success_at=now)
    if proves_key:
        known.filter(stops__gt=0, stopped_at__isnull=True).update(stops=0)


def failed(account: ProviderAccount, error: Exception, began: datetime | None = None) -> None:
    """Learn from a failed call: stop the account, let it rest, or see that the provider is well.

    Arguments:
        account: a stored account.
        error: what its calls raised.
        began: when the first of them was begun (aware; now, if not given).
    """
    if isinstance(error, CeilingReached):
        return
    if isinstance(error, ProviderAuthError | AccountUnusable):
        stop(account, describe(error))
    elif isinstance(error, ProviderRejected):
        succeeded(account.pk, began, proves_key=False)
    elif isinstance(error, ProviderRateLimited):
        _rest(account, error, timezone.now() + rate_limit_pause(error, get_config().deliveries))
    elif isinstance(error, ProviderError):
        _count_failure(account, error)


def stop(account: ProviderAccount, reason: str) -> None:
    """Stop all work on an account, until its key is changed or a check passes. Its deliveries wait."""
    now, row = timezone.now(), of(account.pk)
    pause = until_check(row.stops + 1)
    stopped = AccountHealth.objects.filter(pk=account.pk, stopped_at__isnull=True).update(
        stopped_at=now,
        stop_reason=reason[:LONGEST_ERROR],
        refused_key=fingerprint(account),
        stops=F("stops") + 1,
        next_check_at=now + pause,
        paused_until=None,
        failures=0,
        last_error_at=now,
        last_error=reason[:LONGEST_ERROR],
    )
    if stopped:
        logger.error(
            'The %s account "%s" is stopped, and its deliveries wait: %s They go on by themselves when its key is '
            "changed or works again.",
            account.provider,
            account.name,
            reason,
            extra={"action": "account_stopped", "account": account.pk},
        )


def resume(account_id: int) -> bool:
    """Let a stopped account work again.

    What waited for it begins a new row of attempts: the time of the stop counts against nothing.

    Returns:
        False where it was not stopped.
    """
    now = timezone.now()
    resumed = AccountHealth.objects.filter(pk=account_id, stopped_at__isnull=False).update(
        stopped_at=None, stop_reason="", refused_key="", next_check_at=None, paused_until=None, failures=0
    )
    if not resumed:
        return False
    Delivery.objects.filter(
        badge__template__account_id=account_id,
        action__in=(Delivery.Action.ISSUE, Delivery.Action.REVOKE),
        status=Delivery.Status.PENDING,
    ).update(failures=0, give_up_at=None, next_attempt_at=now)
    name = ProviderAccount.objects.values_list("name", flat=True).get(pk=account_id)
    logger.warning(
        'The account "%s" is tried again, and its deliveries go on.',
        name,
        extra={"action": "account_resumed", "account": account_id},
    )
    return True


def until_check(times: int) -> timedelta:
    """How long after its ``times``-th stop or failed check in a row a stopped account is checked."""
    config = get_config().deliveries
    return resting_time(times, first=config.check_stopped, longest=config.longest_retry)


def blocked_accounts(now: datetime | None = None) -> list[int]:
    """The ids of the accounts that must not be called now: stopped, or resting."""
    blocked = Q(stopped_at__isnull=False) | Q(paused_until__gt=now or timezone.now())
    return list(AccountHealth.objects.filter(blocked).values_list("pk", flat=True))


def forget(account_ids: Iterable[int]) -> None:
    """Let accounts be tried at once that rest: somebody wants their deliveries retried now."""
    AccountHealth.objects.filter(pk__in=account_ids, stopped_at__isnull=True).update(paused_until=None)


def _rest(account: ProviderAccount, error: Exception, until: datetime) -> None:
    AccountHealth.objects.filter(pk=of(account.pk).pk).update(
        paused_until=until, last_error_at=timezone.now(), last_error=describe(error)[:LONGEST_ERROR]
    )


def _count_failure(account: ProviderAccount, error: Exception) -> None:
    config, now, row = get_config().deliveries, timezone.now(), AccountHealth.objects.filter(pk=of(account.pk).pk)
    row.update(failures=F("failures") + 1, last_error_at=now, last_error=describe(error)[:LONGEST_ERROR])
    failures = row.values_list("failures", flat=True).get()
    rows_of_failures = failures - int(config.failures) + 1
    if rows_of_failures < 1:
        return
    until = now + resting_time(rows_of_failures, first=config.pause, longest=config.longest_pause)
    row.update(paused_until=until)
    logger.warning(
        'The %s account "%s" rests until %s after %d failures in a row; then one delivery tries: %s',
        account.provider,
        account.name,
        until.isoformat(timespec="seconds"),
        failures,
        describe(error),
        extra={"action": "account_rests", "account": account.pk},
    )
