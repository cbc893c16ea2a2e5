"""When a badge template may be active, and what staff should know when it is."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext

from badges.conf import get_config
from badges.models import BadgePenalty, BadgeRequirement, BadgeTemplate, DataRule, PenaltyDataRule
from badges.rules.ruleset import PenaltySpec, RequirementSpec, Rule, compile_ruleset


def needs_requirement(template: BadgeTemplate) -> str:
    """The sentence that refuses an active template without a requirement."""
    return gettext(
        'The badge template "%(name)s" cannot be active without a requirement: nobody could earn it. '
        "Add a requirement, let it take applications, or deactivate it first."
    ) % {"name": template.name}


def is_earned_otherwise(template: BadgeTemplate) -> bool:
    """Whether a badge can be had without events: by an application, here or at a BadgeKit system."""
    return template.takes_applications or template.awards_on_approval


def obstacles(template: BadgeTemplate) -> list[str]:
    """Why a stored template cannot be activated as it is; empty if it can."""
    found = template.obstacles_to_activation()
    if not is_earned_otherwise(template) and not template.requirements.exists():
        found.append(needs_requirement(template))
    return found


def left_without_requirement(requirements: Iterable[BadgeRequirement]) -> list[BadgeTemplate]:
    """The active templates that would have no requirement left, were these deleted."""
    ids = {requirement.pk for requirement in requirements}
    touched = BadgeTemplate.objects.filter(is_active=True, requirements__in=ids).distinct()
    kept = set(
        BadgeRequirement.objects.filter(template__in=touched)
        .exclude(pk__in=ids)
        .order_by()
        .values_list("template_id", flat=True)
    )
    return [template for template in touched if template.pk not in kept and not is_earned_otherwise(template)]


def warnings_for(template: BadgeTemplate) -> list[str]:
    """What is allowed in an active template but is probably not meant, in sentences."""
    requirements = list(template.requirements.prefetch_related("rules"))
    penalties = list(template.penalties.prefetch_related("rules", "requirements"))
    configured = get_config().events
    found = []
    owners: list[BadgeRequirement | BadgePenalty] = [*requirements, *penalties]
    for owner in owners:
        values = {"kind": owner._meta.verbose_name, "owner": owner, "event_type": owner.event_type}
        if not owner.rules.all():
            text = gettext('The %(kind)s "%(owner)s" has no rules: every event of type %(event_type)s matches it.')
            found.append(text % values)
        if owner.event_type not in configured:
            text = gettext(
                'The %(kind)s "%(owner)s" never matches: BADGES_CONFIG["events"] does not have its event type '
                "%(event_type)s."
            )
            found.append(text % values)
    for penalty in penalties:
        if not penalty.requirements.all():
            text = gettext('The badge penalty "%(penalty)s" resets no requirement, so it does nothing.')
            found.append(text % {"penalty": penalty})
    return [*found, *_unreadable(requirements, penalties)]


def _unreadable(requirements: list[BadgeRequirement], penalties: list[BadgePenalty]) -> list[str]:
    """What the consumer would leave out, in its own words."""
    ruleset = compile_ruleset(
        [
            RequirementSpec(row.pk, row.template_id, row.event_type, row.group, _rules(row.rules.all()))
            for row in requirements
        ],
        [
            PenaltySpec(row.pk, row.template_id, row.event_type, frozenset(), _rules(row.rules.all()))
            for row in penalties
        ],
    )
    owners: dict[tuple[str, int], BadgeRequirement | BadgePenalty] = {
        **{("requirement", row.pk): row for row in requirements},
        **{("penalty", row.pk): row for row in penalties},
    }
    return [
        gettext('The %(kind)s "%(owner)s" is left out of processing: %(reason)s')
        % {
            "kind": owners[problem.owner, problem.owner_id]._meta.verbose_name,
            "owner": owners[problem.owner, problem.owner_id],
            "reason": problem.reason,
        }
        for problem in ruleset.problems
    ]


def _rules(rows: Iterable[DataRule | PenaltyDataRule]) -> tuple[Rule, ...]:
    return tuple(Rule(row.data_path, row.operator, row.value) for row in rows)
