"""``manage.py replay_events``: process dead events again."""

from __future__ import annotations

import argparse
import os
import uuid
from typing import Any

from attrs import define
from django.core.management.base import BaseCommand, CommandError, CommandParser, DjangoHelpFormatter
from django.db import Error as DatabaseFailure
from django.db.models import Q, QuerySet

from badges.issuing import tasks
from badges.management.progress import ProgressBar
from badges.management.stopping import Stop, stop_on_signals
from badges.models import DeadEvent
from badges.processing.replaying import Busy, Replayed, in_order, replay_all, replayable
from badges.toggles import is_badges_enabled

FAILURE, NEEDS_A_PERSON = 1, 3
AT_ONCE = 100
"""After so many events their deliveries are begun."""
SELECTORS = ("id", "event_id", "event_type", "kind", "error", "all")
EXIT_CODES = """\
exit codes:
  0  everything that was selected was replayed; or nothing was selected
  1  the database cannot be used, or a signal ended it; what was replayed stays
     so, and the rest waits
  2  the arguments are wrong
  3  it ran, and some events could not be replayed; each is told with its reason

SIGTERM or Ctrl-C finishes the event in hand, and prints the report. A second one
ends at once, with 128 and the number of the signal.
"""


class Command(BaseCommand):
    """Each event in a transaction of its own, in the order of the events. Safe to run again, and beside others."""

    help = (
        "Process dead events again: those that wait, in the order of their events. Select them with one or more of the "
        "options; an event has to fit all that are given. What is lost or discarded is never among them."
    )

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        return super().create_parser(prog_name, subcommand, epilog=EXIT_CODES, formatter_class=_Formatter, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--id", type=_id, action="append", metavar="N", help="Only the dead event with this number; repeatable."
        )
        parser.add_argument(
            "--event-id", type=_event_id, action="append", metavar="UUID", help="Only this event; repeatable."
        )
        parser.add_argument("--event-type", metavar="TYPE", help="Only events of this type.")
        kinds = [kind for kind in DeadEvent.Kind.values if kind != DeadEvent.Kind.LOST]
        parser.add_argument("--kind", choices=kinds, help="Only what is here for this cause.")
        parser.add_argument("--error", metavar="TEXT", help="Only those whose error contains this text.")
        parser.add_argument("--all", action="store_true", help="All that wait.")
        parser.add_argument(
            "--dry-run", action="store_true", help="Only list what would be replayed. Nothing is changed."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not is_badges_enabled():
            raise CommandError("BADGES_ENABLED is off, so no event is processed. Set it to True.")
        if not any(options[name] for name in SELECTORS):
            raise CommandError("Say which: --id, --event-id, --event-type, --kind, --error or --all.", returncode=2)
        if options["all"] and any(options[name] for name in SELECTORS[:-1]):
            raise CommandError("--all goes with no other selection.", returncode=2)
        try:
            ids = in_order(replayable(_selected(options)))
            if options["dry_run"]:
                self._list(ids)
                return
            with stop_on_signals() as stop:
                failed, rest = self._replay(ids, options, stop)
            failed += self._tell_unreplayable(options)
        except DatabaseFailure as error:
            raise CommandError(
                f"The database cannot be used ({type(error).__name__}). What was replayed stays so; run it again.",
                returncode=FAILURE,
            ) from None
        if rest:
            raise CommandError(f"Ended early: {_number(rest, 'event')} still to be replayed.", returncode=FAILURE)
        if failed:
            raise CommandError(
                f"A person is needed: {_number(failed, 'event')} could not be replayed, see above.",
                returncode=NEEDS_A_PERSON,
            )

    def _list(self, ids: list[int]) -> None:
        for start in range(0, len(ids), AT_ONCE):
            page = ids[start : start + AT_ONCE]
            rows = DeadEvent.objects.filter(pk__in=page).defer("payload", "body", "metadata").in_bulk()
            for pk in page:
                if (row := rows.get(pk)) is not None:
                    self.stdout.write(_line(row))
        self.stdout.write(f"{_number(len(ids), 'event')} would be replayed. Nothing was changed.")

    def _replay(self, ids: list[int], options: dict[str, Any], stop: Stop) -> tuple[int, int]:
        """Replay, and tell; how many failed, and how many were not begun with."""
        bar = ProgressBar(self.stdout) if self._is_on_terminal(options) else None
        report = _Report()
        try:
            for start in range(0, len(ids), AT_ONCE):
                # Deliveries may be slow: they begin when a good number of events is processed.
                with tasks.held() as badge_ids:
                    for came in replay_all(ids[start : start + AT_ONCE]):
                        self._show(came, report, len(ids), bar)
                        if stop.requested:
                            break
                tasks.enqueue_all(badge_ids, is_stopping=lambda: stop.requested)
                if stop.requested:
                    break
        except Busy as error:
            self.stderr.write(str(error))
        if bar is not None:
            bar.clear()
        self.stdout.write(
            f"{_number(report.replayed, 'event')} replayed: {_number(report.fulfilled, 'requirement')} fulfilled, "
            f"{report.reset} reset; {_number(report.awarded, 'badge')} awarded, {report.revoked} revoked. "
            f"{report.failed} failed again."
        )
        return report.failed, len(ids) - report.done

    def _show(self, came: Replayed, report: _Report, total: int, bar: ProgressBar | None) -> None:
        report.add(came)
        if came.error:
            if bar is not None:
                bar.clear()
            self.stderr.write(f"dead event {came.dead_event_id}: {came.error}")
        if bar is not None:
            bar.show(report.done, total)

    def _tell_unreplayable(self, options: dict[str, Any]) -> int:
        """Of what was named one by one, tell what is not there or cannot be replayed; how many."""
        told = 0
        for name, lookup in (("id", "pk"), ("event_id", "event_id")):
            for value in options[name] or ():
                row = DeadEvent.objects.filter(**{lookup: value}).defer("payload", "body").first()
                if row is None:
                    why = "there is none"
                elif row.status == DeadEvent.Status.DISCARDED:
                    why = f"it was discarded: {row.note} Put it back in the admin first"
                elif row.kind == DeadEvent.Kind.LOST:
                    why = "it is lost: nothing is known that could be replayed"
                else:
                    continue
                self.stderr.write(f"dead event {value}: {why}.")
                told += 1
        return told

    def _is_on_terminal(self, options: dict[str, Any]) -> bool:
        return self.stdout.isatty() and os.environ.get("TERM") != "dumb" and options["verbosity"] > 0


class _Formatter(DjangoHelpFormatter):
    """Keeps the lines of the exit codes."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if text == EXIT_CODES else super()._fill_text(text, width, indent)


@define
class _Report:
    """What was done so far."""

    replayed: int = 0
    failed: int = 0
    fulfilled: int = 0
    reset: int = 0
    awarded: int = 0
    revoked: int = 0

    @property
    def done(self) -> int:
        return self.replayed + self.failed

    def add(self, came: Replayed) -> None:
        if came.error:
            self.failed += 1
            return
        self.replayed += 1
        self.fulfilled += len(came.outcome.fulfilled)
        self.reset += len(came.outcome.reset)
        self.awarded += len(came.outcome.awarded)
        self.revoked += len(came.outcome.revoked)


def _selected(options: dict[str, Any]) -> QuerySet[DeadEvent]:
    chosen = Q()
    if options["id"]:
        chosen &= Q(pk__in=options["id"])
    if options["event_id"]:
        ids = options["event_id"]
        # Of a message that could not be decoded only its headers tell the id.
        chosen &= Q(event_id__in=ids) | Q(metadata__id__in=[str(one) for one in ids])
    if options["event_type"]:
        chosen &= Q(event_type=options["event_type"])
    if options["kind"]:
        chosen &= Q(kind=options["kind"])
    if options["error"]:
        chosen &= Q(error__icontains=options["error"])
    return DeadEvent.objects.filter(chosen)


def _line(row: DeadEvent) -> str:
    time = f"{row.event_time:%Y-%m-%d %H:%M:%S %Z}" if row.event_time else "of no known time"
    name = row.event_id or f"{row.topic} {row.message_id}"
    return f"dead event {row.pk}: {row.event_type or 'no type'} {name}, {time}, {row.kind}: {row.error}"


def _number(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _id(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise argparse.ArgumentTypeError(f'"{text}" is not the number of a dead event')
    return int(text)


def _event_id(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text.strip())
    except ValueError:
        raise argparse.ArgumentTypeError(f'"{text}" is no event id') from None
