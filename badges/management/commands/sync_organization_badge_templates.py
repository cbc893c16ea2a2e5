"""Brings the badge templates of Credly organizations here."""

from __future__ import annotations

from badges.management.sync_command import SyncCommand
from badges.models import CredlyOrganization


class Command(SyncCommand):
    """``sync_organization_badge_templates [--site_id N] [--organization_id ID] [--allow_empty] [--restart]``."""

    help = "Synchronize the badge templates of Credly organizations."
    model = CredlyOrganization
    id_option = "organization_id"
    id_help = "One organization: its id in the admin, or the UUID that Credly gave it."
