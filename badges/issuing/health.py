"""How the accounts at providers do: stopped when their key is refused, resting when calls fail in a row.

One row an account, changed by conditional statements, so that any number of workers share what one of them learned.
Locks are taken in one order: badge, deliveries by id, account.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

from attrs import frozen
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.crypto import salted_hmac

from badges.conf import get_config
from badges.exceptions import (
    AccountUnusable,
    BadgesError,
    CeilingReached,
    NotSent,
    NotShown,
    ProviderAuthError,
    ProviderError,
    ProviderRateLimited,
    ProviderRejected,
    RefusedAlone,
    UnknownProvider,
    describe,
)
from badges.issuing.retry import rate_limit_pause, resting_time
from badges.models import AccountHealth, Delivery, DeliveryAttempt, ProviderAccount
from badges.providers import registry

logger = logging.getLogger(__name__)

SUCCESS_IS_WRITTEN_EVERY = timedelta(seconds=10)
"""So that a row that all workers share is not written by each of their calls."""
LONGEST_ERROR = 1000
AT_ONCE = 500
"""So many deliveries are changed by one statement: databases limit how long one may be."""
STOPS = (ProviderAuthError, AccountUnusable, UnknownProvider)
"""Errors with which nothing works on an account, until a person does something."""


class Admission(enum.Enum):
    """Whether an account may be called."""

    FREE = "free"
    BLOCKED = "blocked"


@frozen
class Probe:
    """The one call that tries an account after its rest."""

    account_id: int
    paused_until: datetime
    """The end of the rest after which it tries. It ends this rest, and none that began meanwhile."""
    ends: datetime
    """When another worker makes the next one: the worker of this one may have been killed."""


def as_sentence(text: str) -> str:
    """A text with its full stop, so that another sentence can follow. A provider's own words often lack it."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


def of(account_id: int) -> AccountHealth:
    """The health of an account; its row is made where there is none."""
    health = AccountHealth.objects.filter(account_id=account_id).first()
    return health or AccountHealth.objects.get_or_create(account_id=account_id)[0]


def admission(account: ProviderAccount) -> Admission | Probe:
    """Whether an account may be called now: freely, not at all, or as the one probe after its rest."""
    health, now = of(account.pk), timezone.now()
    if health.stopped_at is not None:
        return Admission.BLOCKED
    if health.paused_until is None:
        return Admission.FREE
    if health.paused_until > now or (health.probing_until is not None and health.probing_until > now):
        return Admission.BLOCKED
    # Who still finds the row as it was read makes the probe; the others wait for what comes of it.
    ends = now + timedelta(seconds=get_config().deliveries.lease)
    as_read = AccountHealth.objects.filter(
        pk=account.pk, paused_until=health.paused_until, probing_until=health.probing_until
    )
    won = as_read.update(probing_until=ends)
    return Probe(account.pk, health.paused_until, ends) if won else Admission.BLOCKED


def give_back(probe: Probe) -> None:
    """A probe is over. Where it told nothing of how the provider does, the next worker makes another one."""
    AccountHealth.objects.filter(pk=probe.account_id, probing_until=probe.ends).update(probing_until=None)


def fingerprint(account: ProviderAccount) -> str:
    """A keyed hash of what an account is called with, to see that it was changed; as stored where it is unreadable."""
    try:
        used = registry.effective(account.as_data())
        parts = (used.client_id, used.api_key, registry.provider_settings(account.provider).api_base_url)
    except BadgesError:
        parts = ("unreadable", account.client_id, account._meta.get_field("api_key").pre_save(account, add=False))
    return salted_hmac("badges.issuing.health", repr((account.external_id, parts)), algorithm="sha256").hexdigest()


def succeeded(account_id: int, probe: Probe | None = None) -> None:
    """A delivery was carried out, so the key is good for more than reading.

    Arguments:
        account_id: the account.
        probe: the probe that it was, if it was one.
    """
    now = timezone.now()
    is_old = Q(proven_at__isnull=True) | Q(proven_at__lt=now - SUCCESS_IS_WRITTEN_EVERY) | Q(stops__gt=0)
    known = AccountHealth.objects.filter(is_old, pk=account_id, stopped_at__isnull=True)
    known.update(proven_at=now, last_success_at=now, stops=0)
    _well(account_id, probe)


def read(account_id: int) -> None:
    """The provider answered, to work that may only have read: a key that may not issue passes every check, too."""
    now = timezone.now()
    is_old = Q(last_success_at__isnull=True) | Q(last_success_at__lt=now - SUCCESS_IS_WRITTEN_EVERY)
    AccountHealth.objects.filter(is_old, pk=account_id).update(last_success_at=now)


def answered(account_id: int, probe: Probe | None = None) -> None:
    """The provider answered a call that only read: failures in a row are over, and the rest that it tried is, too.

    Arguments:
        account_id: the account.
        probe: the probe that the call was, if it was one.
    """
    read(account_id)
    _well(account_id, probe)


def of_reading(error: Exception) -> Exception:
    """An error of a call that only read: a key that may not read this (403) may still issue, so nothing is stopped."""
    if isinstance(error, ProviderAuthError) and error.status_code == 403:
        return RefusedAlone(str(error), status_code=403)
    return error


def is_refused_alone(account: ProviderAccount, delivery: Delivery, error: Exception) -> bool:
    """Whether a 403 is this delivery's own: it was refused before, and since then the key has worked for another."""
    if not isinstance(error, ProviderAuthError) or error.status_code != 403:
        return False
    refusals = delivery.history.filter(outcome=DeliveryAttempt.Outcome.WAIT).order_by("-number")
    refused_at = refusals.values_list("started_at", flat=True).first()
    return refused_at is not None and AccountHealth.objects.filter(pk=account.pk, proven_at__gt=refused_at).exists()


def failed(account: ProviderAccount, error: Exception, probe: Probe | None = None) -> None:
    """Learn from a failed call: stop the account, or let it rest.

    Arguments:
        account: a stored account.
        error: what its calls raised.
        probe: the probe that the call was, if it was one.
    """
    if isinstance(error, CeilingReached | NotSent | RefusedAlone):
        return
    if isinstance(error, STOPS):
        stop(account, describe(error))
    elif isinstance(error, ProviderRejected | NotShown):
        read(account.pk)
        _well(account.pk, probe)
    elif isinstance(error, ProviderRateLimited):
        _note_error(account, error)
        _pause(account, timezone.now() + rate_limit_pause(error, get_config().deliveries))
    elif isinstance(error, ProviderError):
        _count_failure(account, error, probe)


def stop(account: ProviderAccount, reason: str) -> None:
    """Stop all work on an account, until its key is changed or a check passes. Its deliveries wait.

    Of one that is stopped already, only the reason is renewed.
    """
    now, row = timezone.now(), of(account.pk)
    why = {"stop_reason": reason[:LONGEST_ERROR], "last_error_at": now, "last_error": reason[:LONGEST_ERROR]}
    stopped = AccountHealth.objects.filter(pk=account.pk, stopped_at__isnull=True).update(
        stopped_at=now,
        refused_key=fingerprint(account),
        stops=F("stops") + 1,
        next_check_at=now + until_check(row.stops + 1),
        paused_until=None,
        failures=0,
        **why,
    )
    if not stopped:
        # What a check has found now is what is to be mended, not what stood in the way before.
        AccountHealth.objects.filter(pk=account.pk, stopped_at__isnull=False).update(**why)
        return
    logger.error(
        'The %s account "%s" is stopped, and its deliveries wait: %s They go on by themselves when its key is '
        "changed or works again.",
        account.provider,
        account.name,
        as_sentence(reason),
        extra={"action": "account_stopped", "account": account.pk},
    )


def resume(account_id: int) -> bool:
    """Let a stopped account work again, all or nothing.

    What waited for it begins a new row of attempts: the time of the stop counts against nothing. What was refused
    itself comes last: it may be refused for a reason of its own, and would keep the others waiting.

    Returns:
        False where it was not stopped.
    """
    now = timezone.now()
    with transaction.atomic():
        # First the deliveries, then the account, as everywhere.
        waiting = Delivery.objects.filter(
            badge__template__account_id=account_id,
            action__in=(Delivery.Action.ISSUE, Delivery.Action.REVOKE, Delivery.Action.DELETE),
            status__in=Delivery.OPEN,
        )
        ids = list(waiting.order_by("pk").values_list("pk", flat=True))
        chunks = [ids[start : start + AT_ONCE] for start in range(0, len(ids), AT_ONCE)]
        for chunk in chunks:
            _lock(chunk)
        stopped = AccountHealth.objects.filter(pk=account_id, stopped_at__isnull=False)
        if not stopped.update(
            stopped_at=None, stop_reason="", refused_key="", next_check_at=None, paused_until=None, failures=0
        ):
            return False
        refused = DeliveryAttempt.objects.filter(delivery=OuterRef("pk"), outcome=DeliveryAttempt.Outcome.WAIT)
        for chunk in chunks:
            rows = Delivery.objects.filter(pk__in=chunk, status__in=Delivery.OPEN)
            rows.update(failures=0, give_up_at=None)
            rows.filter(~Exists(refused)).update(next_attempt_at=now - timedelta(seconds=1))
            rows.filter(Exists(refused)).update(next_attempt_at=now)
    name = ProviderAccount.objects.values_list("name", flat=True).get(pk=account_id)
    logger.warning(
        'The account "%s" is tried again, and its deliveries go on.',
        name,
        extra={"action": "account_resumed", "account": account_id},
    )
    return True


def _lock(ids: list[int]) -> None:
    # Evaluated, so that the rows are locked in this order and not as an update comes upon them.
    list(Delivery.objects.filter(pk__in=ids).order_by("pk").select_for_update().values_list("pk"))


def until_check(times: int) -> timedelta:
    """How long after its ``times``-th stop or failed check in a row a stopped account is checked."""
    config = get_config().deliveries
    return resting_time(times, first=config.check_stopped, longest=config.longest_retry)


def blocked(now: datetime | None = None) -> QuerySet[AccountHealth]:
    """The accounts that must not be called now: stopped, resting, or tried by one delivery."""
    now = now or timezone.now()
    is_tried = Q(paused_until__isnull=False, probing_until__gt=now)
    return AccountHealth.objects.filter(Q(stopped_at__isnull=False) | Q(paused_until__gt=now) | is_tried)


def blocked_accounts(now: datetime | None = None) -> list[int]:
    """The ids of the accounts that must not be called now."""
    return list(blocked(now).values_list("pk", flat=True))


def forget(account_ids: Iterable[int]) -> None:
    """Let accounts be tried at once that rest, by one probe: somebody wants their deliveries retried now."""
    now = timezone.now()
    # Not those whose rest is over: one of them may be tried at this moment, and its probe ends the rest that it knows.
    AccountHealth.objects.filter(pk__in=account_ids, paused_until__gt=now).update(paused_until=now)


def _well(account_id: int, probe: Probe | None) -> None:
    """Failures in a row are over. A rest is ended by its probe alone: other calls were under way before it began."""
    known = AccountHealth.objects.filter(pk=account_id)
    known.filter(failures__gt=0, paused_until__isnull=True).update(failures=0)
    if probe is not None:
        known.filter(paused_until=probe.paused_until).update(failures=0, paused_until=None)


def _note_error(account: ProviderAccount, error: Exception) -> None:
    AccountHealth.objects.filter(pk=of(account.pk).pk).update(
        last_error_at=timezone.now(), last_error=describe(error)[:LONGEST_ERROR]
    )


def _pause(account: ProviderAccount, until: datetime) -> int:
    """Let an account rest; a longer rest that is there already stays."""
    rests_less = Q(paused_until__isnull=True) | Q(paused_until__lt=until)
    return AccountHealth.objects.filter(rests_less, pk=account.pk, stopped_at__isnull=True).update(paused_until=until)


def _count_failure(account: ProviderAccount, error: Exception, probe: Probe | None) -> None:
    config, now = get_config().deliveries, timezone.now()
    _note_error(account, error)
    # While it rests and is tried, only its probe tells something new: others that fail now were under way before.
    is_tried = Q(probing_until__isnull=False, probing_until__gt=now)
    tells = Q(paused_until__isnull=True) | (Q(paused_until__lte=now) & ~is_tried)
    if probe is not None:
        tells |= Q(probing_until=probe.ends)
    row = AccountHealth.objects.filter(pk=account.pk)
    if not row.filter(tells).update(failures=F("failures") + 1):
        return
    failures = row.values_list("failures", flat=True).get()
    rests = failures - int(config.failures) + 1
    if rests < 1:
        return
    until = now + resting_time(rests, first=config.pause, longest=config.longest_pause)
    if _pause(account, until):
        logger.warning(
            'The %s account "%s" rests until %s after %d failures in a row; then one delivery tries: %s',
            account.provider,
            account.name,
            until.isoformat(timespec="seconds"),
            failures,
            describe(error),
            extra={"action": "account_rests", "account": account.pk},
        )
