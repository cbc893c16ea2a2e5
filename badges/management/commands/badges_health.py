"""``manage.py badges_health``: how the accounts do, what waits and since when; for people and for monitoring."""

from __future__ import annotations

import argparse
import json
import re
import sys
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser, DjangoHelpFormatter
from django.db import Error as DatabaseFailure
from edx_event_bus_redis.internal.config import get_full_topic

from badges.eventbus.groups import read_bus
from badges.exceptions import describe
from badges.issuing.summary import summary
from badges.management.health_report import as_json, as_text, troubles
from badges.toggles import is_badges_enabled

UNHEALTHY, UNKNOWN = 1, 2
UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
HELP = """
Show how the accounts at the providers do, what waits and since when, what was
given up, and how far the consumers of the event bus are. Changes nothing, and
asks no provider. Of the event bus, the Redis of the consumers is asked.

Exit status:
  0  all is well
  1  one of these:
     - an account is stopped
     - the oldest waiting delivery, webhook event, unread event or pending event is
       older than --max-age. Pending is what a consumer took and has not finished.
     - events are unread, and no consumer was seen for five minutes
     - Redis does not answer, or does not know a consumer group
     - deliveries or webhook events were given up, or dead events wait (not with
       --ignore-dead)
     - events are lost
  2  it cannot be told: wrong usage, BADGES_ENABLED is off, or the database does
     not answer

What was given up ("dead") waits until a person retries it, cancels it, or marks
it as done; a dead event, until a person replays or discards it. A lost event is
told until a person discards it, with --ignore-dead, too.

Every group is shown that a consumer of this app has been in. Of others, as the
stock consumer's, name one with --topic and --group.
"""


def duration(text: str) -> timedelta:
    """``90``, ``90s``, ``5m``, ``1h`` or ``2d``."""
    match = re.fullmatch(r"([0-9]{1,9})([smhd]?)", text.strip())
    if match is None or int(match[1]) == 0:
        raise argparse.ArgumentTypeError(
            f'"{text}" is not a time. Write seconds, or a number with s, m, h or d: 1h, 2d.'
        )
    return timedelta(seconds=int(match[1]) * UNITS[match[2]])


class _Formatter(argparse.RawDescriptionHelpFormatter, DjangoHelpFormatter):
    """Keeps the lines of the list of exit statuses."""


class Command(BaseCommand):
    """Reads the health of everything, in a few queries."""

    help = HELP
    # A check that fails would end with 1, as if an account were stopped.
    requires_system_checks = ()

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        return super().create_parser(prog_name, subcommand, formatter_class=_Formatter, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--format", choices=("text", "json"), default="text", help="For people, or for programs. Default: text."
        )
        parser.add_argument(
            "--max-age",
            type=duration,
            default=timedelta(hours=1),
            metavar="TIME",
            help="How old the oldest waiting delivery, unread event or pending event may be: seconds, or a number "
            "with s, m, h or d. Default: 1h.",
        )
        parser.add_argument(
            "--ignore-dead",
            action="store_true",
            help="Deliveries that were given up and dead events are shown, and do not change the exit status.",
        )
        parser.add_argument("--topic", help="A topic, without its prefix, whose --group is shown, too.")
        parser.add_argument("--group", help="A consumer group of --topic.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not is_badges_enabled():
            raise CommandError("BADGES_ENABLED is off, so there is nothing to tell.", returncode=UNKNOWN)
        if bool(options["topic"]) != bool(options["group"]):
            raise CommandError("--topic and --group belong together: give both, or none.", returncode=UNKNOWN)
        more = [(get_full_topic(options["topic"]), options["group"])] if options["topic"] else []
        try:
            found, bus = summary(), read_bus(more)
        except DatabaseFailure as error:
            raise CommandError(f"The database could not be read: {describe(error)}", returncode=UNKNOWN) from None
        told = troubles(found, bus, options["max_age"], ignore_dead=options["ignore_dead"])
        if options["format"] == "json":
            self.stdout.write(json.dumps(as_json(found, bus, options["max_age"], told), indent=2))
        else:
            self.stdout.write("\n".join(as_text(found, bus, told)))
        if told:
            sys.exit(UNHEALTHY)
