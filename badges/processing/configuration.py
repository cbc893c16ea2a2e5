"""The compiled ruleset of the present configuration, kept until its version changes."""

from __future__ import annotations

import logging
import threading
import uuid
from collections import defaultdict

from badges.models import BadgePenalty, BadgeRequirement, ConfigurationVersion, DataRule, PenaltyDataRule
from badges.rules.ruleset import PenaltySpec, RequirementSpec, Rule, Ruleset, compile_ruleset

logger = logging.getLogger(__name__)

_lock = threading.Lock()
_compiled: tuple[uuid.UUID | None, Ruleset] | None = None


def current_ruleset() -> Ruleset:
    """The rules of all active templates. One query while the configuration stands; compiles when it changed."""
    global _compiled
    version = ConfigurationVersion.current()
    known = _compiled
    if known is not None and known[0] == version:
        return known[1]
    with _lock:
        known = _compiled
        if known is None or known[0] != version:
            known = _compiled = _load()
    return known[1]


def _load() -> tuple[uuid.UUID | None, Ruleset]:
    """The ruleset with the token of the configuration that it was compiled from."""
    # Every commit that changes the configuration changes the token. Where it is the same before and after, the queries
    # between saw one configuration: a requirement is never loaded without its rules. And nobody is waited for.
    while True:
        version = ConfigurationVersion.current()
        requirements, penalties = _read()
        if ConfigurationVersion.current() == version:
            break
    ruleset = compile_ruleset(requirements, penalties)
    for problem in ruleset.problems:
        logger.warning(
            "Badge %s %s takes no part in processing: %s Correct it in the admin.",
            problem.owner,
            problem.owner_id,
            problem.reason,
            extra={"action": "rule_skipped", "owner": problem.owner, "owner_id": problem.owner_id},
        )
    return version, ruleset


def _read() -> tuple[list[RequirementSpec], list[PenaltySpec]]:
    requirement_rules: dict[int, list[Rule]] = defaultdict(list)
    for owner_id, *rule in DataRule.objects.filter(requirement__template__is_active=True).values_list(
        "requirement_id", "data_path", "operator", "value"
    ):
        requirement_rules[owner_id].append(Rule(*rule))
    penalty_rules: dict[int, list[Rule]] = defaultdict(list)
    for owner_id, *rule in PenaltyDataRule.objects.filter(penalty__template__is_active=True).values_list(
        "penalty_id", "data_path", "operator", "value"
    ):
        penalty_rules[owner_id].append(Rule(*rule))
    resets: dict[int, set[int]] = defaultdict(set)
    for penalty_id, requirement_id in BadgePenalty.requirements.through._default_manager.filter(
        badgepenalty__template__is_active=True
    ).values_list("badgepenalty_id", "badgerequirement_id"):
        resets[penalty_id].add(requirement_id)

    return (
        [
            RequirementSpec(
                id=pk, template_id=template_id, event_type=event_type, group=group, rules=tuple(requirement_rules[pk])
            )
            for pk, template_id, event_type, group in BadgeRequirement.objects.filter(
                template__is_active=True
            ).values_list("pk", "template_id", "event_type", "group")
        ],
        [
            PenaltySpec(
                id=pk,
                template_id=template_id,
                event_type=event_type,
                requirement_ids=frozenset(resets[pk]),
                rules=tuple(penalty_rules[pk]),
            )
            for pk, template_id, event_type in BadgePenalty.objects.filter(template__is_active=True).values_list(
                "pk", "template_id", "event_type"
            )
        ],
    )
