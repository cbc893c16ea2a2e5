"""Brings the badges of BadgeKit systems here."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from badges.management.sync_command import SyncCommand
from badges.models import BadgeKitSystem, ProviderAccount


class Command(SyncCommand):
    """``sync_badgekit_badges [--site_id N] [--system_id SLUG_OR_ID] [--allow_empty] [--restart]``."""

    help = "Synchronize the badges of BadgeKit systems."
    model = BadgeKitSystem
    id_option = "system_id"
    id_help = "One system: its slug, or its id in the admin."

    def _sync(self, account: ProviderAccount, options: dict[str, Any]) -> None:
        if account.only_tells:
            text = _("%(name)s: it has no key and cannot be asked. Its badges come with its messages.")
            self.stdout.write(text % {"name": account.name})
            return
        super()._sync(account, options)
