"""Which rows of the built-in module were adopted, and what they became: see ``AdoptedRow``."""

from __future__ import annotations

from collections.abc import Collection

from badges.models import AdoptedRow

ADOPTED = "adopted before"


def target(table: str, source_id: int) -> int | None:
    """What a row became here; None where it was not adopted. It may have been deleted here since."""
    return targets(table, [source_id]).get(source_id)


def targets(table: str, source_ids: Collection[int]) -> dict[int, int]:
    """What these rows became here; those that were not adopted are not in it."""
    rows = AdoptedRow.objects.filter(table_name=table, source_id__in=source_ids)
    return dict(rows.values_list("source_id", "target_id"))


def claimed(table: str, target_ids: Collection[int]) -> set[int]:
    """Which of these rows of here are what rows of that table became."""
    rows = AdoptedRow.objects.filter(table_name=table, target_id__in=target_ids)
    return set(rows.values_list("target_id", flat=True))


def remember(table: str, source_id: int, target_id: int) -> None:
    """Note that a row was adopted. Call it in the transaction that does it."""
    AdoptedRow.objects.create(table_name=table, source_id=source_id, target_id=target_id)
