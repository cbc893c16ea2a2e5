"""One sweep over everything that is due: what waited, and what a killed worker left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import chain, islice, zip_longest

from attrs import define, field, frozen
from django.db import Error, connection
from django.db.models import Case, Count, F, Min, Q, When
from django.utils import timezone

from badges.exceptions import describe
from badges.issuing import health
from badges.issuing.account_checks import check_stopped
from badges.issuing.callback_lanes import Subject, due_subjects
from badges.issuing.deliveries import (
    ANNOUNCEMENTS,
    LANES,
    PROVIDER_CALLS,
    Attempt,
    due,
    first_due,
    run_callbacks,
    run_due,
)
from badges.models import AccountHealth, Delivery, DeliveryAttempt

RETRY = DeliveryAttempt.Outcome.RETRY
PATIENCE = 30.0
"""Seconds that a call of a sweep may wait for its turn below its account's ceiling."""
MOST_UNHEARD = 3
"""After so many announcements in a row that could not be made, a sweep leaves the others for the next one."""
OWN_TIME = Case(When(status=Delivery.Status.IN_PROGRESS, then=F("leased_until")), default=F("next_attempt_at"))
"""When an open delivery is due by itself, whatever its account does."""


@frozen
class BlockedAccount:
    """An account whose deliveries wait."""

    name: str
    reason: str
    until: datetime | None
    """When it is tried again; None where it is stopped."""


@define
class SweepReport:
    """What a sweep came to."""

    outcomes: Counter[str] = field(factory=Counter)
    """Outcome of an attempt -> how many."""
    broken: list[str] = field(factory=list)
    """The badges that could not be worked on at all, and why."""
    waiting: int = 0
    """How many deliveries are still open."""
    next_attempt_at: datetime | None = None
    """When the first of them can be attempted, the end of its account's rest included; None where all wait for a
    stopped account."""
    is_all_for_accounts: bool = False
    """Whether all of them wait for an account that is stopped or rests."""
    blocked: tuple[BlockedAccount, ...] = ()


OnBadge = Callable[[int, int, list[Attempt]], None]
"""Is told how many badges and subjects of callbacks are done, of how many, and what came of the last one."""
_Unit = tuple[int | Subject, set[int | None]]


def due_work(
    now: datetime | None = None, blocked: list[int] | None = None, *, is_limited: bool = False
) -> dict[int, set[int | None]]:
    """What a sweep would work on: badge -> the accounts that its due deliveries need, None for an announcement.

    The longest waiting badge comes first. What waits for one of the ``blocked`` accounts is left out.
    Read at once, not by a cursor: an open one would keep SQLite's writers out while deliveries are carried out.
    """
    now = now or timezone.now()
    # What waits behind an earlier delivery costs a look each, and must not fill a limit.
    waiting = (first_due(now) if is_limited else due(now)).filter(badge__isnull=False)
    if blocked:
        waiting = waiting.exclude(action__in=PROVIDER_CALLS, badge__template__account_id__in=blocked)
    work: dict[int, set[int | None]] = {}
    rows = waiting.order_by("next_attempt_at", "pk").values_list("badge_id", "action", "badge__template__account_id")
    for badge_id, action, account_id in rows:
        work.setdefault(badge_id, set()).add(account_id if action in PROVIDER_CALLS else None)
    return work


def sweep(
    *,
    limit: int | None = None,
    patience: float = PATIENCE,
    on_badge: OnBadge | None = None,
    is_stopping: Callable[[], bool] = lambda: False,
) -> SweepReport:
    """Carry out everything that is due. What goes wrong with one badge does not keep the others waiting.

    Arguments:
        limit: at most this many badges.
        patience: seconds that a call may wait for its turn below its account's ceiling.
        on_badge: called after each badge.
        is_stopping: asked before each badge; once true, the rest is left.

    Raises:
        django.db.Error: the database is away.
    """
    check_stopped()
    one, began = _Sweep(patience), timezone.now()
    blocked = sorted(account for account in one.blocked if account)
    badges = due_work(blocked=blocked, is_limited=limit is not None).items()
    callbacks: list[_Unit] = [(subject, set()) for subject in due_subjects()]
    # By turns: what is always in front could keep the others waiting for ever, with a limit or too little time.
    by_turns = chain.from_iterable(zip_longest(badges, callbacks))
    units: list[_Unit] = list(islice((unit for unit in by_turns if unit is not None), limit))
    for number, (what, needs) in enumerate(units, start=1):
        if is_stopping():
            break
        attempts = one.do(what) if needs - one.blocked or isinstance(what, Subject) else []
        if on_badge is not None:
            on_badge(number, len(units), attempts)
    return _closed(one.report, began if limit is None and not is_stopping() else None)


class _Sweep:
    """What a sweep learns while it goes: what it need not try again."""

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self.report = SweepReport()
        self.blocked: set[int | None] = set(health.blocked_accounts())
        """Accounts that must not be called; None stands for the announcements."""
        self._unheard = 0

    def do(self, what: int | Subject) -> list[Attempt]:
        """What is due for a badge, by its id, or the callbacks about a subject."""
        return self.tell(what) if isinstance(what, Subject) else self.work_on(what)

    def work_on(self, badge_id: int) -> list[Attempt]:
        """What is due for a badge, without what is known to be in vain."""
        lanes = (PROVIDER_CALLS,) if None in self.blocked else LANES
        attempts = self._attempt(f"badge {badge_id}", lambda: run_due(badge_id, patience=self.patience, lanes=lanes))
        if attempts is None:
            return []
        self._learn(attempts)
        return attempts

    def tell(self, subject: Subject) -> list[Attempt]:
        """The callbacks that are due about a badge or an application."""
        return self._attempt(f"callbacks of {subject}", lambda: run_callbacks(subject)) or []

    def _attempt(self, name: str, act: Callable[[], list[Attempt]]) -> list[Attempt] | None:
        try:
            attempts = act()
        except Exception as error:
            if isinstance(error, Error) and not _is_connected():
                raise
            # The others must not wait for it.
            self.report.broken.append(f"{name}: {describe(error)}")
            return None
        self.report.outcomes.update(attempt.outcome for attempt in attempts)
        return attempts

    def _learn(self, attempts: list[Attempt]) -> None:
        announced = [attempt.outcome for attempt in attempts if attempt.action in ANNOUNCEMENTS]
        if announced:
            self._unheard = self._unheard + 1 if announced[-1] == RETRY else 0
        if not attempts or any(attempt.outcome != Delivery.Status.DONE for attempt in attempts):
            self.blocked = set(health.blocked_accounts())
        if self._unheard >= MOST_UNHEARD:
            # A bus that does not answer takes its time to say so: once a sweep is enough.
            self.blocked.add(None)


def _is_connected() -> bool:
    return connection.connection is not None and bool(connection.is_usable())


def _closed(report: SweepReport, done_until: datetime | None) -> SweepReport:
    """Complete the report. What was due until ``done_until`` and is open waits for another one, or its account."""
    # Read by one query: between two of them an account may come to work again.
    blocked = {row.pk: _blocked(row) for row in health.blocked().select_related("account")}
    report.blocked = tuple(blocked.values())
    times: list[datetime] = []
    is_all_for_accounts = True
    for account_id, number, first in _open_by_account(done_until, is_any_blocked=bool(blocked)):
        report.waiting += number
        account = blocked.get(account_id) if account_id else None
        is_all_for_accounts &= account is not None
        if account is not None and account.until is not None:
            times.append(max(first or account.until, account.until))
        elif account is None and first is not None:
            times.append(first)
    report.next_attempt_at = min(times, default=None)
    report.is_all_for_accounts = is_all_for_accounts and report.waiting > 0
    return report


def _open_by_account(
    done_until: datetime | None, *, is_any_blocked: bool
) -> Iterable[tuple[int | None, int, datetime | None]]:
    """The account that deliveries need (None for announcements), how many are open, and when the first is due."""
    found = Delivery.objects.filter(status__in=Delivery.OPEN).order_by().annotate(own_time=OWN_TIME)
    first = Min("own_time", filter=Q(own_time__gt=done_until) if done_until is not None else None)
    if not is_any_blocked:
        # Without the joins, which cost much where a great many wait.
        row = found.aggregate(number=Count("pk"), first=first)
        return [(None, row["number"], row["first"])]
    needs = Case(When(action__in=PROVIDER_CALLS, then=F("badge__template__account_id")), default=None)
    by_account = found.annotate(needs=needs).values("needs")
    return by_account.annotate(number=Count("pk"), first=first).values_list("needs", "number", "first")


def _blocked(row: AccountHealth) -> BlockedAccount:
    if row.stopped_at is not None:
        return BlockedAccount(row.account.name, row.stop_reason, None)
    ends = [moment for moment in (row.paused_until, row.probing_until) if moment is not None]
    return BlockedAccount(row.account.name, row.last_error, max(ends))
