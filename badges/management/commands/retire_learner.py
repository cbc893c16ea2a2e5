"""``manage.py retire_learner``: remove what this app holds of a learner who leaves."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser, DjangoHelpFormatter
from django.db import Error as DatabaseFailure

from badges.conf import get_config
from badges.exceptions import BadgesError
from badges.issuing.erasure import AtProvider
from badges.issuing.tasks import held
from badges.management.retirement_report import LearnerReport
from badges.management.stopping import Stop, stop_on_signals
from badges.privacy import people
from badges.privacy.following_up import carry_out
from badges.privacy.mentions import is_address
from badges.privacy.retirement import retire
from badges.toggles import is_badges_enabled

FAILURE, WRONG_ARGUMENTS, NEEDS_A_PERSON = 1, 2, 3
EXIT_CODES = """\
exit codes:
  0  everything is done here; what is still to be done at a provider is told, and
     goes on by itself
  1  nobody or more than one is meant, the settings or the database cannot be
     used, or a signal ended it; what was done stays so: run it again
  2  the arguments are wrong
  3  everything is done here, and at a provider a person is needed: a deletion or
     revocation was given up, or its account is stopped, or BADGES_ENABLED is off

Run it before the user record is anonymized or deleted. Afterwards, give the former
username and e-mail address:

  retire_learner anna --at-provider delete --dry-run
  retire_learner anna --at-provider delete
  retire_learner --lms-user-id 7 --former-username anna --email anna@example.com

SIGTERM or Ctrl-C finishes the row in hand, and prints the report. A second one ends
at once, with 128 and the number of the signal.
"""


class Command(BaseCommand):
    """In small transactions, beside whatever else runs; also with the feature switched off. Again it finds nothing."""

    help = (
        "Remove what this app holds of a learner who leaves: applications, what names the learner in stored events, "
        "webhooks, attempts and employees' records, and what was still to be told. Badges stay, revoked or not, and "
        "refer to the user record; what becomes of them at their providers is said by --at-provider. Names and "
        "addresses are neither printed nor logged."
    )

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        return super().create_parser(prog_name, subcommand, epilog=EXIT_CODES, formatter_class=_Formatter, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        whose = parser.add_argument_group("whose record", "One of these.")
        whose.add_argument("positional", nargs="?", metavar="USERNAME", help="The learner's username, as it is now.")
        whose.add_argument("--username", metavar="USERNAME", help="The same.")
        whose.add_argument("--lms-user-id", type=_number_of_user, metavar="ID", help="The learner's id in the LMS.")
        whose.add_argument("--user-id", type=_number_of_user, metavar="ID", help="The id of the user record here.")
        parser.add_argument(
            "--all",
            action="store_true",
            help="Where several user records have this LMS user id, retire all of them. Default: none, with an error.",
        )
        parser.add_argument(
            "--former-username",
            action="append",
            default=[],
            metavar="USERNAME",
            help="A username that the learner had before. Can be given again.",
        )
        parser.add_argument(
            "--email",
            action="append",
            type=_address,
            default=[],
            metavar="ADDRESS",
            help="An e-mail address that the learner had before, or has elsewhere. Can be given again.",
        )
        parser.add_argument(
            "--at-provider",
            choices=[way.value for way in AtProvider],
            help='What becomes of the badges at their providers. Default: BADGES_CONFIG["retirement"]["at_provider"], '
            "which is keep.",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="Only tell what would be done. Changes nothing and asks no provider."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            way = AtProvider(options["at_provider"] or get_config().retirement.at_provider)
            learners = self._learners(options)
            with stop_on_signals() as stop:
                reports = [self._retire(user, way, options, stop) for user in learners]
        except DatabaseFailure as error:
            raise CommandError(
                f"The database cannot be used ({type(error).__name__}). What was done stays so; run it again.",
                returncode=FAILURE,
            ) from None
        except BadgesError as error:
            raise CommandError(str(error), returncode=FAILURE) from error
        if stop.requested:
            raise CommandError("Ended by a signal. What was done stays so; run it again.", returncode=FAILURE)
        if needs := [sentence for report in reports for sentence in report.needs_person()]:
            raise CommandError("\n".join(["A person is needed.", *needs]), returncode=NEEDS_A_PERSON)

    def _retire(self, user: Any | None, way: AtProvider, options: dict[str, Any], stop: Stop) -> LearnerReport:
        names = (_username(options), *options["former_username"])
        with held() as badge_ids:
            counts = retire(
                user,
                usernames=[name for name in names if name],
                emails=options["email"],
                lms_user_id=options["lms_user_id"],
                at_provider=way,
                is_dry_run=options["dry_run"],
                is_stopping=lambda: stop.requested,
            )
        report = LearnerReport(user, way, counts, is_dry_run=options["dry_run"])
        if user is not None and not options["dry_run"] and is_badges_enabled():
            report.is_done_here = carry_out(user, badge_ids, lambda: stop.requested)
        if options["verbosity"] > 0:
            for line in report.lines():
                self.stdout.write(line)
        return report

    def _learners(self, options: dict[str, Any]) -> list[Any | None]:
        username, lms_user_id, user_id = _username(options), options["lms_user_id"], options["user_id"]
        if sum(one is not None for one in (username, lms_user_id, user_id)) != 1:
            if any(one is not None for one in (username, lms_user_id, user_id)):
                raise CommandError(
                    "Give a username, --lms-user-id or --user-id, and only one of them.", returncode=WRONG_ARGUMENTS
                )
            if not (options["former_username"] or options["email"]):
                raise CommandError(
                    "Say whom: give a username, --lms-user-id or --user-id. For somebody who has no user record any "
                    "more, give --former-username and --email.",
                    returncode=WRONG_ARGUMENTS,
                )
            return [None]
        if lms_user_id is not None:
            return self._of_lms_user(lms_user_id, options)
        user = people.with_id(user_id) if user_id is not None else people.named(username or "")
        if user is None and user_id is not None:
            raise CommandError(f"There is no user with the id {user_id}. Nothing was changed.", returncode=FAILURE)
        return [user]

    def _of_lms_user(self, lms_user_id: int, options: dict[str, Any]) -> list[Any | None]:
        if not people.knows_lms_user_ids():
            raise CommandError(
                "The user model of this project has no LMS user ids. Give the username.", returncode=FAILURE
            )
        found = people.of_lms_user(lms_user_id)
        if not found and not (options["former_username"] or options["email"]):
            raise CommandError(
                f"There is no user with the LMS user id {lms_user_id}. Nothing was changed. If the record is gone, "
                "give --former-username and --email.",
                returncode=FAILURE,
            )
        if len(found) > 1 and not options["all"]:
            ids = ", ".join(str(user.pk) for user in found)
            raise CommandError(
                f"{len(found)} users have the LMS user id {lms_user_id}: users {ids}. Nothing was changed. Retire one "
                "of them by --user-id, or all of them by --all.",
                returncode=FAILURE,
            )
        return found or [None]


class _Formatter(DjangoHelpFormatter):
    """Keeps the lines of the exit codes."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if text == EXIT_CODES else super()._fill_text(text, width, indent)


def _username(options: dict[str, Any]) -> str | None:
    given = [name for name in (options["positional"], options["username"]) if name is not None]
    if len(set(given)) > 1 or "" in given:
        raise CommandError("Give one username that is not empty.", returncode=WRONG_ARGUMENTS)
    return given[0] if given else None


def _address(text: str) -> str:
    if not is_address(text):
        # A part of an address would be one of everybody's.
        raise argparse.ArgumentTypeError("a whole e-mail address")
    return text


def _number_of_user(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 0 < int(text[:19]) < 2**31 or len(text) > 10:
        raise argparse.ArgumentTypeError("a whole number from 1")
    return int(text)
