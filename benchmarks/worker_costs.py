"""Deliveries per second with a provider that answers in 100 ms, by 1, 4 and 16 worker processes of ``django-tasks-db``.

The provider is the sandbox, in a process of its own; the workers are ``manage.py db_worker``. All have started before
there is anything to do; the clock runs from the first badge that is issued to the last. Once more with the default
ceiling of calls, which then is what bounds the rate, however many workers there are.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.project import project
from benchmarks.report import verdict

ANSWER_S = 0.1
LEARNERS = {1: 40, 4: 120, 16: 320}
"""Workers -> how many badges they issue."""
WITH_CEILING, AT_FIRST = 90, 50
"""Badges in the run with the default ceiling, and how many of them come faster: some calls may come at once."""
ORGANIZATION = {"id": "6f1c2f5e-54a4-4a5b-9d0e-6f0d7a1b0001", "name": "Bench", "token": "bench-token"}
TEMPLATE = "6f1c2f5e-54a4-4a5b-9d0e-6f0d7a1b0002"
UNLIMITED = {"calls": 1_000_000}
READY = "Starting worker"


def run(largest: int | None) -> int:
    """Measure, print, and tell by the exit code whether the promised figures hold."""
    with sandbox() as url:
        config = {"credly": {"CREDLY_BASE_URL": f"{url}/", "CREDLY_API_BASE_URL": f"{url}/credly/v1/"}}
        with project(config={**config, "rate": UNLIMITED}, tasks="db") as database:
            from badges.conf import RateSettings

            make_template()
            print(
                f"Badges issued per second, the provider answers in {ANSWER_S * 1000:.0f} ms; {database}, db_worker "
                f"processes,\n{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} before\n"
            )
            rates = {
                workers: rate_of(workers, min(learners, largest or learners)) for workers, learners in LEARNERS.items()
            }
            for workers, rate in rates.items():
                print(f"{workers:4} workers {rate:8.1f}/s {rate / rates[1]:8.2f} x")
            os.environ["BADGES_TEST_CONFIG"] = json.dumps(config)
            default = RateSettings()
            bound = (default.calls - int(default.calls) // 5) / default.seconds
            rate = rate_of(4, AT_FIRST + min(WITH_CEILING - AT_FIRST, largest or WITH_CEILING), at_first=AT_FIRST)
            print(f"   4 workers {rate:8.1f}/s            below the default ceiling, whose bound is {bound:.1f}/s\n")
    return verdict(promises(rates, rate, bound))


def promises(rates: dict[int, float], with_ceiling: float, bound: float) -> list[str]:
    """The promised figures that do not hold."""
    one, four, sixteen = rates.values()
    broken = []
    if four < 2 * one:
        broken.append(f"four workers do {four / one:.1f} times what one does, less than 2")
    # Beyond the machine's processors more workers cannot do more; they must not get in each other's way either.
    if sixteen < 0.5 * four:
        broken.append(f"sixteen workers do {sixteen / four:.1f} times what four do, less than 0.5")
    if with_ceiling > 1.05 * bound:
        broken.append(f"{with_ceiling:.1f} calls a second are more than the ceiling's {bound:.1f}")
    return broken


@contextmanager
def sandbox(delay: float = ANSWER_S) -> Iterator[str]:
    """The provider sandbox as a process, slow by so many seconds; gives its address."""
    seed = {"credly": [{**ORGANIZATION, "templates": [{"id": TEMPLATE, "name": "Bench", "state": "active"}]}]}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(seed, file)
        file.flush()
        command = [sys.executable, "-m", "demo.sandbox", "--port", "0", "--until-input-ends", "--seed", file.name]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                url = process.stdout.readline().strip().split()[-1].rstrip("/")
                fault = json.dumps({"kind": "delay", "delay": delay, "path": "^/credly/"}).encode()
                with urllib.request.urlopen(f"{url}/_sandbox/faults", data=fault, timeout=10):
                    yield url
            finally:
                process.terminate()


def make_template() -> None:
    """An active template at the sandbox."""
    from badges.models import BadgeTemplate, ProviderAccount

    account = ProviderAccount.objects.create(
        provider="credly", name="Bench", external_id=ORGANIZATION["id"], api_key=ORGANIZATION["token"]
    )
    BadgeTemplate.objects.create(
        name="Bench", account=account, provider="credly", external_id=TEMPLATE, state="active", is_active=True
    )


def rate_of(workers: int, badges: int, *, at_first: int = 0) -> float:
    """Badges issued per second by so many worker processes, from the one after ``at_first`` on."""
    with ExitStack() as stack:
        logs = [stack.enter_context(worker()) for _ in range(workers)]
        wait_until(lambda: all(READY in log.read_text() for log in logs))
        awarded = award(badges)
        wait_until(lambda: left_of(awarded) == 0)
    return measured(awarded, at_first)


@contextmanager
def worker() -> Iterator[Path]:
    """A worker process; gives its log."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        command = [sys.executable, "manage.py", "db_worker", "--interval", "0.1", "--no-startup-delay"]
        with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
            try:
                yield log
            finally:
                process.terminate()


def award(learners: int) -> list[int]:
    """Award so many badges, and let the workers see all their tasks at once."""
    from django.contrib.auth import get_user_model
    from django.db import transaction
    from django.utils import timezone

    from badges.issuing.tasks import enqueue
    from badges.models import Badge, BadgeTemplate, Delivery

    template, now = BadgeTemplate.objects.get(), timezone.now()
    user_model: Any = get_user_model()
    known = user_model.objects.count()
    names = [f"learner{number}" for number in range(known, known + learners)]
    with transaction.atomic():
        users = user_model.objects.bulk_create(
            user_model(username=name, email=f"{name}@example.com", full_name="Anna Lee") for name in names
        )
        badges = Badge.objects.bulk_create(Badge(user=user, template=template, awarded_at=now) for user in users)
        Delivery.objects.bulk_create(
            Delivery(badge=badge, action=action)
            for badge in badges
            for action in (Delivery.Action.ANNOUNCE_AWARDED, Delivery.Action.ISSUE)
        )
        for badge in badges:
            enqueue(badge.pk)
    return [badge.pk for badge in badges]


def left_of(badges: list[int]) -> int:
    """How many deliveries of these badges are not done."""
    from badges.models import Delivery

    return Delivery.objects.filter(badge_id__in=badges).exclude(status=Delivery.Status.DONE).count()


def measured(badges: list[int], at_first: int) -> float:
    """Badges issued per second, from when each is recorded as issued."""
    from badges.models import Delivery

    issued = Delivery.objects.filter(badge_id__in=badges, action=Delivery.Action.ISSUE)
    assert not issued.exclude(attempts=1).exists(), "a badge took more than one attempt"
    ends = sorted(end for end in issued.values_list("finished_at", flat=True) if end is not None)[at_first:]
    return (len(ends) - 1) / (ends[-1] - ends[0]).total_seconds()


def wait_until(condition: Any, timeout: float = 180.0) -> None:
    """Wait for a condition; a benchmark that hangs is none."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            raise SystemExit("The workers did not do what they were started for in time.")
        time.sleep(0.2)
