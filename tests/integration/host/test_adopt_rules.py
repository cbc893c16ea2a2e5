"""Adopting requirements, penalties and their rules: they mean here what they mean there, or somebody is told."""

from __future__ import annotations

from typing import Any

import pytest

from badges.host.adoption import tables
from badges.models import AdoptedRow, BadgePenalty, BadgeRequirement, BadgeTemplate, DataRule, PenaltyDataRule
from tests.factories import COURSE, PASSING
from tests.integration.host.built_in import BuiltIn
from tests.integration.host.running import adopt

ENROLMENT = "org.openedx.learning.course.enrollment.created.v1"
COURSE_RULE = ("course.course_key", "eq", COURSE)


def rules(model: Any = DataRule) -> list[tuple[str, str, str]]:
    return list(model.objects.order_by("pk").values_list("data_path", "operator", "value"))


def groups() -> list[str]:
    return list(BadgeRequirement.objects.order_by("pk").values_list("group", flat=True))


def is_active() -> bool:
    return BadgeTemplate.objects.get().is_active


def test_a_requirement_is_adopted_with_its_rules(built_in: BuiltIn) -> None:
    there = built_in.credly_template()
    built_in.requirement(there, [COURSE_RULE, ("is_passing", "ne", "false")], blend="C", description="Pass it.")

    adopt()

    here = BadgeRequirement.objects.get()
    assert (here.template_id, here.event_type, here.group, here.description) == (there.pk, PASSING, "C", "Pass it.")
    assert rules() == [COURSE_RULE, ("is_passing", "ne", "false")]


def test_a_penalty_is_adopted_with_its_rules_and_what_it_resets(built_in: BuiltIn) -> None:
    there = built_in.credly_template()
    one, two = built_in.requirement(there), built_in.requirement(there, blend="B")
    built_in.requirement(there, blend="C")
    built_in.penalty(there, [one, two], [("is_passing", "eq", "false")])

    adopt()

    here = BadgePenalty.objects.get()
    assert (here.template_id, here.event_type) == (there.pk, PASSING)
    assert {requirement.group for requirement in here.requirements.all()} == {"A", "B"}
    assert rules(PenaltyDataRule) == [("is_passing", "eq", "false")]


def test_groups_keep_their_letters(built_in: BuiltIn) -> None:
    there = built_in.credly_template()
    for blend in ("A", "A", "B"):
        built_in.requirement(there, blend=blend)

    adopt()

    assert groups() == ["A", "A", "B"]


def test_several_without_a_group_were_alternatives_and_stay_so(built_in: BuiltIn) -> None:
    there = built_in.credly_template()
    for blend in (None, "A", None):
        built_in.requirement(there, blend=blend)

    ended = adopt()

    assert groups() == ["ungrouped", "A", "ungrouped"]
    assert "had no group, and any one of them sufficed" in ended.out


@pytest.mark.parametrize("blend", [None, ""])
def test_one_without_a_group_stands_alone(built_in: BuiltIn, blend: str | None) -> None:
    there = built_in.credly_template()
    built_in.requirement(there, blend=blend)
    built_in.requirement(there, blend="A")

    ended = adopt()

    assert groups() == ["", "A"]
    assert "had no group" not in ended.out


def test_blank_and_missing_groups_were_two_groups(built_in: BuiltIn) -> None:
    there = built_in.credly_template()
    for blend in (None, "", None, ""):
        built_in.requirement(there, blend=blend)

    adopt()

    first, second, third, fourth = groups()
    assert (first, second) == (third, fourth)
    assert len({first, second, ""}) == 3


def test_the_group_in_common_is_none_of_the_others(built_in: BuiltIn) -> None:
    there = built_in.credly_template()
    for blend in (None, None, "ungrouped"):
        built_in.requirement(there, blend=blend)

    adopt()

    assert groups() == ["ungrouped 2", "ungrouped 2", "ungrouped"]


def test_one_that_came_later_joins_the_alternatives(built_in: BuiltIn) -> None:
    there = built_in.credly_template()
    for _ in range(2):
        built_in.requirement(there, blend=None)
    adopt()
    BadgeRequirement.objects.update(group="renamed")
    built_in.requirement(there, blend=None)

    adopt()

    assert groups() == ["renamed"] * 3


def test_long_names_of_groups_stay_different(built_in: BuiltIn) -> None:
    there = built_in.credly_template()
    for end in "xyy":
        tables.BadgeRequirement.objects.create(template=there, event_type=PASSING, blend="g" * 49 + end)

    adopt()

    first, second, third = groups()
    assert first != second == third


def test_a_requirement_without_rules_would_fire_here_so_the_template_is_inactive(built_in: BuiltIn) -> None:
    there = built_in.credly_template()
    built_in.requirement(there)
    bare = built_in.requirement(there, rules=(), blend="B")

    ended = adopt()

    assert not is_active()
    assert f"Requirement {bare.pk} has no rules: it never matched there" in ended.out


def test_a_penalty_without_rules_would_fire_here_so_the_template_is_inactive(built_in: BuiltIn) -> None:
    there = built_in.credly_template()
    penalty = built_in.penalty(there, [built_in.requirement(there)], rules=())

    ended = adopt()

    assert not is_active()
    assert f"Penalty {penalty.pk} has no rules" in ended.out


@pytest.mark.parametrize(
    "rule",
    [("is_passing", "eq", "perhaps"), ("no.such.path", "eq", "x"), ("course.start", "eq", "Monday")],
)
def test_a_rule_that_cannot_be_read_leaves_the_template_inactive(built_in: BuiltIn, rule: Any) -> None:
    built_in.requirement(built_in.credly_template(), [rule])

    ended = adopt()

    assert not is_active()
    assert rules() == [rule]
    assert "would be left out of processing" in ended.out


def test_an_unknown_event_type_leaves_the_template_inactive(built_in: BuiltIn) -> None:
    built_in.requirement(built_in.credly_template(), event_type="org.openedx.gone.v1")

    ended = adopt()

    assert not is_active()
    assert BadgeRequirement.objects.get().event_type == "org.openedx.gone.v1"
    assert 'openedx-events knows no event type "org.openedx.gone.v1"' in ended.out


def test_an_event_type_that_takes_no_part_is_told_and_no_obstacle(built_in: BuiltIn) -> None:
    built_in.requirement(built_in.credly_template(), [("course.course_key", "eq", COURSE)], event_type=ENROLMENT)

    ended = adopt()

    assert is_active()
    assert 'never matches: BADGES_CONFIG["events"] does not have its event type' in ended.out


def test_a_rule_that_also_matched_what_is_absent_is_told(built_in: BuiltIn) -> None:
    built_in.requirement(
        built_in.credly_template(), [("is_passing", "ne", "false"), ("course.start", "ne", "2026-01-01T00:00:00Z")]
    )

    ended = adopt()

    assert is_active()
    assert 'matched there also where an event had no "course.start"' in ended.out
    assert 'had no "is_passing"' not in ended.out


def test_an_operator_that_is_unknown_leaves_the_rule_out_and_the_template_inactive(built_in: BuiltIn) -> None:
    built_in.requirement(built_in.credly_template(), [COURSE_RULE, ("is_passing", "gt", "1")])

    ended = adopt()

    assert (rules(), is_active()) == ([COURSE_RULE], False)
    assert "this app does not know its operator" in ended.out


def test_the_same_rule_in_two_spellings_is_one(built_in: BuiltIn) -> None:
    built_in.requirement(built_in.credly_template(), [("is_passing", "eq", "yes"), ("is_passing", "eq", "+")])

    ended = adopt()

    assert rules() == [("is_passing", "eq", "yes")]
    assert "the same rule is there twice" in ended.out


def test_a_requirement_of_another_template_is_not_reset(built_in: BuiltIn) -> None:
    other = built_in.requirement(built_in.credly_template())
    there = built_in.credly_template()
    own = built_in.requirement(there, blend="B")
    built_in.penalty(there, [own, other, own])

    ended = adopt()

    assert [requirement.group for requirement in BadgePenalty.objects.get().requirements.all()] == ["B"]
    assert "the requirement is of another template, or is not here" in ended.out


def test_a_penalty_that_resets_nothing_is_told(built_in: BuiltIn) -> None:
    there = built_in.credly_template()
    built_in.requirement(there)
    penalty = built_in.penalty(there)

    ended = adopt()

    assert is_active()
    assert f"Penalty {penalty.pk} resets no requirement, so it does nothing." in ended.out


def test_what_staff_changed_or_deleted_here_stays_so(built_in: BuiltIn) -> None:
    there = built_in.credly_template()
    kept, deleted = built_in.requirement(there), built_in.requirement(there, blend="B")
    built_in.penalty(there, [kept])
    adopt()
    here = BadgeRequirement.objects.get(
        pk=AdoptedRow.objects.get(table_name="badges_badgerequirement", source_id=kept.pk).target_id
    )
    here.rules.all().delete()
    BadgeRequirement.objects.filter(group="B").delete()
    BadgePenalty.objects.all().delete()

    ended = adopt()

    assert list(BadgeRequirement.objects.all()) == [here]
    assert (rules(), BadgePenalty.objects.count()) == ([], 0)
    assert "adopted before, and deleted here since" in ended.out
    assert str(deleted.pk) in ended.out


def test_what_came_there_since_is_adopted(built_in: BuiltIn) -> None:
    there = built_in.credly_template()
    built_in.requirement(there)
    adopt()
    later = built_in.requirement(there, blend="B")
    built_in.penalty(there, [later])

    ended = adopt()

    assert groups() == ["A", "B"]
    assert [requirement.group for requirement in BadgePenalty.objects.get().requirements.all()] == ["B"]
    assert "rows adopted" in ended.out


@pytest.mark.parametrize("kind", ["requirement", "penalty"])
def test_what_is_not_safe_does_not_come_into_an_active_template(built_in: BuiltIn, kind: str) -> None:
    there = built_in.credly_template()
    requirement = built_in.requirement(there)
    adopt()
    if kind == "requirement":
        built_in.requirement(there, rules=(), blend="B")
    else:
        built_in.penalty(there, [requirement], rules=())

    ended = adopt()

    assert (BadgeRequirement.objects.count(), BadgePenalty.objects.count(), is_active()) == (1, 0, True)
    assert "its rules are not safe here" in ended.out
