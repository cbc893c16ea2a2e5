"""What nobody adopts: what belongs to a template that is not adopted, or to none. All of it is counted."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from badges.host.adoption import penalties, requirements, tables
from badges.host.adoption.awards import BADGES
from badges.host.adoption.outcome import Outcome, Report
from badges.host.adoption.progress import FULFILMENTS, PROGRESS

NOT_ADOPTED = "their template is not adopted"
TEMPLATE_GONE = "its template was deleted there"
RECORD_GONE = "the host's record of it is gone, or is of something else"


def leave(template_id: int, report: Report) -> int:
    """Count what cannot be adopted because its template is not; gives how many records of progress and badges."""
    progress = tables.BadgeProgress.objects.filter(template_id=template_id)
    badges = sum(rows.count() for rows in tables.badges_of(template_id).values())
    left: dict[str, Any] = {
        requirements.KIND: tables.BadgeRequirement.objects.filter(template_id=template_id),
        requirements.RULES: tables.DataRule.objects.filter(requirement__template_id=template_id),
        penalties.KIND: tables.BadgePenalty.objects.filter(template_id=template_id),
        penalties.RULES: tables.PenaltyDataRule.objects.filter(penalty__template_id=template_id),
        penalties.LINKS: tables.PenaltyRequirement.objects.filter(badgepenalty__template_id=template_id),
        PROGRESS: progress,
        FULFILMENTS: tables.Fulfillment.objects.filter(progress__template_id=template_id),
    }
    numbers = {kind: rows.count() for kind, rows in left.items()} | {BADGES: badges}
    for kind, number in numbers.items():
        report.add(kind, Outcome.CANNOT, NOT_ADOPTED, f"template {template_id}", number)
    return int(numbers[PROGRESS]) + badges


def report_orphans(report: Report) -> None:
    """Tell of what belongs to no template, and so is seen by nobody who goes from template to template."""
    templates = tables.BadgeTemplate.objects
    lost = tables.BadgeProgress.objects.exclude(Exists(templates.filter(pk=OuterRef("template_id"))))
    if _count(report, PROGRESS, lost):
        _count(report, FULFILMENTS, tables.Fulfillment.objects.filter(progress__in=lost))
    for kind, model in tables.CONTENT_TYPES.items():
        badges = tables.BADGES[kind].objects
        records = tables.UserCredential.objects.filter(
            credential_content_type__app_label="badges", credential_content_type__model=model
        )
        known = records.filter(Exists(templates.filter(pk=OuterRef("credential_id"))))
        own, known = (Exists(rows.filter(pk=OuterRef("pk"))) for rows in (records, known))
        _count(report, BADGES, badges.filter(own).exclude(known))
        _count(report, BADGES, badges.exclude(own), RECORD_GONE)


def _count(report: Report, kind: str, rows: QuerySet[Any], reason: str = TEMPLATE_GONE) -> int:
    if number := rows.count():
        examples = rows.order_by("pk").values_list("pk", flat=True)[:5]
        first, *others = (str(pk) for pk in examples)
        report.add(kind, Outcome.CANNOT, reason, first, number - len(others))
        for one in others:
            report.add(kind, Outcome.CANNOT, reason, one)
    return number
