"""``manage.py adopt_builtin_badges``: take over the data of the Credentials service's built-in badges module."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser, DjangoHelpFormatter
from django.db import Error as DatabaseFailure
from django.db import connection

from badges.exceptions import BadgesError
from badges.host import records
from badges.host.adoption import tables
from badges.host.adoption.context import Stopped
from badges.host.adoption.outcome import Outcome, Report
from badges.host.adoption.premature import PrematureRows, writing
from badges.host.adoption.run import Adoption
from badges.host.installed import is_host
from badges.host.settings import SWITCH
from badges.management.adoption_report import report_lines
from badges.management.progress import ProgressBar
from badges.management.stopping import stop_on_signals
from badges.models import AdoptedRow

FAILURE, TO_DO = 1, 3
EXIT_CODES = """\
exit codes:
  0  nothing is left to be adopted, or all that can be was adopted; what cannot be
     is listed
  1  the database, the settings or the file of --report cannot be used, or a signal
     ended it; what was adopted stays so, and the rest is left for the next time
  2  the arguments are wrong
  3  there is something to adopt, and nothing was changed (without --apply)

SIGTERM or Ctrl-C undoes the template in hand, and prints the report of the others. A
second one ends at once, with 128 and the number of the signal.
"""


class Command(BaseCommand):
    """Template by template, each in one transaction; changes nothing without ``--apply``, and the old tables never."""

    help = (
        "Take over the data of the Credentials service's built-in badges module: organizations and configurations with "
        "their keys, badge templates and groups, requirements, penalties, learners' progress, badges. Prints a plan; "
        "--apply carries it out. The built-in tables are only read. A second run adopts what came since, and changes "
        "nothing else. It works with BADGES_ENABLED off, and beside running consumers."
    )

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        return super().create_parser(prog_name, subcommand, epilog=EXIT_CODES, formatter_class=_Formatter, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        ways = parser.add_mutually_exclusive_group()
        ways.add_argument("--apply", action="store_true", help="Carry the plan out.")
        ways.add_argument("--dry-run", action="store_true", help="Only print the plan. The default.")
        parser.add_argument(
            "--report",
            metavar="FILE",
            help="Write the badges that were awarded before they were earned to this CSV file. It names learners, and "
            "only its owner can read it. Nothing is revoked.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        with _told():
            if self._is_only_to_complete(options["apply"]):
                return
            self._check_tables()
        with _told(options["report"]), stop_on_signals() as stop, contextlib.ExitStack() as stack:
            premature = stack.enter_context(writing(options["report"])) if options["report"] else None
            adoption = Adoption(options["apply"], premature=premature, is_stopping=lambda: stop.requested)
            self._run(adoption, options)
        for line in report_lines(adoption.report, applied=options["apply"]):
            self.stdout.write(line)
        self._tell_of_premature(premature, options)
        if stop.requested:
            raise CommandError("Ended by a signal; the rest is left for the next time.", returncode=FAILURE)
        # After the report: of very many this takes a while, and whoever ends it has seen what was adopted.
        with _told():
            completed = records.complete_records(apply=options["apply"]) if is_host() else 0
        self._end(adoption.report, completed, is_applied=options["apply"])

    def _is_only_to_complete(self, is_applied: bool) -> bool:
        """Complete the host's records where the built-in module never was; whether there were any to complete."""
        present = connection.introspection.table_names()
        if tables.BadgeTemplate._meta.db_table in present or AdoptedRow._meta.db_table not in present or not is_host():
            return False
        completed = records.complete_records(apply=is_applied)
        if completed:
            self._end(Report(), completed, is_applied=is_applied)
        return completed > 0

    def _check_tables(self) -> None:
        """Refuse to run where there is nothing to read, or nowhere to write."""
        absent = tables.missing()
        if tables.BadgeTemplate._meta.db_table in absent:
            raise CommandError(
                "This database does not have the tables of the Credentials service's built-in badges module "
                f"({_some(absent)}), so there is nothing to adopt.",
                returncode=FAILURE,
            )
        if absent := absent or tables.missing_columns():
            raise CommandError(
                f"The tables of the built-in badges module are there only in part ({_some(absent)} missing): its last "
                "migrations were not applied, or it is older than this app knows. Apply them with that module in its "
                f"place, {SWITCH}=False ./manage.py migrate badges, then run this again.",
                returncode=FAILURE,
            )
        if AdoptedRow._meta.db_table not in connection.introspection.table_names():
            raise CommandError("The tables of this app are not all there. Run migrate first.", returncode=FAILURE)

    def _run(self, adoption: Adoption, options: dict[str, Any]) -> None:
        total = adoption.total()
        bar = ProgressBar(self.stdout) if total and self._is_on_terminal(options) else None
        done = 0

        def advance(number: int) -> None:
            nonlocal done
            done += number
            if bar is not None:
                bar.show(min(done, total), total)

        adoption.advance = advance
        try:
            with contextlib.suppress(Stopped):
                adoption.run()
        finally:
            if bar is not None:
                bar.clear()

    def _end(self, report: Report, completed: int, *, is_applied: bool) -> None:
        """Say what it comes to, also by the exit code.

        Arguments:
            completed: badges whose record in the host was missing or wrong.
        """
        self.stdout.write("")
        if completed:
            did = "were" if is_applied else "would be"
            self.stdout.write(f"The host's own records of {completed} badges {did} made or corrected.")
        cannot = report.count(outcome=Outcome.CANNOT)
        rest = f" {cannot} cannot be adopted, see above." if cannot else ""
        if not report.changes and not completed:
            self.stdout.write(f"There is nothing to adopt; nothing was changed.{rest}")
        elif is_applied:
            self.stdout.write(f"{_rows(report.changes)} adopted.{rest}")
        else:
            raise CommandError(
                f"{_rows(report.changes)} to adopt.{rest} Nothing was changed; --apply carries it out.",
                returncode=TO_DO,
            )

    def _tell_of_premature(self, premature: PrematureRows | None, options: dict[str, Any]) -> None:
        if premature is not None:
            self.stdout.write("")
            what = "badge that was awarded before it was earned"
            if premature.number != 1:
                what = "badges that were awarded before they were earned"
            self.stdout.write(f"{options['report']}: {premature.number} {what}.")

    def _is_on_terminal(self, options: dict[str, Any]) -> bool:
        return self.stdout.isatty() and os.environ.get("TERM") != "dumb" and options["verbosity"] > 0


class _Formatter(DjangoHelpFormatter):
    """Keeps the lines of the exit codes."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if text == EXIT_CODES else super()._fill_text(text, width, indent)


@contextlib.contextmanager
def _told(report: str | None = None) -> Iterator[None]:
    """Say of what fails in it what to do; ``report`` is the file that is written in it."""
    try:
        yield
    except DatabaseFailure as error:
        raise CommandError(
            f"The database cannot be used ({type(error).__name__}). Run it again once it can; "
            "what was adopted stays so.",
            returncode=FAILURE,
        ) from None
    except OSError as error:
        if report is None:
            raise
        raise CommandError(
            f"The file {report} cannot be written: {error.strerror or error}.", returncode=FAILURE
        ) from error
    except BadgesError as error:
        raise CommandError(str(error), returncode=FAILURE) from error


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _rows(number: int) -> str:
    return "1 row" if number == 1 else f"{number} rows"
