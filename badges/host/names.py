"""How the apps concerned are called in ``INSTALLED_APPS``. It imports nothing: settings are read with it."""

from __future__ import annotations

from collections.abc import Iterable

BUILT_IN = "credentials.apps.badges"
"""The app of the built-in module. It has our label."""
HOST = "credentials.apps.credentials"
"""The app of credentials: what makes a project the Credentials service."""
BUILT_IN_NAMES = frozenset({BUILT_IN, f"{BUILT_IN}.apps.BadgesConfig"})
OWN_NAMES = frozenset({"badges", "badges.apps.BadgesConfig"})
OPENEDX_EVENTS_NAMES = frozenset({"openedx_events", "openedx_events.apps.OpenedxEventsConfig"})
"""How each may be spelled."""


def among(names: Iterable[str], installed: Iterable[str]) -> list[str]:
    """The entries that are one of these names, in their order."""
    wanted = frozenset(names)
    return [entry for entry in installed if entry in wanted]
