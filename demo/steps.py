"""The steps of the demo, after its servers are there. Needs Django to be set up."""

from __future__ import annotations

import contextlib
import os
import shlex
import socket
import sys
import urllib.request
from collections.abc import Sequence

from attrs import frozen

from demo import report, scenario
from demo.outcome import (
    Stream,
    Unexpected,
    badges_of,
    connect_to_stream,
    inbox_table,
    is_inbox_done,
    issued_table,
    progress_table,
    verify,
)
from demo.paths import TOP, VAR
from demo.processes import LOOPBACK, Child, ProcessFailed, free_port, running, wait_until
from demo.sandbox import seed
from demo.sandbox.process import RunningSandbox

GROUP = "credentials_dev"
CONSUME = (
    f"consume_events -t {scenario.TOPIC} -g {GROUP} "
    """--extra='{"consumer_name": "credentials_dev.consumer1"}'"""
)
"""As the settings document writes it."""
TIME_LIMIT = 60.0
"""Seconds that any one step may take."""


@frozen
class Running:
    """The processes of the demo's project, which live as long as the stack."""

    consumer: Child
    web: Child
    port: int
    """Of the web process."""


def run(stack: contextlib.ExitStack, sandbox: RunningSandbox) -> Running:
    """All steps, in order; gives the processes.

    Raises:
        ProcessFailed: something did not start, ended, or came out otherwise than it must.
        TimedOut: something did not happen in time.
    """
    report.step(2, "Accounts at the providers, and their templates")
    scenario.add_accounts()
    scenario.synchronize(report.Lines())

    report.step(3, "What earns a badge, and what takes it away")
    templates = scenario.configure()
    report.pairs(scenario.description(templates))

    report.step(4, "The consumer, and the web process")
    stream = connect_to_stream(GROUP)
    stack.callback(stream.client.close)
    running = _start(stack, stream)
    address = scenario.webhook_address(f"http://{LOOPBACK}:{running.port}")
    sandbox.set_webhook_url(seed.ORGANIZATION_ID, address, scenario.WANTED)
    report.line(f"Credly calls back at {address.rstrip('/').rpartition('/')[0]}/..., which ends in a secret")

    report.step(5, "Learners work")
    scenario.produce(scenario.FIRST_DEEDS, report.line)
    _show_results(6, scenario.FIRST_RESULTS, templates, sandbox, stream, running)

    report.step(7, "A learner accepts her badge at Credly")
    _accept(sandbox, stream, running)

    report.step(8, "Later, grades change")
    scenario.produce(scenario.LATER_DEEDS, report.line)
    _show_results(9, scenario.LATER_RESULTS, templates, sandbox, stream, running)

    report.step(10, "All that went over the bus")
    report.pairs([(f"{number:>3}", event_type) for event_type, number in sorted(stream.counts().items())])
    print(f"\n{report.styled('Everything came out as it must.', 'green')}", flush=True)
    return running


def _start(stack: contextlib.ExitStack, stream: Stream) -> Running:
    report.line(f"./manage.py {CONSUME}")
    consumer = stack.enter_context(_manage("The consumer", *shlex.split(CONSUME)))
    port = free_port(8000)
    serve = ("runserver", "--noreload", "--insecure", "--skip-checks", f"{LOOPBACK}:{port}")
    report.line(f"./manage.py {shlex.join(serve)}")
    web = stack.enter_context(_manage("The web process", *serve))
    alive = [consumer, web]
    wait_until(stream.has_consumer, "the consumer reads its topic", timeout=TIME_LIMIT, alive=alive)
    wait_until(lambda: _accepts(port), "the web process answers", timeout=TIME_LIMIT, alive=alive)
    return Running(consumer, web, port)


def _settle(sandbox: RunningSandbox, stream: Stream, running: Running) -> None:
    """Wait until every event of the bus and of the provider has had its effect."""

    def is_settled() -> bool:
        posts = sandbox.webhooks()
        is_posted = not (posts["waiting"] or posts["retrying"] or posts["in_progress"])
        return stream.is_settled() and is_posted and is_inbox_done() and stream.is_settled()

    alive = [running.consumer, running.web]
    wait_until(is_settled, "the consumer has done with every event", timeout=TIME_LIMIT, alive=alive)


def _show_results(
    number: int,
    expected: Sequence[scenario.Expected],
    templates: scenario.Templates,
    sandbox: RunningSandbox,
    stream: Stream,
    running: Running,
) -> None:
    _settle(sandbox, stream, running)
    report.step(number, "What came of it")
    report.table(*progress_table())
    report.line()
    report.line("Issued at the providers:")
    report.table(*issued_table())
    try:
        verify(expected, templates, sandbox.state())
    except Unexpected as unexpected:
        raise ProcessFailed(f"Something came out otherwise than it must:\n{unexpected}") from unexpected


def _accept(sandbox: RunningSandbox, stream: Stream, running: Running) -> None:
    """A learner accepts on the page that Credly sent her to; Credly tells us, and the badge here follows."""
    learner = scenario.ACCEPTS.username
    [pending] = badges_of(learner)
    report.line(f"{learner} opens {pending.url} and accepts.")
    known = {event["id"] for event in sandbox.state()["credly"]["events"]}
    with urllib.request.urlopen(pending.url, data=b"", timeout=TIME_LIMIT):
        pass
    _settle(sandbox, stream, running)
    [accepted] = badges_of(learner)
    report.line()
    report.line("What Credly's webhooks told, and the consumer asked Credly for:")
    report.table(*inbox_table({event["id"] for event in sandbox.state()["credly"]["events"]} - known))
    report.line()
    report.line(f"The badge here: {pending.state} -> {accepted.state}  {accepted.url}")
    if (pending.state, accepted.state) != ("pending", "accepted"):
        raise ProcessFailed("The state of the badge did not follow.")


def keep(sandbox: RunningSandbox, running: Running) -> None:
    """Serve the admin until Ctrl-C.

    Raises:
        ProcessFailed: one of the processes ended.
    """
    python = f"{os.path.relpath(sys.executable)} {os.path.relpath(TOP / 'demo' / 'manage.py')}"
    report.step(11, "Yours to try, until Ctrl-C")
    report.pairs(
        [
            ("Admin", f"http://{LOOPBACK}:{running.port}/admin/badges/"),
            ("Login", "admin, password admin"),
            ("Provider sandbox", f"{sandbox.url}/"),
            ("Logs", str(VAR)),
        ]
    )
    report.line()
    report.line("From another terminal, the event that Carla's badge still needs:")
    report.line(f"  {python} {shlex.join(scenario.MISSING_DEED.command())}")
    report.line(f"Ben's badge is to be accepted, or rejected, at {sandbox.url}/; its state here follows.")
    report.line("And what is left to deliver:")
    report.line(f"  {python} deliver_badges")
    wait_until(lambda: False, "never", timeout=float("inf"), alive=[running.web, running.consumer])


def _manage(name: str, *arguments: str) -> contextlib.AbstractContextManager[Child]:
    """A command of the demo's project, as a process."""
    command = [sys.executable, str(TOP / "demo" / "manage.py"), *arguments]
    return running(name, command, log=VAR / f"{arguments[0]}.log", cwd=TOP)


def _accepts(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
        return True
    return False
