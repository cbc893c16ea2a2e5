"""The rates with a million progress records and all templates against those with an empty database."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import TYPE_CHECKING

from benchmarks.consumer_report import Options, spread, verdict

if TYPE_CHECKING:
    import redis

    from benchmarks.consumer_contest import Contest

RECORDS, LEARNERS = 1_000_000, 100_000
FEW = 10
PROMISE = 0.8
NAMES = ("matches nothing", "repeats what is known", "penalty finds nothing", "first fulfilment", "award")


def measure(client: redis.Redis, options: Options, templates: int) -> None:
    """Print the rates with little and with much."""
    from benchmarks.consumer_contest import contend
    from benchmarks.consumer_events import activate, empty, targets
    from benchmarks.consumer_scenarios import SCENARIOS

    chosen = [one for one in SCENARIOS if one.name in NAMES and options.wants(one.name, "size: ")]
    if not chosen:
        return
    records = min(RECORDS, (options.largest or RECORDS) * 100)
    rates: dict[str, dict[str, Contest]] = {}
    for size in ("little", "much"):
        empty()
        activate(FEW if size == "little" else templates)
        if size == "much":
            load(records)
        for scenario in chosen:
            rates.setdefault(scenario.name, {})[size] = contend(client, scenario, targets(), options)
    print(
        f"{f'{records:,} progress records':34}{f'none, {FEW} templates':>24}"
        f"{f'all, {templates:,} templates':>24}{'ours':>12}{'floor':>12}{'ours/floor':>12}"
    )
    for name, sizes in rates.items():
        cells = "".join(f"{spread(sizes[size].rates['ours']):>24}" for size in ("little", "much"))
        ratio, of_floor = (_ratio(sizes, one) for one in ("ours", "floor"))
        # The promise is of the rates themselves. The states are minutes apart, so the floor is shown beside it; it
        # excuses nothing: what writes, writes to the same tables.
        print(
            f"  {name:32}{cells}{ratio:>10.2f} x{of_floor:>10.2f} x{ratio / of_floor:>10.2f} x"
            f"{verdict(ratio, PROMISE)}",
            flush=True,
        )
    print()


def _ratio(sizes: Mapping[str, Contest], contender: str) -> float:
    much, little = (statistics.median(sizes[size].rates[contender]) for size in ("much", "little"))
    return much / little


def load(records: int) -> None:
    """So many progress records with a fulfilment each, of learners that have ten each, by statements of the server."""
    from django.contrib.auth import get_user_model
    from django.db import connection

    from badges.models import BadgeProgress, BadgeRequirement, Fulfillment
    from benchmarks.consumer_events import SIGNAL, analyze

    learners = max(1, min(LEARNERS, records // 10))
    users, now = get_user_model()._meta.db_table, "CURRENT_TIMESTAMP"
    name = "'old-' || n.n" if connection.vendor != "mysql" else "CONCAT('old-', n.n)"
    progress, requirements = BadgeProgress._meta.db_table, BadgeRequirement._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {users} (username, email, full_name, first_name, last_name, password, is_active, is_staff, "
            f"is_superuser, date_joined) SELECT {name}, '', '', '', '', '!', {_true()}, {_false()}, {_false()}, {now} "
            f"FROM {_numbers(learners)}"
        )
        cursor.execute(f"SELECT MIN(id) FROM {users} WHERE username LIKE 'old-%%'", [])
        first = int(cursor.fetchone()[0])
        cursor.execute(f"SELECT DISTINCT template_id FROM {requirements} ORDER BY template_id")
        templates = [row[0] for row in cursor.fetchall()]
        low, many = templates[0], len(templates)
        each = -(-records // learners)
        # Ten templates for each learner, all over the range; they have ids without gaps.
        cursor.execute(
            f"INSERT INTO {progress} (user_id, template_id, created, modified) SELECT {first} + n.n, "
            f"{low} + MOD(n.n * {each} + m.n, {many}), {now}, {now} FROM {_numbers(learners)} "
            f"CROSS JOIN {_numbers(each, 'm')}"
        )
        cursor.execute(
            f"INSERT INTO {Fulfillment._meta.db_table} (progress_id, requirement_id, is_fulfilled, event_type, "
            f"event_id, event_time, evidence, created, modified) SELECT p.id, r.id, {_true()}, '{SIGNAL.event_type}', "
            f"{_uuid()}, {now}, '{{}}', {now}, {now} FROM {progress} p JOIN (SELECT template_id, MIN(id) AS id "
            f"FROM {requirements} GROUP BY template_id) r ON r.template_id = p.template_id"
        )
    analyze()


def _numbers(many: int, name: str = "n") -> str:
    """A table of the numbers from 0."""
    from django.db import connection

    if connection.vendor == "postgresql":
        return f"generate_series(0, {many - 1}) AS {name}(n)"
    if connection.vendor == "mysql":
        return f"(SELECT seq AS n FROM seq_0_to_{many - 1}) AS {name}"
    return f"(WITH RECURSIVE c(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c LIMIT {many}) SELECT n FROM c) AS {name}"


def _uuid() -> str:
    from django.db import connection

    return {"postgresql": "gen_random_uuid()", "mysql": "UUID()"}.get(connection.vendor, "lower(hex(randomblob(16)))")


def _true() -> str:
    from django.db import connection

    return "true" if connection.vendor == "postgresql" else "1"


def _false() -> str:
    from django.db import connection

    return "false" if connection.vendor == "postgresql" else "0"
