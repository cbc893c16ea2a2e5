"""Any configuration of the built-in module is adopted without an error, and adopting it twice is adopting it once."""

from __future__ import annotations

import re
from typing import Any

import hypothesis
import pytest
from django.db import transaction
from hypothesis import strategies as st

from badges.host.adoption import tables
from badges.models import (
    AdoptedRow,
    BadgePenalty,
    BadgeRequirement,
    BadgeTemplate,
    ConfigurationVersion,
    DataRule,
    PenaltyDataRule,
    ProviderAccount,
)
from badges.processing.configuration import current_ruleset
from tests.factories import CCX_PASSING, PASSING
from tests.integration.host.built_in import BuiltIn
from tests.integration.host.running import adopt, plan

OURS: tuple[Any, ...] = (
    ProviderAccount,
    BadgeTemplate,
    BadgeRequirement,
    DataRule,
    BadgePenalty,
    PenaltyDataRule,
    BadgePenalty.requirements.through,
    AdoptedRow,
    ConfigurationVersion,
)
texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), max_codepoint=0xFFFF), max_size=20)
paths = st.sampled_from(["is_passing", "course.course_key", "course.start", "user.pii.email", "user", "", "a.b"])
rules = st.tuples(paths, st.sampled_from(["eq", "ne", "gt"]), st.one_of(st.sampled_from(["true", "yes", "no"]), texts))
rule_sets = st.lists(rules, max_size=3, unique_by=lambda rule: (rule[0], rule[1], rule[2].casefold().strip()))
event_types = st.sampled_from([PASSING, CCX_PASSING, "org.openedx.learning.certificate.created.v1", "unknown", ""])
owners = st.tuples(event_types, rule_sets, st.sampled_from([None, "", "A", "B"]))
templates = st.fixed_dictionaries(
    {
        "way": st.sampled_from(["credly", "group", "bare", "overwritten"]),
        "values": st.fixed_dictionaries(
            {
                "name": texts,
                "state": st.sampled_from(["draft", "active", "archived", None]),
                "is_active": st.booleans(),
                "icon": st.one_of(st.none(), texts, st.just("https://x.example.com/a.png")),
                "description": st.one_of(st.none(), texts),
                "site_id": st.sampled_from([None, 1, 99]),
            }
        ),
        "requirements": st.lists(owners, max_size=4),
        "penalties": st.lists(owners, max_size=2),
    }
)


def build(built_in: BuiltIn, drawn: dict[str, Any]) -> None:
    make = {"credly": built_in.credly_template, "bare": built_in.bare_template}.get(drawn["way"], built_in.group)
    template = make(**drawn["values"])
    if drawn["way"] == "overwritten":
        tables.CredlyBadgeTemplate.objects.create(badgetemplate_ptr=template, organization=built_in.organization())
    requirements = [
        built_in.requirement(template, its_rules, event_type=event_type, blend=blend)
        for event_type, its_rules, blend in drawn["requirements"]
    ]
    for event_type, its_rules, _ in drawn["penalties"]:
        built_in.penalty(template, requirements[:2], its_rules, event_type=event_type)


def everything() -> list[list[tuple[Any, ...]]]:
    return [list(model.objects.order_by("pk").values_list()) for model in OURS]


def without_end(printed: str) -> str:
    return re.split(r"\d+ rows? adopted|There is nothing to adopt", printed)[0].strip()


@pytest.mark.usefixtures("built_in")
class TestAnyConfiguration:
    """In one transaction for each example, undone after it."""

    @hypothesis.settings(max_examples=25, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
    @hypothesis.given(drawn=st.lists(templates, max_size=4))
    def test_it_is_adopted_as_planned_and_twice_is_once(self, built_in: BuiltIn, drawn: list[dict[str, Any]]) -> None:
        with transaction.atomic():
            for one in drawn:
                build(built_in, one)
            before = everything()

            planned = plan()
            assert everything() == before

            applied = adopt()
            assert applied.status == 0
            assert without_end(applied.out) == without_end(planned.out.replace("left inactive here", "inactive here"))

            once = everything()
            again = adopt()
            assert everything() == once
            assert "There is nothing to adopt" in again.out or not drawn

            # What is active could all be read, and has rules.
            ruleset = current_ruleset()
            assert not ruleset.problems
            assert all(one.rules for one in ruleset.requirements.values())
            assert all(one.rules for one in ruleset.penalties.values())
            transaction.set_rollback(True)
