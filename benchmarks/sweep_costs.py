"""What a sweep asks the database among 100,000 deliveries of which 100 are due.

Three situations: the others are done; they wait for their time, as when a provider is down; they wait for an account
that is stopped; of the last no figure is promised. A sweep with a limit of no badge is measured: all that it asks, and
no delivery.
"""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from attrs import define, field

from benchmarks.project import project
from benchmarks.report import verdict

if TYPE_CHECKING:
    from badges.models import BadgeTemplate, ProviderAccount

ROWS, DUE, REPEATS = 100_000, 100, 11
LEARNERS = 1_000
PAST = timedelta(hours=1)
LIMIT_MS = 100.0
INDEX = "badging_delivery_due"
SITUATIONS = {
    "are done": "",
    "wait for their time": "status = 'pending', finished_at = NULL, next_attempt_at = %(future)s",
    "wait for a stopped account": "status = 'pending', finished_at = NULL, next_attempt_at = %(past)s",
}


@define
class Statements:
    """What was asked of the database, and how long it took."""

    taken: list[tuple[str, Any, float]] = field(factory=list)

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        """Time one statement; see ``connection.execute_wrapper``."""
        start = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            self.taken.append((sql, params, (time.perf_counter() - start) * 1000))

    @property
    def total_ms(self) -> float:
        """The time of all of them."""
        return sum(ms for _, _, ms in self.taken)

    def due(self) -> tuple[str, Any, float]:
        """The one that finds what is due."""
        # The first one: the report at the end of a sweep groups, and may be ordered too.
        found, *_ = [
            one for one in self.taken if "ORDER BY" in one[0] and '"next_attempt_at"' in one[0].replace("`", '"')
        ]
        return found


def run(largest: int | None) -> int:
    """Measure, print, and tell by the exit code whether the promised figures hold."""
    rows = largest or ROWS
    broken = []
    with project(config={"providers": {"instant": "benchmarks.provider.InstantProvider"}}) as database:
        from badges.issuing import health

        stopped = make_rows(rows)
        print(
            f"One sweep among {rows:,} deliveries of which {DUE} are due, {database}: database time, median of "
            f"{REPEATS} sweeps\n"
        )
        for situation, values in SITUATIONS.items():
            arrange(stopped, values)
            if "stopped" in situation:
                logging.disable()
                health.stop(stopped, "The key was refused.")
                logging.disable(logging.NOTSET)
            total_ms, due_ms, found, plan = measure()
            print(f"the others {situation:28} all statements {total_ms:7.2f} ms   the due query {due_ms:7.2f} ms")
            for line in plan:
                print(f"    {line}")
            if found != DUE:
                broken.append(f"the others {situation}: the sweep found {found} badges instead of {DUE}")
            if total_ms > LIMIT_MS and "stopped" not in situation and database != "SQLite":
                broken.append(f"the others {situation}: {total_ms:.0f} ms, more than {LIMIT_MS:.0f}")
            if not any(INDEX in line for line in plan) and "stopped" not in situation and database != "SQLite":
                broken.append(f"the others {situation}: the index {INDEX} is not used")
        print()
    return verdict(broken)


def make_rows(number: int) -> ProviderAccount:
    """Deliveries of one account that is to be stopped, and the due ones of another; gives the first."""
    from django.contrib.auth import get_user_model
    from django.utils import timezone

    from badges.models import BadgeTemplate, ProviderAccount

    learners = get_user_model()._default_manager.bulk_create(
        get_user_model()(username=f"learner{n}", email=f"learner{n}@example.com") for n in range(LEARNERS)
    )
    accounts, templates = [], []
    for name, size in (("Stopped", -(-number // LEARNERS)), ("Working", 1)):
        account = ProviderAccount.objects.create(provider="instant", name=name, api_key="key")
        accounts.append(account)
        templates.append(
            BadgeTemplate.objects.bulk_create(
                BadgeTemplate(name=f"{name} {n}", account=account, provider="instant", external_id=f"{name} {n}")
                for n in range(size)
            )
        )
    pairs = [(learner, template) for template in templates[0] for learner in learners]
    now = timezone.now()
    # As done from the start: a database that still remembers them as pending would make another plan.
    _bulk(pairs[: number - DUE], status="done", finished_at=now, next_attempt_at=now - PAST)
    _bulk([(learner, templates[1][0]) for learner in learners[:DUE]], next_attempt_at=now)
    return accounts[0]


def _bulk(pairs: list[tuple[Any, BadgeTemplate]], **values: Any) -> None:
    from django.utils import timezone

    from badges.models import Badge, Delivery

    now = timezone.now()
    for start in range(0, len(pairs), 5_000):
        badges = Badge.objects.bulk_create(
            Badge(user=learner, template=template, awarded_at=now) for learner, template in pairs[start : start + 5_000]
        )
        Delivery.objects.bulk_create(Delivery(badge=badge, action=Delivery.Action.ISSUE, **values) for badge in badges)


def arrange(account: ProviderAccount, values: str) -> None:
    """Bring the deliveries of an account into another situation, and let the database see how many."""
    from django.db import connection
    from django.utils import timezone

    now = timezone.now()
    moments: dict[str, Any] = {"past": now - PAST, "future": now + PAST, "account": account.pk}
    mine = (
        "badge_id IN (SELECT b.id FROM badging_badge b JOIN badging_badgetemplate t ON b.template_id = t.id "
        "WHERE t.account_id = %(account)s)"
    )
    with connection.cursor() as cursor:
        if values:
            cursor.execute(f"UPDATE badging_delivery SET {values} WHERE {mine}", moments)
        for table in ("badging_delivery", "badging_badge", "badging_badgetemplate"):
            cursor.execute(f"{'ANALYZE TABLE' if connection.vendor == 'mysql' else 'ANALYZE'} {table}")
            cursor.fetchall() if connection.vendor == "mysql" else None


def measure() -> tuple[float, float, int, list[str]]:
    """The median times in milliseconds of all statements and of the due query, what it found, and its plan."""
    from badges.issuing.sweep import sweep

    runs = []
    for _ in range(REPEATS):
        with _timed() as statements:
            sweep(is_stopping=lambda: True)
        runs.append(statements)
    sql, params, _ = runs[-1].due()
    found, plan = _explained(sql, params)
    return (
        statistics.median(one.total_ms for one in runs),
        statistics.median(one.due()[2] for one in runs),
        found,
        plan,
    )


@contextmanager
def _timed() -> Iterator[Statements]:
    from django.db import connection

    statements = Statements()
    with connection.execute_wrapper(statements):
        yield statements


def _explained(sql: str, params: Any) -> tuple[int, list[str]]:
    """How many rows a query finds, and the plan that the database makes for it."""
    from django.db import connection

    explain = {"sqlite": "EXPLAIN QUERY PLAN"}.get(connection.vendor, "EXPLAIN")
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        found = len(cursor.fetchall())
        cursor.execute(f"{explain} {sql}", params)
        rows = cursor.fetchall()
        if connection.vendor != "mysql":
            return found, [str(row[-1]) for row in rows]
        names = [column[0] for column in cursor.description]
        wanted = ("table", "type", "key", "rows", "Extra")
        return found, [
            "  ".join(f"{name}={row[names.index(name)]}" for name in wanted if row[names.index(name)]) for row in rows
        ]
