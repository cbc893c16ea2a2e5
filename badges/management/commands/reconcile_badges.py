"""``manage.py reconcile_badges``: compare the badges here with those that the providers hold."""

from __future__ import annotations

import argparse
import json
import re
import textwrap
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser, DjangoHelpFormatter, OutputWrapper
from django.db import Error as DatabaseFailure
from django.utils import timezone

from badges.exceptions import BadgesError
from badges.issuing.reconcile import APPLIED, FAILED, FOUND, Finding, Report, reconcile
from badges.issuing.reconcile_rules import Kind
from badges.models import ProviderAccount
from badges.providers.registry import registered
from badges.toggles import is_badges_enabled

FAILURE, WRONG_ARGUMENTS, DIFFERENCES = 1, 2, 3
LONGEST_REASON = 160
"""Characters of a reason in the report; stderr tells all of it."""
EARLIEST = 1970
"""The year before which no provider has a badge, and not every service can write a time."""
EXIT_CODES = """\
exit codes:
  0  both sides agree, or all that differed was settled
  1  something could not be read or settled; it is told which; or the database
     cannot be used
  2  the arguments are wrong
  3  there are differences, and nothing was changed (without --apply)
"""
WORDS = {
    Kind.STATE: "the provider says something else than is written down here",
    Kind.REVOKED_THERE: "awarded here, revoked at the provider",
    Kind.VALID_THERE: "revoked here, still valid at the provider",
    Kind.DONE_THERE: "given up here, done at the provider all the same",
    Kind.MISSING_THERE: "awarded here, missing at the provider",
    Kind.MISSING_HERE: "held at the provider, missing here",
}
REMEDIES = {
    Kind.STATE: "adopted",
    Kind.REVOKED_THERE: "revoked here and announced",
    Kind.VALID_THERE: "its revocation is set going",
    Kind.DONE_THERE: "adopted, and its delivery marked as done",
    Kind.MISSING_THERE: "its issue is set going",
    Kind.MISSING_HERE: "adopted as awarded, and announced",
}


class Command(BaseCommand):
    """Account by account, page by page; changes nothing without ``--apply``."""

    help = (
        "Compare the badges here with those that the providers hold, and print the differences: missing there, missing "
        "here, different state. --apply adopts what the providers say and sets going what is missing; a second run "
        "then finds nothing. Badges with a delivery under way, or one that somebody cancelled, are left alone."
    )

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        return super().create_parser(prog_name, subcommand, epilog=EXIT_CODES, formatter_class=_Formatter, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--provider", metavar="SLUG", help="Only the accounts at this provider.")
        parser.add_argument(
            "--account", metavar="ID", help="Only this account: its id in the admin or at the provider."
        )
        parser.add_argument(
            "--since",
            type=_since,
            metavar="TIME",
            help="Only badges that changed at the provider, or were awarded here, since then: 2026-11-01, "
            "2026-11-01T08:00:00+00:00, or 30d for the last 30 days. A time without an offset is in TIME_ZONE.",
        )
        ways = parser.add_mutually_exclusive_group()
        ways.add_argument("--apply", action="store_true", help="Settle the differences.")
        ways.add_argument("--dry-run", action="store_true", help="Only print them. The default.")
        parser.add_argument("--format", choices=("text", "json"), default="text", help="Default: text.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["apply"] and not is_badges_enabled():
            raise CommandError("BADGES_ENABLED is off, so nothing could be delivered. Set it to True.")
        try:
            self._run(options)
        except DatabaseFailure as error:
            raise CommandError(
                f"The database cannot be used ({type(error).__name__}). Run it again once it can; "
                "what was settled stays so."
            ) from error

    def _run(self, options: dict[str, Any]) -> None:
        try:
            accounts = _accounts(options["provider"], options["account"])
        except BadgesError as error:
            raise CommandError(str(error)) from error
        printer: _Text | _JSON = _JSON(self.stdout) if options["format"] == "json" else _Text(self.stdout)
        reports = [self._reconcile(account, printer, options["since"], options["apply"]) for account in accounts]
        printer.end(reports, applied=options["apply"])
        if not options["apply"]:
            self._warn_of_mail(sum(report.kinds[Kind.MISSING_THERE.value] for report in reports))
        self._tell_by_exit_code(reports)

    def _reconcile(
        self, account: ProviderAccount, printer: _Text | _JSON, since: datetime | None, apply: bool
    ) -> Report:
        report = reconcile(
            account,
            since=since,
            apply=apply,
            on_finding=lambda finding: printer.finding(account, finding),
            on_problem=lambda text: self.stderr.write(f"{_heading(account)}: {text}"),
        )
        printer.account(account, report)
        return report

    def _warn_of_mail(self, missing: int) -> None:
        if missing:
            self.stderr.write(
                f"--apply issues again what is missing at the provider ({_number(missing, 'badge')}), and the provider "
                "may mail the learner.",
                self.style.WARNING,
            )

    def _tell_by_exit_code(self, reports: list[Report]) -> None:
        if problems := sum(report.problems for report in reports):
            raise CommandError(
                f"Not everything could be compared or settled: {_number(problems, 'problem')}, see above.",
                returncode=FAILURE,
            )
        if found := sum(report.outcomes[FOUND] for report in reports):
            them = "it" if found == 1 else "them"
            raise CommandError(
                f"{_number(found, 'difference')}. --apply settles {them}.",
                returncode=DIFFERENCES,
            )


class _Formatter(DjangoHelpFormatter):
    """Keeps the lines of the exit codes."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if text == EXIT_CODES else super()._fill_text(text, width, indent)


class _Text:
    """Sentences, one line a difference."""

    def __init__(self, stdout: OutputWrapper) -> None:
        self._stdout = stdout

    def finding(self, account: ProviderAccount, finding: Finding) -> None:
        found = finding.difference
        what = f"badge {found.badge_uuid}" if found.badge_uuid else "a badge"
        ending = {APPLIED: f": {REMEDIES[found.kind]}", FOUND: "", FAILED: ": not settled"}.get(
            finding.outcome, ": changed meanwhile, left to the next run"
        )
        self._stdout.write(
            f'{what}, template "{found.template}", user {found.user_id}: {WORDS[found.kind]}{_states(finding)}{ending}.'
        )

    def account(self, account: ProviderAccount, report: Report) -> None:
        if report.skipped:
            self._stdout.write(f"{_heading(account)}: left out. {report.skipped}")
            return
        told = f"{_number(report.listed, 'badge')} listed there, {_counts(report.kinds)}."
        if report.broken_off:
            why = textwrap.shorten(report.broken_off, LONGEST_REASON, placeholder=" ...")
            if report.listed or report.differences:
                told = f"could not be compared to the end. {why} Until then: {told}"
            else:
                told = f"could not be compared. {why}"
        self._stdout.write(f"{_heading(account)}: {told}")
        if report.strangers:
            belong = "belongs" if report.strangers == 1 else "belong"
            self._stdout.write(f"  {_number(report.strangers, 'badge')} there {belong} to no learner or template here.")

    def end(self, reports: list[Report], *, applied: bool) -> None:
        if not reports:
            self._stdout.write("There is no provider account yet. Add one in the admin.")
            return
        outcomes: Counter[str] = sum((report.outcomes for report in reports), Counter())
        kinds: Counter[str] = sum((report.kinds for report in reports), Counter())
        broken_off = _broken_off(reports)
        told = f"{'In what was compared' if broken_off else 'In all'}: {_counts(kinds)}"
        if applied:
            left = outcomes.total() - outcomes[APPLIED] - outcomes[FAILED]
            told += f"; {outcomes[APPLIED]} settled, {left} changed meanwhile, {outcomes[FAILED]} not settled."
        else:
            told += ". Nothing was changed."
        self._stdout.write(told)
        if broken_off:
            self._stdout.write(
                f"{broken_off} of {_number(len(reports), 'account')} could not be compared, whole or to the end."
            )


class _JSON:
    """One document, written in pieces: there may be more differences than memory should hold.

    Documented in docs/reconcile.rst, and only ever added to.
    """

    def __init__(self, stdout: OutputWrapper) -> None:
        self._stdout = stdout
        self._separator = "\n"
        self._accounts: list[dict[str, Any]] = []
        at = timezone.now().astimezone(UTC).isoformat(timespec="seconds")
        self._stdout.write(f'{{"version": 1, "at": {json.dumps(at)}, "differences": [', ending="")

    def finding(self, account: ProviderAccount, finding: Finding) -> None:
        found = finding.difference
        shown = {
            "difference": found.kind.value,
            "outcome": finding.outcome,
            "provider": account.provider,
            "account": account.pk,
            "badge": str(found.badge_uuid) if found.badge_uuid else None,
            "template": found.template,
            "user": found.user_id,
            "state_here": found.ours.state if found.ours else None,
            "state_there": found.held.state if found.held else None,
            "external_id": found.held.external_id if found.held else None,
        }
        self._stdout.write(self._separator + json.dumps(shown), ending="")
        self._separator = ",\n"

    def account(self, account: ProviderAccount, report: Report) -> None:
        self._accounts.append(
            {
                "provider": account.provider,
                "account": account.pk,
                "name": account.name,
                "skipped": report.skipped,
                "broken_off": report.broken_off,
                "listed": report.listed,
                "belonging_to_nobody_here": report.strangers,
                "differences": dict(report.kinds),
                "outcomes": dict(report.outcomes),
                "problems": report.problems,
            }
        )

    def end(self, reports: list[Report], *, applied: bool) -> None:
        totals = {
            "applied": applied,
            "differences": sum(report.differences for report in reports),
            "problems": sum(report.problems for report in reports),
            "accounts_broken_off": _broken_off(reports),
        }
        self._stdout.write(f'\n], "accounts": {json.dumps(self._accounts)}, "totals": {json.dumps(totals)}}}')


def _heading(account: ProviderAccount) -> str:
    return f'{account.provider} account "{account.name}"'


def _states(finding: Finding) -> str:
    ours, held = finding.difference.ours, finding.difference.held
    if held is None:
        return ""
    if ours is None:
        return f' ("{held.external_id}", "{held.state}" there)'
    if ours.state == held.state:
        return ""
    return f' ("{ours.state or "nothing"}" here, "{held.state}" there)'


def _broken_off(reports: list[Report]) -> int:
    return sum(bool(report.broken_off) for report in reports)


def _number(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _counts(kinds: Counter[str]) -> str:
    if not kinds:
        return "no differences"
    return f"{_number(kinds.total(), 'difference')} ({', '.join(f'{kinds[key]} {key}' for key in sorted(kinds))})"


def _since(text: str) -> datetime:
    days = re.fullmatch(r"([1-9][0-9]{0,4})d", text)
    try:
        moment = timezone.now() - timedelta(days=int(days[1])) if days else datetime.fromisoformat(text)
    except ValueError:
        reason = f'"{text}" is neither a time like 2026-11-01 nor a number of days like 30d.'
        raise argparse.ArgumentTypeError(reason) from None
    moment = moment if timezone.is_aware(moment) else timezone.make_aware(moment)
    if moment.year < EARLIEST:
        raise argparse.ArgumentTypeError(f'"{text}" is too long ago.')
    if moment > timezone.now():
        raise argparse.ArgumentTypeError(f'"{text}" is in the future.')
    return moment


def _accounts(provider: str | None, wanted: str | None) -> list[ProviderAccount]:
    accounts = ProviderAccount.objects.order_by("pk")
    if provider is not None:
        if provider not in (known := registered()):
            raise CommandError(
                f'There is no provider "{provider}". Known: {", ".join(sorted(known))}.', returncode=WRONG_ARGUMENTS
            )
        accounts = accounts.filter(provider=provider)
    if wanted is None:
        return list(accounts)
    wanted = wanted.strip()
    found = list(accounts.filter(external_id__iexact=wanted))
    if not found and wanted.isdecimal():
        found = list(accounts.filter(pk=int(wanted)))
    if not found:
        known_accounts = ", ".join(f"{account.pk} ({account.name})" for account in accounts) or "none"
        raise CommandError(f"There is no account {wanted}. Known: {known_accounts}.", returncode=WRONG_ARGUMENTS)
    return found
