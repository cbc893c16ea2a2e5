"""``manage.py purge_badges``: delete what names learners and is not needed any more."""

from __future__ import annotations

import argparse
import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser, DjangoHelpFormatter
from django.db import Error as DatabaseFailure
from django.utils import timezone

from badges.exceptions import BadgesError
from badges.management.progress import ProgressBar
from badges.management.stopping import Stop, stop_on_signals
from badges.privacy.retention import AT_ONCE, purge
from badges.webhooks.applying.employment import link_employees

FAILURE = 1
LARGEST_BATCH = 10_000
WORDS = {
    "webhooks": ("webhook event", "webhook events"),
    "dead_events": ("dead event", "dead events"),
    "provider_badges": ("badge that is only at the provider", "badges that are only at the provider"),
    "employees": ("employee", "employees"),
    "attempts": ("delivery attempt", "delivery attempts"),
}
EXIT_CODES = """\
exit codes:
  0  everything that was old enough is deleted
  1  the settings or the database cannot be used, or a signal ended it; what was
     deleted stays so, and the rest is left for the next time
  2  the arguments are wrong

SIGTERM or Ctrl-C finishes the transaction in hand, and prints the report. A second
one ends at once, with 128 and the number of the signal.
"""


class Command(BaseCommand):
    """In small transactions, beside whatever else runs; also with the feature switched off, for what is stored ages."""

    help = (
        'Delete what names learners and is older than the days in BADGES_CONFIG["retention"]: webhook events that '
        "ended, dead events that were replayed or discarded, badges that are only at the provider and of which there "
        "is no news, employees whom the provider does not show any more, and attempts of deliveries that ended. "
        "Employees whose learner has a user record by now are linked to it. Run it every night by cron or a timer."
    )

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        return super().create_parser(prog_name, subcommand, epilog=EXIT_CODES, formatter_class=_Formatter, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Only count what would be deleted.")
        parser.add_argument(
            "--batch-size",
            type=_batch_size,
            default=AT_ONCE,
            metavar="N",
            help=f"Rows that one transaction deletes at the most. Default: {AT_ONCE}.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        try:
            would = purge(now, is_dry_run=True)
            if options["dry_run"]:
                self._report(would, "would be deleted")
                return
            with stop_on_signals() as stop:
                counts = self._purge(now, sum(would.values()), options, stop)
                linked = 0 if stop.requested else link_employees()
        except DatabaseFailure as error:
            raise CommandError(
                f"The database cannot be used ({type(error).__name__}). What was deleted stays so; run it again.",
                returncode=FAILURE,
            ) from None
        except BadgesError as error:
            raise CommandError(str(error), returncode=FAILURE) from error
        if options["verbosity"] > 0:
            if any(counts.values()) or self._is_on_terminal(options):
                self._report(counts, "deleted")
            if linked:
                self.stdout.write(f"{_number(linked, 'employees')} linked to a learner.")
        if stop.requested:
            raise CommandError("Ended by a signal; the rest is left for the next time.", returncode=FAILURE)

    def _purge(self, now: Any, total: int, options: dict[str, Any], stop: Stop) -> dict[str, int]:
        bar = ProgressBar(self.stdout) if total and self._is_on_terminal(options) else None
        done = 0

        def on_batch(kind: str, deleted: int) -> None:
            nonlocal done
            done += deleted
            if bar is not None:
                bar.show(done, max(done, total))

        try:
            return purge(now, batch_size=options["batch_size"], on_batch=on_batch, is_stopping=lambda: stop.requested)
        finally:
            if bar is not None:
                bar.clear()

    def _report(self, counts: dict[str, int], did: str) -> None:
        for kind, number in counts.items():
            if number:
                self.stdout.write(f"{_number(number, kind)} {did}.")
        if not any(counts.values()):
            self.stdout.write(f"Nothing {did}: nothing is old enough.")

    def _is_on_terminal(self, options: dict[str, Any]) -> bool:
        return self.stdout.isatty() and os.environ.get("TERM") != "dumb" and options["verbosity"] > 0


class _Formatter(DjangoHelpFormatter):
    """Keeps the lines of the exit codes."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if text == EXIT_CODES else super()._fill_text(text, width, indent)


def _batch_size(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:9]) <= LARGEST_BATCH:
        raise argparse.ArgumentTypeError(f"a whole number from 1 to {LARGEST_BATCH}")
    return int(text)


def _number(number: int, kind: str) -> str:
    one, many = WORDS[kind]
    return f"{number} {one if number == 1 else many}"
