"""The way to a provider's account: its ceiling of calls, kept for all workers in one row, and a record of each call."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import define, field
from django.db.models import Case, F, Q, Value, When
from django.utils import timezone

from badges.conf import RateSettings
from badges.data import Exchange
from badges.exceptions import CeilingReached
from badges.issuing import health
from badges.models import AccountHealth, ProviderAccount
from badges.providers import registry, traffic

LONGEST_NAP = 1.0
MOST_DEBT = 1000
"""Calls that work under way may be in debt with, all workers together, before that counts as a clock that is wrong."""


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
    _is_under_way: bool = False

    def enter(self) -> None:
        """Take the place of the first call, so that work on a provider that reports no calls counts as one.

        Raises:
            CeilingReached: there is none within the patience.
        """
        self._take_place()
        self._is_prepaid = self._is_under_way = True

    def before(self) -> None:
        """Take a place below the ceiling. Work that has entered is not broken off: it goes on, and others wait longer.

        Raises:
            CeilingReached: there is none within the patience, and the work has not entered.
        """
        if self._is_prepaid:
            self._is_prepaid = False
            return
        try:
            self._take_place()
        except CeilingReached:
            if not self._is_under_way:
                raise
            take_in_debt(self.account_id, self.rate)

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
    wherever it begins, sees more than ``rate.calls`` (the generic cell rate algorithm), but for :func:`take_in_debt`.

    Returns:
        0.0 where the call may be made; otherwise the seconds until there is a place.
    """
    interval, burst = _interval(rate), _burst(rate)
    now = timezone.now().timestamp()
    latest = now + (burst - 1) * interval
    # Beyond a whole period lie only the words of a clock that was wrong, and of a ceiling that was lower.
    is_free = Q(slots_used_until__lte=latest) | Q(slots_used_until__gt=now + rate.seconds + MOST_DEBT * interval)
    if AccountHealth.objects.filter(is_free, pk=account_id).update(slots_used_until=_used(now, interval, rate)):
        return 0.0
    wait = health.of(account_id).slots_used_until - latest
    # Another worker may have been between the two statements, and a place be free again.
    return max(wait, 0.001)


def take_in_debt(account_id: int, rate: RateSettings) -> None:
    """Take a place although there is none: those who come later wait for it. The average stays below the ceiling."""
    now, interval = timezone.now().timestamp(), _interval(rate)
    AccountHealth.objects.filter(pk=account_id).update(slots_used_until=_used(now, interval, rate))


def _used(now: float, interval: float, rate: RateSettings) -> Case:
    absurd = now + rate.seconds + MOST_DEBT * interval
    fresh = When(Q(slots_used_until__lt=now) | Q(slots_used_until__gt=absurd), then=Value(now + interval))
    return Case(fresh, default=F("slots_used_until") + Value(interval))


def _burst(rate: RateSettings) -> int:
    return max(1, int(rate.calls) // 5)


def _interval(rate: RateSettings) -> float:
    return rate.seconds / max(1, int(rate.calls) - _burst(rate))


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
    gate = gate_of(account, patience=patience)
    try:
        with traffic.watched_by(gate):
            yield gate
    except Exception as error:
        health.failed(account, error)
        raise
    if gate.exchanges:
        health.read(account.pk)


def gate_of(account: ProviderAccount, *, patience: float = 0.0) -> Gate:
    """The gate of an account, with the ceiling that its provider's section of the settings gives it."""
    return Gate(health.of(account.pk).pk, registry.provider_settings(account.provider).rate, patience)
