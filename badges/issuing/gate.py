"""The way to a provider's account: its ceiling of calls, kept for all workers in one row, and a record of each call."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import define, field
from django.db.models import Case, F, Value, When
from django.utils import timezone

from badges.conf import RateSettings
from badges.data import Exchange
from badges.exceptions import CeilingReached
from badges.issuing import health
from badges.models import AccountHealth, ProviderAccount
from badges.providers import registry, traffic

LONGEST_NAP = 1.0


@define
class Gate:
    """Watches the calls of one piece of work on one account; see :class:`badges.providers.traffic.Watcher`."""

    account_id: int
    rate: RateSettings
    patience: float = 0.0
    """Seconds that a call may wait for its turn before it is refused."""
    exchanges: list[Exchange] = field(factory=list)
    """What was asked and answered, in order."""
    _is_prepaid: bool = False

    def enter(self) -> None:
        """Take the place of the first call, so that work on a provider that reports no calls counts as one.

        Raises:
            CeilingReached: there is none within the patience.
        """
        self._take_place()
        self._is_prepaid = True

    def before(self) -> None:
        """Take a place below the ceiling.

        Raises:
            CeilingReached: there is none within the patience.
        """
        if self._is_prepaid:
            self._is_prepaid = False
        else:
            self._take_place()

    def _take_place(self) -> None:
        deadline = time.monotonic() + self.patience
        while (wait := take_slot(self.account_id, self.rate)) > 0:
            if time.monotonic() + wait > deadline:
                raise CeilingReached(
                    f"This account has had its {self.rate.calls:g} calls in {self.rate.seconds:g} seconds; the rest "
                    "waits for its turn.",
                    retry_after=wait,
                )
            time.sleep(min(wait, LONGEST_NAP))

    def after(self, exchange: Exchange) -> None:
        """Keep what was asked and answered."""
        self.exchanges.append(exchange)

    @property
    def has_changed_something(self) -> bool:
        """Whether the provider was asked to do something."""
        return any(exchange.changes for exchange in self.exchanges)


def take_slot(account_id: int, rate: RateSettings) -> float:
    """Take a place below the ceiling of an account: one statement, the same for all workers and databases.

    A fifth of the calls may come at once, the others spread over the period, so that no period of this length,
    wherever it begins, sees more than ``rate.calls`` (the generic cell rate algorithm).

    Returns:
        0.0 where the call may be made; otherwise the seconds until there is a place.
    """
    burst = max(1, int(rate.calls) // 5)
    spread = max(1, int(rate.calls) - burst)
    interval = rate.seconds / spread
    now = timezone.now().timestamp()
    free = AccountHealth.objects.filter(pk=account_id, slots_used_until__lte=now + (burst - 1) * interval)
    used_until = Case(
        When(slots_used_until__lt=now, then=Value(now + interval)), default=F("slots_used_until") + Value(interval)
    )
    if free.update(slots_used_until=used_until):
        return 0.0
    used = health.of(account_id).slots_used_until
    wait = used - (now + (burst - 1) * interval)
    # Another worker may have been between the two statements, and a place be free again.
    return max(wait, 0.001) if math.isfinite(wait) else rate.seconds


@contextmanager
def calls_of(account: ProviderAccount, *, patience: float = 60.0) -> Iterator[Gate]:
    """Work that somebody asked for on an account: below its ceiling, and with its health learned from what comes.

    It is not kept from an account that is stopped or rests, because a person asks, and the answer is news.

    Arguments:
        account: a stored account.
        patience: seconds that a call may wait for its turn.

    Raises:
        ProviderError: what the provider's calls raise, once it is noted.
        CeilingReached: the ceiling left no place for a call within the patience.
    """
    gate, began = gate_of(account, patience=patience), timezone.now()
    try:
        with traffic.watched_by(gate):
            yield gate
    except Exception as error:
        health.failed(account, error, began)
        raise
    if gate.exchanges:
        health.succeeded(account.pk, began, proves_key=gate.has_changed_something)


def gate_of(account: ProviderAccount, *, patience: float = 0.0) -> Gate:
    """The gate of an account, with the ceiling that its provider's section of the settings gives it."""
    return Gate(health.of(account.pk).pk, registry.provider_settings(account.provider).rate, patience)
