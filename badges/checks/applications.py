"""Checks of what learners may hand in with applications."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage
from django.core.checks import Warning as Caution

from badges.applications.sniffing import EXTENSIONS
from badges.conf import get_config
from badges.exceptions import ConfigurationError
from badges.toggles import is_badges_enabled


def check_file_types(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Types of files that are allowed, and that no file is ever found to be of."""
    if not is_badges_enabled():
        return []
    try:
        allowed = get_config().applications.file_types
    except ConfigurationError:
        # The check of the settings tells it.
        return []
    unknown = ", ".join(sorted({one for one in allowed if one not in EXTENSIONS}))
    if not unknown:
        return []
    return [
        Caution(
            f'BADGES_CONFIG["applications"]["file_types"] allows what is not recognized: {unknown}. Such files are '
            "refused, because what a file is goes by its content.",
            hint=f"Take it out. These are recognized: {', '.join(sorted(EXTENSIONS))}.",
            id="badges.W020",
        )
    ]
