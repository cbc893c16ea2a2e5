"""The feature switch ``BADGES_ENABLED``."""

from __future__ import annotations

from django.conf import settings


def is_badges_enabled() -> bool:
    """Whether the feature is on. It is off unless the setting is exactly true.

    With it off there are no receivers and no admin; the tables can still be migrated.
    """
    # .. toggle_name: BADGES_ENABLED
    # .. toggle_implementation: DjangoSetting
    # .. toggle_default: False
    # .. toggle_description: Turns the whole badges feature on.
    # .. toggle_use_cases: opt_in
    # .. toggle_creation_date: 2026-11-21
    return getattr(settings, "BADGES_ENABLED", False) is True
