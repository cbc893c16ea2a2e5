"""``manage.py deliver_badges``: carry out every delivery that is due."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser, DjangoHelpFormatter
from django.db import DatabaseError, InterfaceError, OperationalError, close_old_connections

from badges.exceptions import BadgesError, describe
from badges.issuing.deliveries import Attempt
from badges.issuing.sweep import BlockedAccount, SweepReport, sweep
from badges.management.preview import preview
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
     was given up in this run

With --watch, SIGTERM or Ctrl-C finishes the badge in hand, prints the final
report and exits with 0. A second one ends at once, with 128 and the number of
the signal; what was under way is then taken up after its lease.
"""


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


class Command(BaseCommand):
    """Sweeps over the deliveries, whose workers may have failed or been killed. Safe to run at any time, often."""

    help = (
        "Carry out the deliveries (public signals and provider calls) that are due: those whose next attempt has come, "
        "and those whose worker died. Run it every minute by cron or a timer, or once with --watch as a service. It "
        "prints nothing if there was nothing."
    )

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        return super().create_parser(prog_name, subcommand, epilog=EXIT_CODES, formatter_class=_Formatter, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--limit", type=_at_least_one, help="At most this many badges a sweep. Default: no limit.")
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
            raise CommandError(
                f"The database cannot be used: {describe(error)} What was under way is taken up after its lease."
            ) from error
        except InterfaceError as error:
            raise CommandError(f"The connection to the database broke: {describe(error)}") from error
        except BadgesError as error:
            raise CommandError(str(error)) from error

    def _once(self, limit: int | None, stop: Stop) -> None:
        report = self._sweep(limit, stop)
        if stop.requested:
            self.stdout.write("Ended by a signal; the rest is left for the next sweep.")
        self._say(report)
        for account in report.blocked:
            if account.until is not None and report.outcomes and self._verbosity > 0:
                self.stdout.write(_told(account))
        self._tell_by_exit_code(report)

    def _watch(self, seconds: int, limit: int | None, stop: Stop) -> None:
        if self._on_terminal:
            self.stdout.write(f"Sweeping every {seconds} seconds, until Ctrl-C.")
        total, sweeps, failures = SweepReport(), 0, 0
        known: set[BlockedAccount] = set()
        while not stop.requested:
            # After a failure of the database, and where it ends connections that are idle.
            close_old_connections()
            try:
                report = self._sweep(limit, stop)
            except (InterfaceError, OperationalError) as error:
                if not failures:
                    self.stderr.write(f"The database is away, and is tried again and again: {describe(error)}")
                stop.wait(max(seconds, min(2.0**failures, LONGEST_PAUSE)))
                failures += 1
                continue
            if failures:
                self.stderr.write("The database is back.")
            failures, sweeps = 0, sweeps + 1
            total.outcomes.update(report.outcomes)
            self._say(report)
            # Told of once, not at every sweep.
            for account in set(report.blocked) - known:
                self.stderr.write(_told(account))
            known = set(report.blocked)
            total.waiting, total.next_attempt_at = report.waiting, report.next_attempt_at
            stop.wait(seconds)
        if self._verbosity > 0:
            self.stdout.write(f"Ended by a signal after {sweeps} sweeps. {_counted(total.outcomes)}{_waiting(total)}")

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

    def _say(self, report: SweepReport) -> None:
        for text in report.broken:
            self.stderr.write(text)
        if self._verbosity < 1:
            return
        # Cron mails whatever is printed.
        if report.outcomes or self._on_terminal or self._verbosity > 1:
            self.stdout.write(f"{_counted(report.outcomes)}{_waiting(report)}")

    def _tell_by_exit_code(self, report: SweepReport) -> None:
        if report.broken:
            raise CommandError(
                f"{len(report.broken)} badges could not be worked on at all; see above.", returncode=BROKEN
            )
        reasons = [_told(account) for account in report.blocked if account.until is None]
        if given_up := report.outcomes[Delivery.Status.DEAD]:
            reasons.append(f"{given_up} deliveries were given up. Mend the cause and retry them in the admin.")
        if reasons:
            raise CommandError("\n".join(["A person is needed.", *reasons]), returncode=NEEDS_A_PERSON)

    def _preview(self, limit: int | None) -> None:
        badges: set[int] = set()
        attempted = waiting = 0
        for line in preview():
            if limit and line.badge_id not in badges and len(badges) == limit:
                break
            badges.add(line.badge_id)
            self.stdout.write(line.text)
            attempted, waiting = attempted + (not line.is_blocked), waiting + line.is_blocked
        self.stdout.write(f"{attempted} would be attempted, {waiting} wait for their account. Nothing was changed.")


class _Formatter(DjangoHelpFormatter):
    """Keeps the lines of the exit codes."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if text == EXIT_CODES else super()._fill_text(text, width, indent)


def _counted(outcomes: Counter[str]) -> str:
    told = ", ".join(f"{outcomes[name]} {words}" for name, words in WORDS.items() if outcomes[name] or name == "done")
    return f"{outcomes.total()} attempts: {told}."


def _waiting(report: SweepReport) -> str:
    if not report.waiting or report.next_attempt_at is None:
        return ""
    return f" {report.waiting} deliveries wait, the next one for {report.next_attempt_at:%Y-%m-%d %H:%M:%S %Z}."


def _told(account: BlockedAccount) -> str:
    if account.until is None:
        return f'The account "{account.name}" is stopped: {account.reason}'
    return f'The account "{account.name}" rests until {account.until:%Y-%m-%d %H:%M:%S %Z}: {account.reason}'
