"""What the commands that synchronize templates share."""

from __future__ import annotations

import argparse
import uuid
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandError
from django.db import Error as DatabaseFailure
from django.utils.translation import gettext as _

from badges.exceptions import describe
from badges.issuing.sync.position import Overtaken, how_to_go_on
from badges.issuing.sync.report import InDoubt, LeftOut, News
from badges.issuing.sync.run import sync_templates
from badges.models import ProviderAccount


class SyncCommand(BaseCommand):
    """Synchronizes the templates of one account, or of all accounts, of one provider."""

    model: ClassVar[type[ProviderAccount]]
    id_option: ClassVar[str]
    id_help: ClassVar[str]

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--site_id", type=int, help="The id of the site that new templates belong to.")
        parser.add_argument(f"--{self.id_option}", dest="account_id", help=f"{self.id_help} All of them without it.")
        parser.add_argument(
            "--allow_empty",
            action="store_true",
            help="Believe a provider that lists no template at all, and archive those that are known here.",
        )
        parser.add_argument(
            "--restart",
            action="store_true",
            help="Begin with the first page, even where an earlier run failed in the middle and can be gone on with.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        errors: list[str] = []
        try:
            self._sync_all(options, errors)
        except DatabaseFailure as error:
            errors.append(
                _("The database cannot be used (%(error)s). Synchronize again once it can.")
                % {"error": type(error).__name__}
            )
            raise CommandError("\n".join(errors)) from error
        if errors:
            raise CommandError("\n".join(errors))

    def _sync_all(self, options: dict[str, Any], errors: list[str]) -> None:
        accounts = self._accounts(options["account_id"])
        if not accounts:
            self.stdout.write(
                _("There is no %(model)s yet. Add one in the admin.") % {"model": self.model._meta.verbose_name}
            )
        for account in accounts:
            try:
                self._sync(account, options)
            except Overtaken as error:
                errors.append(f"{account.name}: {error}")
            except Exception as error:  # noqa: BLE001 - one account must not keep the others from being synchronized
                errors.append(f"{account.name}: {describe(error)} {how_to_go_on(account)}".rstrip())

    def _sync(self, account: ProviderAccount, options: dict[str, Any]) -> None:
        report = sync_templates(
            account,
            site_id=options["site_id"],
            tell=self._tell,
            allow_empty=options["allow_empty"],
            restart=options["restart"],
        )
        self.stdout.write(str(report))

    def _tell(self, news: News) -> None:
        stream = self.stderr if isinstance(news, LeftOut | InDoubt) else self.stdout
        stream.write(f"  {news}")

    def _accounts(self, wanted: str | None) -> list[ProviderAccount]:
        accounts = self.model._default_manager.order_by("pk")
        if wanted is None:
            return list(accounts)
        wanted = wanted.strip()
        found = list(accounts.filter(external_id__in=_spellings(wanted)))
        if not found and wanted.isdecimal():
            found = list(accounts.filter(pk=int(wanted)))
        if not found:
            raise CommandError(
                _("There is no %(model)s %(id)s. Known: %(known)s.")
                % {
                    "model": self.model._meta.verbose_name,
                    "id": wanted,
                    "known": ", ".join(f"{known.pk} ({known.name})" for known in accounts) or _("none"),
                }
            )
        return found


def _spellings(text: str) -> list[str]:
    """As given, and where it is a UUID, as UUIDs are written."""
    try:
        return [text, str(uuid.UUID(text))]
    except ValueError:
        return [text]
