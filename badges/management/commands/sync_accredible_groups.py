"""Brings the groups of Accredible accounts here."""

from __future__ import annotations

from badges.management.sync_command import SyncCommand
from badges.models import AccredibleAPIConfig


class Command(SyncCommand):
    """``sync_accredible_groups [--site_id N] [--api_config_id ID] [--allow_empty] [--restart]``."""

    help = "Synchronize the groups of Accredible accounts."
    model = AccredibleAPIConfig
    id_option = "api_config_id"
    id_help = "One API config: its id in the admin."
