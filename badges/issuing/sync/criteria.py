"""The criteria against which a provider reviews applications, kept as it lists them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import transaction

from badges.data import ReviewCriterion
from badges.models import BadgeTemplate, Criterion, ReviewItem
from badges.rules.payload import storable_text

LARGEST_ID = 2**63 - 1
MOST = 500
"""More criteria of one template are left out."""


def store(template: BadgeTemplate, listed: Iterable[ReviewCriterion]) -> bool:
    """Bring the provider's own criteria of a template to what it lists. Those that staff made here stay.

    What older reviews say of a criterion whose text was not known then gets it.

    Returns:
        Whether anything changed.
    """
    wanted = _values(listed)
    with transaction.atomic():
        # Whoever stores the same at this moment waits.
        if BadgeTemplate.objects.select_for_update().filter(pk=template.pk).order_by("pk").first() is None:
            return False
        rows = list(Criterion.objects.filter(template_id=template.pk).order_by("pk"))
        known = {row.external_id: row for row in rows if row.external_id is not None}
        own = {row.description: row for row in reversed(rows) if row.external_id is None}
        gone = [row.pk for key, row in known.items() if key not in wanted]
        changed = bool(gone) and bool(Criterion.objects.filter(pk__in=gone).delete()[0])
        for key, values in wanted.items():
            # One that staff copied from the template's page is this one.
            row = known.get(key) or own.pop(values["description"], None) or Criterion(template_id=template.pk)
            changed = _write(row, {"external_id": key, **values}) or changed
            _tell_reviews(row)
    return changed


def _values(listed: Iterable[ReviewCriterion]) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    for one in list(listed)[:MOST]:
        if 0 <= one.external_id <= LARGEST_ID and (description := storable_text(one.description).strip()):
            found.setdefault(
                one.external_id,
                {
                    "description": description,
                    "is_required": one.is_required,
                    "note": storable_text(one.note),
                    "position": len(found),
                },
            )
    return found


def _write(row: Criterion, values: dict[str, Any]) -> bool:
    if not row._state.adding and all(getattr(row, name) == value for name, value in values.items()):
        return False
    for name, value in values.items():
        setattr(row, name, value)
    row.save()
    return True


def _tell_reviews(row: Criterion) -> None:
    items = ReviewItem.objects.filter(
        review__application__template_id=row.template_id,
        criterion_external_id=row.external_id,
        criterion__isnull=True,
        description="",
    )
    # By ids: MySQL cannot change a table that it joins.
    ids = list(items.order_by("pk").values_list("pk", flat=True))
    if ids:
        ReviewItem.objects.filter(pk__in=ids).update(
            criterion=row, description=row.description, is_required=row.is_required
        )
