"""Reviews that were made at a BadgeKit system."""

from __future__ import annotations

from badges.applications import external
from badges.changes import ReviewChange
from badges.models import ProviderAccount


def apply_review(change: ReviewChange, account: ProviderAccount) -> str:
    """Keep an application and its review in step with BadgeKit.

    Returns:
        What changed, in a sentence; empty for nothing.
    """
    return external.store_review(change, account)
