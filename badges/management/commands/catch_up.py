"""``manage.py catch_up``: read a stream of the event bus again, and process what was never seen."""

from __future__ import annotations

import argparse
import os
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser, DjangoHelpFormatter
from django.db import Error as DatabaseFailure
from django.utils import timezone
from edx_event_bus_redis.internal.config import get_full_topic
from redis import RedisError, ResponseError

from badges.eventbus.redis.rereading import REHEARSED_AT_ONCE, Extent, Rereading, Tally, extent
from badges.eventbus.redis.stream import Stream, order
from badges.exceptions import BadgesError
from badges.management.stopping import stop_on_signals
from badges.processing.dead_events import time_of_message
from badges.toggles import is_badges_enabled

FAILURE, NEEDS_A_PERSON = 1, 3
MOST = 5000
"""Messages that may be read at once: so many are in memory."""
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
ID = re.compile(r"[0-9]{1,18}(-[0-9]{1,18})?")
EXIT_CODES = """\
exit codes:
  0  what was asked for was read, and all of it could be processed
  1  it could not be read to the end: Redis or the database is away, a signal
     ended it, the stream does not exist, or the settings cannot be used; where
     to go on from is told
  2  the arguments are wrong
  3  it was read, and something needs a person: events were parked as dead
     events (or would be), or the stream begins after the asked start, so that
     messages may be gone; asked for from 0, it begins where it begins

Examples:
  catch_up -t learning-badges-lifecycle --since 2h --dry-run
  catch_up -t learning-badges-lifecycle --since 2026-11-20T22:00:00+00:00
  catch_up -t learning-badges-lifecycle --from-id 0
"""


class Command(BaseCommand):
    """Safe to run at any time and again and again, also beside running consumers."""

    help = (
        "Read a stream of the Redis event bus again, and process what was never seen: events that a stock consumer "
        "acknowledged although they failed, or that were skipped. What was processed before changes nothing, and what "
        "staff discarded is left out. Other apps are not told again, and no consumer group is touched. It goes as far "
        "as the stream went when it began."
    )

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        return super().create_parser(prog_name, subcommand, epilog=EXIT_CODES, formatter_class=_Formatter, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("-t", "--topic", required=True, help="The topic, without EVENT_BUS_TOPIC_PREFIX.")
        start = parser.add_mutually_exclusive_group(required=True)
        start.add_argument(
            "--from-id", type=_message_id, metavar="ID", help="From this message on; 0 is the beginning."
        )
        start.add_argument(
            "--since",
            type=_since,
            metavar="TIME",
            help="From what the bus took at this time on: 2026-11-20T22:00:00+00:00, or 2h for the last two hours "
            "(s, m, h, d).",
        )
        parser.add_argument(
            "--until", type=_until, metavar="TIME|ID", help="Up to this time or message. Default: to the end."
        )
        parser.add_argument(
            "--batch-size",
            type=_size,
            default=500,
            metavar="N",
            help=f"Messages that are read and processed at once, up to {MOST}. Default: 500.",
        )
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="Only tell what would change: everything is processed and rolled back. Consumers that work on the "
            "same learners wait for it meanwhile.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not is_badges_enabled():
            raise CommandError("BADGES_ENABLED is off, so no event is processed. Set it to True.")
        stream = Stream(get_full_topic(options["topic"]), "", "")
        start: str = options["from_id"] or options["since"]
        run: Rereading | None = None
        try:
            has = extent(stream)
            self._tell_extent(stream.topic, has, start)
            end = min(options["until"] or has.last or "0", has.last or "0", key=order)
            with stop_on_signals() as stop:
                run = Rereading(
                    stream,
                    start,
                    end,
                    options["batch_size"],
                    is_rehearsal=options["dry_run"],
                    is_stopping=lambda: stop.requested,
                    on_page=lambda tally: self._show(tally, start, end, options),
                )
                if order(start) <= order(end):
                    run.run()
                is_ended = stop.requested
        except ResponseError as error:
            self._tell(run, options)
            raise CommandError(
                f"The event bus's Redis does not let it be read: {error}{_where_to_go_on(run)}", returncode=FAILURE
            ) from None
        except RedisError as error:
            self._tell(run, options)
            raise CommandError(
                f"The event bus's Redis does not answer ({type(error).__name__}). Is it up, and is "
                f"EVENT_BUS_REDIS_CONNECTION_URL right?{_where_to_go_on(run)}",
                returncode=FAILURE,
            ) from None
        except DatabaseFailure as error:
            self._tell(run, options)
            raise CommandError(
                f"The database cannot be used ({type(error).__name__}).{_where_to_go_on(run)}", returncode=FAILURE
            ) from None
        except BadgesError as error:
            self._tell(run, options)
            raise CommandError(f"{error}{_where_to_go_on(run)}", returncode=FAILURE) from None
        finally:
            stream.close()
        self._tell(run, options)
        if is_ended:
            raise CommandError(f"Ended by a signal.{_where_to_go_on(run)}", returncode=FAILURE)
        self._tell_by_exit_code(run.tally, has, start, dry_run=options["dry_run"])

    def _tell_extent(self, topic: str, has: Extent, start: str) -> None:
        if not has.first:
            self.stdout.write(f'The stream "{topic}" has no messages.')
        else:
            self.stdout.write(
                f'The stream "{topic}" has {_number(has.length, "message")}: {has.first} ({_time(has.begins_at)}) to '
                f"{has.last} ({_time(has.ends_at)})."
            )
        if has.lacks(start):
            self.stderr.write(_gap(has, start))

    def _show(self, tally: Tally, start: str, end: str, options: dict[str, Any]) -> None:
        if self._is_on_terminal(options):
            whole = max(1, order(end)[0] - order(start)[0])
            part = min(100, 100 * (order(tally.last_id)[0] - order(start)[0]) // whole) if order(start)[0] else None
            told = f"{tally.read} read, {tally.awarded} awarded" + ("" if part is None else f", {part} % of the time")
            self.stdout.write(f"{told:<72.72}\r", ending="")
            self.stdout.flush()

    def _tell(self, run: Rereading | None, options: dict[str, Any]) -> None:
        if run is None:
            return
        if self._is_on_terminal(options):
            self.stdout.write(f"{'':<72}\r", ending="")
        self.stdout.write("\n".join(_report(run.tally, dry_run=options["dry_run"])))

    def _is_on_terminal(self, options: dict[str, Any]) -> bool:
        return self.stdout.isatty() and os.environ.get("TERM") != "dumb" and options["verbosity"] > 0

    def _tell_by_exit_code(self, tally: Tally, has: Extent, start: str, *, dry_run: bool) -> None:
        reasons = []
        if parked := tally.parked + tally.unreadable:
            told = "would be parked." if dry_run else "parked: see dead events in the admin."
            reasons.append(f"{_number(parked, 'message')} {told}")
        if has.lacks(start):
            reasons.append("The stream begins after the asked start.")
        if reasons:
            raise CommandError(" ".join(["A person is needed.", *reasons]), returncode=NEEDS_A_PERSON)


class _Formatter(DjangoHelpFormatter):
    """Keeps the lines of the exit codes."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if text == EXIT_CODES else super()._fill_text(text, width, indent)


def _report(tally: Tally, *, dry_run: bool) -> list[str]:
    would = "would be " if dry_run else ""
    lines = [
        f"Read {_number(tally.read, 'message')}, {tally.ours} of them of the types that are processed.",
        f"{_number(tally.fulfilled, 'requirement')} {would}fulfilled, {tally.reset} reset; "
        f"{_number(tally.awarded, 'badge')} {would}awarded, {tally.revoked} revoked.",
    ]
    if tally.parked:
        lines.append(f"{_number(tally.parked, 'event')} cannot be applied, and {_parked(tally.parked, dry_run)}.")
    if tally.unreadable:
        lines.append(
            f"{_number(tally.unreadable, 'message')} cannot be decoded, and {_parked(tally.unreadable, dry_run)}."
        )
    if tally.left_out:
        lines.append(f"{_number(tally.left_out, 'message')} left out: staff discarded them before.")
    if tally.settled:
        lines.append(f"{_number(tally.settled, 'dead event')} {would}done by this.")
    if dry_run:
        lines.append("Nothing was changed.")
        if tally.read > REHEARSED_AT_ONCE:
            lines.append(
                f"So many messages are rehearsed in stretches of {REHEARSED_AT_ONCE}, which do not see each other: "
                "what depends on two of them is told wrong."
            )
    return lines


def _parked(number: int, dry_run: bool) -> str:
    if dry_run:
        return "would be parked as a dead event" if number == 1 else "would be parked as dead events"
    return "was parked as a dead event" if number == 1 else "were parked as dead events"


def _gap(has: Extent, start: str) -> str:
    asked = f"{start} ({_time(time_of_message(start))})"
    if not has.first:
        return (
            f"Asked was from {asked} on. What was published since, if anything, is gone: trimmed, or lost with Redis."
        )
    return (
        f"The stream begins at {has.first}, after the asked start, {asked}. What was published between, if anything, "
        "is gone: trimmed, or lost with Redis. It cannot be caught up from here."
    )


def _where_to_go_on(run: Rereading | None) -> str:
    if run is None:
        return ""
    if run.is_rehearsal:
        return " Nothing was changed."
    return f" Go on with --from-id {run.tally.last_id or run.start}; what was done stands."


def _number(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _time(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S %Z}" if moment else "at no known time"


def _size(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= MOST:
        raise argparse.ArgumentTypeError(f"a whole number from 1 to {MOST}")
    return int(text)


def _message_id(text: str) -> str:
    if ID.fullmatch(text.strip()) is None:
        raise argparse.ArgumentTypeError(f'"{text}" is no id of a message. It looks like 1763736000123-0; 0 will do.')
    return text.strip()


def _since(text: str) -> str:
    if (match := re.fullmatch(r"([0-9]{1,9})([smhd])", text.strip())) is not None:
        try:
            moment = timezone.now() - timedelta(seconds=int(match[1]) * UNITS[match[2]])
        except OverflowError:
            moment = datetime(1970, 1, 1, tzinfo=UTC)
    else:
        moment = _moment(text)
    return f"{max(0, int(moment.timestamp() * 1000))}-0"


def _until(text: str) -> str:
    if ID.fullmatch(text.strip()) is not None:
        return text.strip() if "-" in text else f"{text.strip()}-{2**63}"
    return f"{int(_moment(text).timestamp() * 1000)}-0"


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise argparse.ArgumentTypeError(
            f'"{text}" is not a time. It looks like 2026-11-20T22:00:00+00:00, or 2h.'
        ) from None
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError(f'"{text}" lacks its time zone. Add it: 2026-11-20T22:00:00+00:00, or ...Z.')
    return moment
