"""``manage.py deliver_badges``: carry out every delivery that is due, and process every webhook event."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser, DjangoHelpFormatter
from django.db import DatabaseError, InterfaceError, OperationalError, close_old_connections
from django.utils import timezone

from badges.exceptions import BadgesError
from badges.issuing.deliveries import Attempt
from badges.issuing.sweep import BlockedAccount, SweepReport, sweep
from badges.management import inbox_report
from badges.management.preview import later, preview
from badges.management.progress import ProgressBar
from badges.management.stopping import Stop, stop_on_signals
from badges.models import Delivery
from badges.toggles import is_badges_enabled

BROKEN, NEEDS_A_PERSON = 1, 3
LONGEST_PAUSE = 60.0
"""Seconds between two tries at a database that is away, at the most; more where the sweeps are further apart."""
WORDS = {
    "done": "done",
    "retry": "to be retried",
    "wait": "waiting for their account",
    "dead": "given up",
    "cancelled": "not wanted any more",
    "postponed": "postponed by the ceiling of calls",
    "lost": "lost to another worker",
}
EXIT_CODES = """\
exit codes:
  0  everything that was due was attempted; what failed is tried again by itself
  1  something could not be worked on at all, or the settings or the database
     cannot be used
  2  the arguments are wrong
  3  it ran, and something needs a person: an account is stopped, or a delivery
     or a webhook event was given up in this run

With --watch, SIGTERM or Ctrl-C finishes the badge in hand, prints the final
report and exits with 0. A second one ends at once, with 128 and the number of
the signal; what was under way is then taken up after its lease.
"""


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("a whole number of at least 1")
    return int(text)


class Command(BaseCommand):
    """Sweeps over the deliveries, whose workers may have failed or been killed. Safe to run at any time, often."""

    help = (
        "Carry out the deliveries (public signals and provider calls) that are due: those whose next attempt has come, "
        "and those whose worker died. Process the webhook events that are due, too. Run it every minute by cron or a "
        "timer, or once with --watch as a service. It prints nothing if there was nothing."
    )

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        return super().create_parser(prog_name, subcommand, epilog=EXIT_CODES, formatter_class=_Formatter, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--limit",
            type=_at_least_one,
            help="At most this many badges, and this many webhook events, a sweep. Default: no limit.",
        )
        ways = parser.add_mutually_exclusive_group()
        ways.add_argument(
            "--dry-run",
            action="store_true",
            help="Only list what would be attempted and what waits for its account. Changes nothing and asks nobody.",
        )
        ways.add_argument(
            "--watch", type=_at_least_one, metavar="SECONDS", help="Sweep again every so many seconds, until SIGTERM."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not is_badges_enabled():
            raise CommandError("BADGES_ENABLED is off, so nothing is delivered. Set it to True.")
        self._verbosity: int = options["verbosity"]
        self._on_terminal = self.stdout.isatty() and os.environ.get("TERM") != "dumb" and self._verbosity > 0
        try:
            if options["dry_run"]:
                self._preview(options["limit"])
                return
            with stop_on_signals() as stop:
                if options["watch"]:
                    self._watch(options["watch"], options["limit"], stop)
                else:
                    self._once(options["limit"], stop)
        except DatabaseError as error:
            raise CommandError(f"The database cannot be used ({_kind(error)}).{_left(options)}") from error
        except InterfaceError as error:
            raise CommandError(f"The connection to the database broke ({_kind(error)}).{_left(options)}") from error
        except BadgesError as error:
            raise CommandError(str(error)) from error

    def _once(self, limit: int | None, stop: Stop) -> None:
        received = self._process_inbox(limit, stop)
        report = self._sweep(limit, stop)
        if stop.requested:
            self.stdout.write("Ended by a signal; the rest is left for the next sweep.")
        self._say(report, see=", see below")
        for account in report.blocked:
            if account.until is not None and self._is_reported(report):
                self.stdout.write(_told(account))
        self._tell_by_exit_code(report, received)

    def _watch(self, seconds: int, limit: int | None, stop: Stop) -> None:
        if self._on_terminal:
            self.stdout.write(f"Sweeping every {_number(seconds, 'second')}, until Ctrl-C.")
        outcomes: Counter[str] = Counter()
        received: Counter[str] = Counter()
        last, sweeps, failures = SweepReport(), 0, 0
        known: set[BlockedAccount] = set()
        while not stop.requested:
            # After a failure of the database, and where it ends connections that are idle.
            close_old_connections()
            try:
                received += self._process_inbox(limit, stop)
                report = self._sweep(limit, stop)
            except (InterfaceError, OperationalError) as error:
                if not failures:
                    self.stderr.write(f"The database is away ({_kind(error)}), and is tried again and again.")
                stop.wait(max(seconds, min(2.0**failures, LONGEST_PAUSE)))
                failures += 1
                continue
            if failures:
                self.stderr.write("The database is back.")
            failures, sweeps = 0, sweeps + 1
            outcomes.update(report.outcomes)
            self._say(report)
            # Told of once, not at every sweep.
            for account in set(report.blocked) - known:
                self.stderr.write(_told(account))
            known = set(report.blocked)
            last = report
            stop.wait(seconds)
        if self._verbosity > 0:
            ended = f"Ended by a signal after {_number(sweeps, 'sweep')}."
            of_inbox = f" {inbox_report.counted(received)}" if received else ""
            self.stdout.write(f"{ended} {_counted(outcomes)}{_waiting(last)}{of_inbox}")

    def _process_inbox(self, limit: int | None, stop: Stop) -> Counter[str]:
        """First, so that what it causes and what it learns of accounts is known to the deliveries."""
        received = inbox_report.process_inbox(
            limit,
            lambda: stop.requested,
            self.stdout.write if self._verbosity > 0 else None,
            self.stderr.write,
            is_brief=self._on_terminal and self._verbosity < 2,
        )
        if received and self._verbosity > 0:
            self.stdout.write(inbox_report.counted(received))
        return received

    def _sweep(self, limit: int | None, stop: Stop) -> SweepReport:
        bar = ProgressBar(self.stdout) if self._on_terminal else None

        def on_badge(done: int, total: int, attempts: list[Attempt]) -> None:
            shown = [one for one in attempts if self._is_worth_a_line(one)]
            if bar is not None and shown:
                bar.clear()
            for attempt in shown:
                self.stdout.write(
                    f"delivery {attempt.delivery_id} {attempt.action}: {attempt.outcome}. {attempt.detail}".rstrip()
                )
            if bar is not None:
                bar.show(done, total)

        try:
            return sweep(limit=limit, on_badge=on_badge, is_stopping=lambda: stop.requested)
        finally:
            if bar is not None:
                bar.clear()

    def _is_worth_a_line(self, attempt: Attempt) -> bool:
        if self._on_terminal and self._verbosity < 2:
            # The bar tells of the others.
            return attempt.outcome not in ("done", "cancelled", "postponed")
        return self._verbosity > 0

    def _say(self, report: SweepReport, see: str = "") -> None:
        for text in report.broken:
            self.stderr.write(text)
        if self._is_reported(report):
            self.stdout.write(f"{_counted(report.outcomes)}{_waiting(report, see)}")

    def _is_reported(self, report: SweepReport) -> bool:
        # Cron mails whatever is printed.
        return self._verbosity > 0 and bool(report.outcomes or self._on_terminal or self._verbosity > 1)

    def _tell_by_exit_code(self, report: SweepReport, received: Counter[str]) -> None:
        if report.broken:
            raise CommandError(
                f"{_number(len(report.broken), 'badge')} could not be worked on at all; see above.", returncode=BROKEN
            )
        if told := inbox_report.broken(received):
            raise CommandError(told, returncode=BROKEN)
        reasons = [_told(account) for account in report.blocked if account.until is None]
        if given_up := report.outcomes[Delivery.Status.DEAD]:
            told, them = ("1 delivery was", "it") if given_up == 1 else (f"{given_up} deliveries were", "them")
            reasons.append(f"{told} given up. Mend the cause and retry {them} in the admin.")
        if told := inbox_report.needs_person(received):
            reasons.append(told)
        if reasons:
            raise CommandError("\n".join(["A person is needed.", *reasons]), returncode=NEEDS_A_PERSON)

    def _preview(self, limit: int | None) -> None:
        badges: set[tuple[str, int | None]] = set()
        attempted = following = waiting = 0
        for line in preview():
            if limit and line.unit not in badges and len(badges) == limit:
                break
            badges.add(line.unit)
            self.stdout.write(line.text)
            following, waiting = following + line.is_follower, waiting + line.is_blocked
            attempted += not (line.is_follower or line.is_blocked)
        events = 0
        for event in inbox_report.preview(limit):
            events += 1
            self.stdout.write(event)
        told = [f"{attempted} would be attempted"]
        if following:
            told.append(f"{following} would follow if the first one of their account succeeds")
        told.append(f"{waiting} {_verb(waiting)} for their account")
        number, first = later()
        if number:
            told.append(
                f"{number} {_verb(number)} for a later time" + (f", the first for {_time(first)}" if first else "")
            )
        if events:
            told.append(f"{_number(events, 'webhook event')} would be looked at")
        self.stdout.write(f"{', '.join(told)}. Nothing was changed.")


class _Formatter(DjangoHelpFormatter):
    """Keeps the lines of the exit codes."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if text == EXIT_CODES else super()._fill_text(text, width, indent)


def _counted(outcomes: Counter[str]) -> str:
    told = ", ".join(f"{outcomes[name]} {words}" for name, words in WORDS.items() if outcomes[name] or name == "done")
    return f"{_number(outcomes.total(), 'attempt')}: {told}."


def _waiting(report: SweepReport, see: str = "") -> str:
    if not report.waiting:
        return ""
    told = "1 delivery waits" if report.waiting == 1 else f"{report.waiting} deliveries wait"
    if report.is_all_for_accounts:
        told += (" for its account" if report.waiting == 1 else ", all of them for an account") + see
    if report.next_attempt_at is not None:
        is_due = report.next_attempt_at <= timezone.now()
        told += "; the next one is due now" if is_due else f"; the next one for {_time(report.next_attempt_at)}"
    return f" {told}."


def _told(account: BlockedAccount) -> str:
    if account.until is None:
        return f'The account "{account.name}" is stopped: {account.reason}'
    return f'The account "{account.name}" rests until {_time(account.until)}: {account.reason}'


def _number(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _verb(number: int) -> str:
    return "waits" if number == 1 else "wait"


def _time(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S %Z}" if moment else ""


def _kind(error: Exception) -> str:
    return type(error).__name__


def _left(options: dict[str, Any]) -> str:
    return "" if options["dry_run"] else " What was under way is taken up after its lease."
