"""The health of everything at a glance: accounts, what waits for them, and what was given up. Reads, never writes."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from attrs import frozen
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Case, Count, F, IntegerField, Min, Q, QuerySet, Value, When
from django.utils import timezone

from badges.issuing.deliveries import ANNOUNCEMENTS
from badges.models import (
    AccountHealth,
    CallbackEndpoint,
    DeadEvent,
    Delivery,
    ProviderAccount,
    TemplateSync,
    WebhookEvent,
)

NO_ACCOUNT, ANNOUNCED, TOLD_OTHERS = 0, -1, -2
"""The keys of :func:`queues` beside the ids of accounts."""


class AccountState(enum.StrEnum):
    """Whether an account may be called."""

    WORKS = "works"
    STOPPED = "stopped"
    """Its key is refused or missing: only a new key, or a check that passes, opens it."""
    RESTING = "resting"
    """Its calls failed in a row, or it was asked to wait: nothing is sent until a time."""
    TRYING = "trying"
    """It has rested; the next delivery tries whether it works again."""
    UNUSED = "unused"
    """It has not been called yet."""


@frozen
class Queue:
    """Deliveries that are open, and that were given up."""

    waiting: int = 0
    oldest_at: datetime | None = None
    """When the oldest open one was written."""
    dead: int = 0


@frozen
class SyncState:
    """The last synchronization of an account's templates."""

    started_at: datetime
    finished_at: datetime | None
    """None where it is under way, or failed in the middle."""
    last_error: str


@frozen
class AccountSummary:
    """How an account does."""

    id: int
    provider: str
    name: str
    state: AccountState
    reason: str
    """Why it is stopped or rests; empty if neither."""
    since: datetime | None
    """When it was stopped."""
    until: datetime | None
    """When it is tried again, if it rests."""
    next_check_at: datetime | None
    """When a stopped one is checked again by itself."""
    failures: int
    """Failed calls in a row."""
    last_success_at: datetime | None
    last_error_at: datetime | None
    last_error: str
    queue: Queue
    sync: SyncState | None


@frozen
class RestingEndpoint:
    """An endpoint of callbacks that has failed in a row."""

    id: int
    name: str
    until: datetime
    failures: int
    last_error: str


@frozen
class Summary:
    """Everything that an operator should know."""

    at: datetime
    accounts: tuple[AccountSummary, ...]
    announcements: Queue
    """Public signals, which need the platform's event bus and no provider."""
    without_account: Queue
    """Calls to a provider whose template has no account any more."""
    callbacks: Queue
    """Messages to other systems, which need their endpoints and no provider."""
    resting: tuple[RestingEndpoint, ...]
    """The endpoints to which nothing is sent now."""
    inbox: Queue
    """What providers sent: not applied yet, or given up."""
    dead_by_kind: Mapping[str, int]
    """Events that could not be processed, or are lost, and wait for a person: kind -> how many, each kind named."""

    @property
    def queues(self) -> tuple[Queue, ...]:
        """All queues."""
        return (*(account.queue for account in self.accounts), self.announcements, self.without_account, self.callbacks)

    @property
    def waiting(self) -> int:
        """How many deliveries are open."""
        return sum(queue.waiting for queue in self.queues)

    @property
    def dead(self) -> int:
        """How many deliveries were given up."""
        return sum(queue.dead for queue in self.queues)

    @property
    def dead_events(self) -> int:
        """How many events wait for a person, of all kinds."""
        return sum(self.dead_by_kind.values())

    @property
    def oldest_at(self) -> datetime | None:
        """When the oldest open delivery was written."""
        return min((queue.oldest_at for queue in self.queues if queue.oldest_at is not None), default=None)

    @property
    def stopped(self) -> tuple[AccountSummary, ...]:
        """The accounts that are stopped."""
        return tuple(account for account in self.accounts if account.state is AccountState.STOPPED)

    def waits_longer_than(self, limit: timedelta) -> bool:
        """Whether the oldest open delivery is older than this."""
        return self.oldest_at is not None and self.at - self.oldest_at > limit


def summary() -> Summary:
    """The health of everything: six queries, however many deliveries there are."""
    now = timezone.now()
    waiting = queues()
    accounts = ProviderAccount.objects.select_related("health", "sync").defer("api_key").order_by("provider", "name")
    return Summary(
        at=now,
        accounts=tuple(account_summary(account, waiting, now) for account in accounts),
        announcements=waiting.get(ANNOUNCED, Queue()),
        without_account=waiting.get(NO_ACCOUNT, Queue()),
        callbacks=waiting.get(TOLD_OTHERS, Queue()),
        resting=resting_endpoints(now),
        inbox=inbox(),
        dead_by_kind=dead_by_kind(),
    )


def resting_endpoints(now: datetime) -> tuple[RestingEndpoint, ...]:
    """The endpoints of callbacks that rest, by name. One query."""
    rows = CallbackEndpoint.objects.filter(is_active=True, paused_until__gt=now).order_by("name", "pk")
    return tuple(
        RestingEndpoint(row.pk, row.name, row.paused_until or now, row.failures, row.last_error)
        for row in rows.defer("secret")
    )


def inbox() -> Queue:
    """The events in the inbox that are open or dead; the age is that of the longest waiting one. One query."""
    dead = WebhookEvent.Status.DEAD
    rows = WebhookEvent.objects.filter(status__in=(*WebhookEvent.OPEN, dead)).order_by()
    found = rows.aggregate(
        waiting=Count("pk", filter=~Q(status=dead)),
        oldest_at=Min("received_at", filter=~Q(status=dead)),
        dead=Count("pk", filter=Q(status=dead)),
    )
    return Queue(**found)


def dead_by_kind() -> dict[str, int]:
    """How many dead events wait for a person, for each kind. One query."""
    waiting = DeadEvent.objects.filter(status=DeadEvent.Status.WAITING).order_by()
    found = dict(waiting.values("kind").annotate(number=Count("pk")).values_list("kind", "number"))
    return {kind: found.get(kind, 0) for kind in DeadEvent.Kind.values}


def account_summary(account: ProviderAccount, waiting: Mapping[int, Queue], now: datetime) -> AccountSummary:
    """How one account does, from its row and the queues that were read before."""
    health = health_of(account) or AccountHealth(account_id=account.pk)
    state = state_of(health, now)
    reason = {AccountState.STOPPED: health.stop_reason, AccountState.RESTING: health.last_error}
    return AccountSummary(
        id=account.pk,
        provider=account.provider,
        name=account.name,
        state=state,
        reason=reason.get(state, ""),
        since=health.stopped_at,
        until=health.paused_until if state is AccountState.RESTING else None,
        next_check_at=health.next_check_at if state is AccountState.STOPPED else None,
        failures=health.failures,
        last_success_at=health.last_success_at,
        last_error_at=health.last_error_at,
        last_error=health.last_error,
        queue=waiting.get(account.pk, Queue()),
        sync=_sync_of(account),
    )


def health_of(account: ProviderAccount) -> AccountHealth | None:
    """The health of an account, where something is known of it. No query if it was selected with the account."""
    try:
        return account.health
    except ObjectDoesNotExist:
        return None


def state_of(health: AccountHealth, now: datetime) -> AccountState:
    """Whether an account may be called now."""
    if health.stopped_at is not None:
        return AccountState.STOPPED
    if health.paused_until is not None:
        return AccountState.RESTING if health.paused_until > now else AccountState.TRYING
    is_new = health.last_success_at is None and health.last_error_at is None
    return AccountState.UNUSED if is_new else AccountState.WORKS


def queues(account_ids: Iterable[int] | None = None) -> dict[int, Queue]:
    """What waits and what is dead: two queries, over the rows that are not finished well.

    Arguments:
        account_ids: only of these accounts; of all, and of what needs none, if not given.

    Returns:
        Id of an account, or ``NO_ACCOUNT``, ``ANNOUNCED`` or ``TOLD_OTHERS`` -> its queue. Empty ones are left out.
    """
    deliveries = Delivery.objects.order_by()
    if account_ids is not None:
        deliveries = deliveries.filter(~Q(action__in=ANNOUNCEMENTS), badge__template__account_id__in=[*account_ids])
    waiting = {key: (number, oldest) for key, number, oldest in _grouped(deliveries.filter(status__in=Delivery.OPEN))}
    dead = {key: number for key, number, _ in _grouped(deliveries.filter(status=Delivery.Status.DEAD))}
    return {key: _queue(waiting.get(key), dead.get(key, 0)) for key in waiting.keys() | dead.keys()}


def _queue(open_ones: tuple[int, datetime] | None, dead: int) -> Queue:
    number, oldest = open_ones or (0, None)
    return Queue(number, oldest, dead)


def _grouped(deliveries: QuerySet[Delivery]) -> Iterable[tuple[int, int, datetime]]:
    account = Case(
        When(action__in=ANNOUNCEMENTS, then=Value(ANNOUNCED)),
        When(action=Delivery.Action.CALLBACK, then=Value(TOLD_OTHERS)),
        When(badge__template__account_id__isnull=True, then=Value(NO_ACCOUNT)),
        default=F("badge__template__account_id"),
        output_field=IntegerField(),
    )
    return (
        deliveries.annotate(needs=account).values("needs").annotate(number=Count("pk"), oldest=Min("created"))
    ).values_list("needs", "number", "oldest")


def _sync_of(account: ProviderAccount) -> SyncState | None:
    try:
        sync: TemplateSync = account.sync
    except ObjectDoesNotExist:
        return None
    return SyncState(sync.started_at, sync.finished_at, sync.last_error)
