"""Checks of system callbacks: what their messages need of the settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as Caution
from django.db import DatabaseError

from badges.conf import get_config
from badges.exceptions import ConfigurationError
from badges.issuing.addresses import absolute
from badges.models import CallbackEndpoint
from badges.toggles import is_badges_enabled

EXAMPLE = "https://example.com/"
"""The site that Django makes of its own accord."""


def check_callbacks(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """What is missing for the pages to which the messages lead, where there are endpoints that are told."""
    if not is_badges_enabled() or not databases:
        return []
    try:
        if not CallbackEndpoint.objects.filter(is_active=True).exists():
            return []
        address = absolute("issuer")
        issuer = get_config().issuer
    except DatabaseError:
        # Not migrated yet: the migration check says so.
        return []
    except ConfigurationError as error:
        return [Error(f"Callbacks cannot be sent: {error}", hint='See "Callbacks".', id="badges.E016")]
    messages: list[CheckMessage] = []
    if address.startswith(EXAMPLE):
        messages.append(
            Caution(
                f"Callbacks lead to {EXAMPLE}, the site that Django makes of its own accord.",
                hint='Set BADGES_CONFIG["public_url"] to where the world finds this service.',
                id="badges.W015",
            )
        )
    if missing := [name for name in ("name", "url", "email") if not getattr(issuer, name)]:
        messages.append(
            Caution(
                f'BADGES_CONFIG["issuer"] has no {", ".join(missing)}: the assertions to which callbacks lead tell no '
                "proper issuer, and validators may refuse them.",
                hint="Open Badges 2.0 demands name, url and email of an issuer.",
                id="badges.W016",
            )
        )
    return messages


def check_private_addresses(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """For ``check --deploy``: callbacks that may go into the own network."""
    if not is_badges_enabled():
        return []
    try:
        is_allowed = get_config().callbacks.allow_private_addresses
    except ConfigurationError:
        return []
    if not is_allowed:
        return []
    return [
        Caution(
            'BADGES_CONFIG["callbacks"]["allow_private_addresses"] is on: whoever may edit endpoints can have this '
            "service call machines of its own network, and learners' data may cross the network in the clear.",
            hint="Switch it off in production.",
            id="badges.W017",
        )
    ]
