"""What the synchronization's tests share."""

from __future__ import annotations

from typing import Any

from badges.data import ProviderTemplate
from badges.issuing.sync.report import News, SyncReport
from badges.issuing.sync.run import sync_templates
from badges.models import ProviderAccount


def listed(external_id: str, name: str = "Badge", **values: Any) -> ProviderTemplate:
    """An entry of the provider's list."""
    return ProviderTemplate(external_id=external_id, name=name, **values)


def told_by(account: ProviderAccount, **options: Any) -> tuple[SyncReport, list[News]]:
    """Synchronize, and give all that was told meanwhile."""
    told: list[News] = []
    return sync_templates(account, tell=told.append, **options), told


def numbers(report: SyncReport) -> tuple[int, int, int, int]:
    """Created, updated, unchanged, archived."""
    counts = report.counts
    return counts.created, counts.updated, counts.unchanged, counts.archived
