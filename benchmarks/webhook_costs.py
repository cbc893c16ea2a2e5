"""How long a provider waits for the answer to a webhook, at 100 posts a second.

The web server is gunicorn with two processes, the provider the sandbox, each post a connection and an event of its own.
The load is an open loop: posts are made at their times whether the answers before came or not, and a wait is counted
from the time at which the post should have been made. So a server that stalls is not spared the posts of that time.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from attrs import field, frozen

from benchmarks.project import project
from benchmarks.worker_costs import ORGANIZATION, TEMPLATE, award, make_template, sandbox, wait_until

RATE, SECONDS = 100, 30
BADGES = 100
MOST_MS = 50.0
SENDERS = 50
WARM_UP = 100
ROWS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("stored, and nothing else", "", ()),
    ("deliver_badges --watch 1 beside", "", ("deliver_badges", "--watch", "1")),
    ("db_worker beside, tasks enqueued", "db", ("db_worker", "--interval", "0.1", "--no-startup-delay")),
)
"""What runs, the task engine of ``settings_test.py``, and the worker."""


@frozen
class Row:
    """One run."""

    name: str
    waits: list[float] = field(repr=False)
    """Milliseconds, in order."""
    statuses: dict[str, int]
    processed: int
    """Events that the worker has processed when the last post is answered."""
    load: float
    """Of the machine, before."""

    def at(self, share: float) -> float:
        """The wait that this share of the posts does not exceed, in milliseconds."""
        return self.waits[min(len(self.waits) - 1, int(len(self.waits) * share))]

    def __str__(self) -> str:
        figures = "".join(f"{value:8.1f}" for value in (self.at(0.5), self.at(0.95), self.at(0.99), self.waits[-1]))
        word = "holds" if self.at(0.99) < MOST_MS else "ABOVE"
        others = {status: number for status, number in self.statuses.items() if status != "200"}
        told = f"   not 200: {others}" if others else ""
        return f"{self.name:34}{figures}{self.processed:10,}{self.load:7.1f}   {word} {MOST_MS:.0f}{told}"


def run(largest: int | None) -> int:
    """Measure and print. How long an answer takes is bound by the machine, so the exit code tells nothing."""
    number = min(RATE * SECONDS, largest or RATE * SECONDS)
    with sandbox(delay=0.0) as url:
        config = {
            "credly": {"CREDLY_BASE_URL": f"{url}/", "CREDLY_API_BASE_URL": f"{url}/credly/v1/"},
            "rate": {"calls": 1_000_000},
            "webhooks": {"calls": 1_000_000},
        }
        with project(config=config, tasks="db") as database:
            make_template()
            events = _events(url, len(ROWS) * (number + WARM_UP))
            print(
                f"Milliseconds until a webhook is answered, {RATE} posts a second, {number:,} posts; {database},\n"
                f"gunicorn with 2 processes, {os.cpu_count()} processors\n\n"
                f"{'':34}     p50     p95     p99    most processed   load"
            )
            for name, tasks, worker in ROWS:
                of_row = [events.pop() for _ in range(number + WARM_UP)]
                print(_measured(name, tasks, worker, of_row), flush=True)
            print()
    return 0


def _measured(name: str, tasks: str, worker: Sequence[str], events: list[dict[str, Any]]) -> Row:
    load = os.getloadavg()[0]
    with _server(tasks) as base_url, _worker(worker):
        address = f"{base_url}{_path()}"
        _post_all(address, events[:WARM_UP])
        before = _processed()
        answers = _post_all(address, events[WARM_UP:])
        processed = _processed() - before
    waits = sorted(wait for wait, _ in answers)
    return Row(name, waits, dict(Counter(status for _, status in answers)), processed, load)


def _events(url: str, number: int) -> list[dict[str, Any]]:
    """So many events about badges of ours, made at the sandbox; as they are posted."""
    from badges.models import Badge, Delivery

    award(BADGES)
    # They were issued: nothing is to be delivered here.
    Delivery.objects.all().delete()
    badges = []
    for badge in Badge.objects.select_related("user"):
        answer = _control(
            url,
            "badges",
            {
                "organization": ORGANIZATION["id"],
                "badge_template_id": TEMPLATE,
                "recipient_email": badge.user.email,
                "issued_to_first_name": "Anna",
                "issued_to_last_name": "Lee",
                "issued_at": "2026-01-01 00:00:00 +0000",
                "issuer_earner_id": str(badge.uuid),
            },
        )
        badges.append(answer["id"])
        _control(url, f"badges/{answer['id']}/accept", {})
    is_public, found = True, 0
    while found < number:
        is_public = not is_public
        calls = [{"path": f"badges/{one}/privacy", "body": {"public": is_public}} for one in badges]
        _control(url, "many", {"calls": calls})
        found += 3 * len(badges)
    with urllib.request.urlopen(f"{url}/_sandbox/state", timeout=60) as answer:
        told = json.load(answer)["credly"]["events"]
    keys = ("id", "organization_id", "event_type", "occurred_at")
    return [{key: event[key] for key in keys} for event in told[-number:]]


def _control(url: str, path: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(f"{url}/_sandbox/{path}", json.dumps(body).encode(), method="POST")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


@contextmanager
def _server(tasks: str) -> Iterator[str]:
    """The web server; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "benchmarks.webhook_server", "--preload", "--workers", "2"]
    command += ["--bind", f"127.0.0.1:{port}", "--log-level", "warning"]
    with subprocess.Popen(command, env={**os.environ, "BADGES_TEST_TASKS": tasks}) as process:
        try:
            wait_until(lambda: _accepts(port), timeout=60)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _accepts(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@contextmanager
def _worker(command: Sequence[str]) -> Iterator[None]:
    """A worker process, where there is a command for one."""
    if not command:
        yield
        return
    command = [sys.executable, "manage.py", *command]
    with tempfile.TemporaryFile() as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            yield
        finally:
            process.kill()


def _path() -> str:
    from django.urls import reverse

    from badges.models import ProviderAccount

    account = ProviderAccount.objects.get()
    return reverse("badges:webhook-secret", args=(account.provider, account.pk, str(account.webhook_secret)))


def _processed() -> int:
    from badges.models import WebhookEvent

    return WebhookEvent.objects.filter(finished_at__isnull=False).count()


def _post_all(address: str, events: list[dict[str, Any]]) -> list[tuple[float, str]]:
    """Post them at their times; of each, how long it took and what was answered."""
    start = time.perf_counter() + 0.5
    answers: list[tuple[float, str]] = []

    def work(first: int) -> None:
        for number in range(first, len(events), SENDERS):
            due = start + number / RATE
            time.sleep(max(0.0, due - time.perf_counter()))
            status = _post(address, json.dumps(events[number]))
            answers.append(((time.perf_counter() - due) * 1000, status))

    senders = [threading.Thread(target=work, args=(first,)) for first in range(SENDERS)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    return answers


def _post(address: str, body: str) -> str:
    url = urlsplit(address)
    connection = http.client.HTTPConnection(url.netloc, timeout=30)
    try:
        connection.request("POST", url.path, body, {"Content-Type": "application/json"})
        return str(connection.getresponse().status)
    except (OSError, http.client.HTTPException):
        return "none"
    finally:
        connection.close()
