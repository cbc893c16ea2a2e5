"""System checks: what would make an operator lose an evening, said at start with a way out."""

from __future__ import annotations

from django.core.checks import Tags, register

from badges.checks.bus import check_event_bus
from badges.checks.project import check_accounts, check_sandbox, check_settings

__all__ = ["check_accounts", "check_event_bus", "check_sandbox", "check_settings", "register_checks"]


def register_checks() -> None:
    """Have the checks run with Django's own."""
    register(check_settings)
    register(check_event_bus)
    register(check_accounts, Tags.database)
    register(check_sandbox, deploy=True)
