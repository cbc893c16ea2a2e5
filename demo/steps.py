"""The steps of the demo, after its servers are there. Needs Django to be set up."""

from __future__ import annotations

import contextlib
import os
import shlex
import socket
import sys

from demo import report, scenario
from demo.outcome import Unexpected, connect_to_stream, issued_table, progress_table, verify
from demo.paths import TOP, VAR
from demo.processes import LOOPBACK, Child, ProcessFailed, free_port, running, wait_until
from demo.sandbox.process import RunningSandbox

GROUP = "credentials_dev"
CONSUME = (
    f"consume_events -t {scenario.TOPIC} -g {GROUP} "
    """--extra='{"consumer_name": "credentials_dev.consumer1"}'"""
)
"""As the settings document writes it."""
TIME_LIMIT = 60.0
"""Seconds that any one step may take."""
PHASES = (
    ("Learners work", scenario.FIRST_DEEDS, scenario.FIRST_RESULTS),
    ("Later, grades change", scenario.LATER_DEEDS, scenario.LATER_RESULTS),
)


def run(stack: contextlib.ExitStack, sandbox: RunningSandbox) -> Child:
    """All steps, in order; gives the consumer, which lives as long as the stack.

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

    report.step(4, "The consumer")
    report.line(f"./manage.py {CONSUME}")
    consumer = stack.enter_context(_manage("The consumer", *shlex.split(CONSUME)))
    stream = connect_to_stream(GROUP)
    stack.callback(stream.client.close)
    wait_until(stream.has_consumer, "the consumer reads its topic", timeout=TIME_LIMIT, alive=[consumer])

    for number, (title, deeds, results) in enumerate(PHASES):
        report.step(5 + 2 * number, title)
        scenario.produce(deeds, report.line)
        wait_until(stream.is_settled, "the consumer has done with every event", timeout=TIME_LIMIT, alive=[consumer])
        report.step(6 + 2 * number, "What came of it")
        report.table(*progress_table())
        report.line()
        report.line("Issued at the providers:")
        report.table(*issued_table())
        try:
            verify(results, templates, sandbox.state())
        except Unexpected as unexpected:
            raise ProcessFailed(f"Something came out otherwise than it must:\n{unexpected}") from unexpected

    report.step(9, "All that went over the bus")
    report.pairs([(f"{number:>3}", event_type) for event_type, number in sorted(stream.counts().items())])
    print(f"\n{report.styled('Everything came out as it must.', 'green')}", flush=True)
    return consumer


def keep(stack: contextlib.ExitStack, sandbox: RunningSandbox, consumer: Child) -> None:
    """Serve the admin until Ctrl-C.

    Raises:
        ProcessFailed: the admin or the consumer ended.
    """
    port = free_port(8000)
    admin = stack.enter_context(
        _manage("The admin", "runserver", "--noreload", "--insecure", "--skip-checks", f"{LOOPBACK}:{port}")
    )
    wait_until(lambda: _accepts(port), "the admin answers", timeout=TIME_LIMIT, alive=[admin])
    python = f"{os.path.relpath(sys.executable)} {os.path.relpath(TOP / 'demo' / 'manage.py')}"
    report.step(10, "Yours to try, until Ctrl-C")
    report.pairs(
        [
            ("Admin", f"http://{LOOPBACK}:{port}/admin/badges/"),
            ("Login", "admin, password admin"),
            ("Provider sandbox", f"{sandbox.url}/"),
            ("Logs", str(VAR)),
        ]
    )
    report.line()
    report.line("From another terminal, the event that Carla's badge still needs:")
    report.line(f"  {python} {shlex.join(scenario.MISSING_DEED.command())}")
    report.line("And what is left to deliver:")
    report.line(f"  {python} deliver_badges")
    wait_until(lambda: False, "never", timeout=float("inf"), alive=[admin, consumer])


def _manage(name: str, *arguments: str) -> contextlib.AbstractContextManager[Child]:
    """A command of the demo's project, as a process."""
    command = [sys.executable, str(TOP / "demo" / "manage.py"), *arguments]
    return running(name, command, log=VAR / f"{arguments[0]}.log", cwd=TOP)


def _accepts(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
        return True
    return False
