"""System checks: what would make an operator lose an evening, said at start with a way out."""

from __future__ import annotations

from django.core.checks import Tags, register

from badges.checks.applications import check_file_types
from badges.checks.bus import check_event_bus
from badges.checks.callbacks import check_callbacks, check_private_addresses
from badges.checks.host import check_host, check_host_addresses, check_host_data
from badges.checks.project import check_accounts, check_sandbox, check_settings
from badges.checks.retirement import check_retirement
from badges.checks.webhooks import check_addresses, check_open_address

__all__ = [
    "check_accounts",
    "check_addresses",
    "check_callbacks",
    "check_event_bus",
    "check_file_types",
    "check_host",
    "check_host_addresses",
    "check_host_data",
    "check_open_address",
    "check_private_addresses",
    "check_retirement",
    "check_sandbox",
    "check_settings",
    "register_checks",
]


def register_checks() -> None:
    """Have the checks run with Django's own."""
    register(check_settings)
    register(check_event_bus)
    register(check_file_types)
    register(check_retirement)
    register(check_host)
    register(check_addresses, Tags.urls)
    register(check_host_addresses, Tags.urls)
    register(check_accounts, Tags.database)
    register(check_callbacks, Tags.database)
    register(check_host_data, Tags.database)
    register(check_sandbox, deploy=True)
    register(check_private_addresses, deploy=True)
    register(check_open_address, Tags.database, deploy=True)
