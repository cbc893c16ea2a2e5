"""Requirements of the built-in module, with their groups and rules.

There a group was called blend, and those without one (NULL) were alternatives of each other. Here a requirement without
a group is needed by itself, so several of them get a group in common.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import Factory, define

from badges.host.adoption import memory, rules, tables
from badges.host.adoption.context import Adopted
from badges.host.adoption.outcome import Outcome, Report
from badges.host.adoption.templates import Standing
from badges.models import BadgeRequirement, DataRule

KIND, RULES, TABLE = "requirements", "data rules", "badges_badgerequirement"
ALTERNATIVES = "ungrouped"
"""The group of requirements that had none there."""
LONGEST_GROUP = 50
TOO_LONG = f"its event type is longer than {rules.LONGEST} characters"
UNSAFE_IN_ACTIVE = (
    "its rules are not safe here (none, or unreadable ones), and its template is active here. Deactivate that and run "
    "this again, or make the requirement anew"
)
LEFT_OUT = "its requirement is left out"
DELETED = "adopted before, and deleted here since"


@define
class Requirements:
    """Adopts the requirements of one template. In a transaction where it writes."""

    standing: Standing
    report: Report
    apply: bool
    _unclaimed: dict[tuple[Any, ...], list[int]] = Factory(dict)
    """Event type, group and rules of those that are here and of which nobody knows where they come from -> ids."""

    def adopt(self, builtin_id: int) -> dict[int, Adopted]:
        """Adopt them; gives ours, by their ids there.

        Arguments:
            builtin_id: the template's.
        """
        rows: Sequence[Any] = tables.BadgeRequirement.objects.filter(template_id=builtin_id).order_by("pk")
        rule_rows = rules_of(tables.DataRule.objects, "requirement_id", [row.pk for row in rows])
        known = memory.targets(TABLE, [row.pk for row in rows])
        here = self._here()
        groups = self._groups(rows, {pk: here[own].group for pk, own in known.items() if own in here})
        adopted: dict[int, Adopted] = {}
        for row in rows:
            found = here.get(known[row.pk]) if row.pk in known else None
            if found is not None:
                self._skip(row, rule_rows[row.pk], memory.ADOPTED)
            elif row.pk in known:
                self._skip(row, rule_rows[row.pk], DELETED)
            else:
                found = self._take(row, groups[row.pk], rule_rows[row.pk])
            if found is not None:
                adopted[row.pk] = found
        return adopted

    def _here(self) -> dict[int, Adopted]:
        """The template's requirements as they are here, by their ids."""
        if self.standing.template is None or self.standing.is_new:
            return {}
        own = list(self.standing.template.requirements.prefetch_related("rules").order_by("pk"))
        claimed = memory.claimed(TABLE, [row.pk for row in own])
        for row in own:
            if row.pk not in claimed:
                there = [rules.RuleRow(rule.data_path, rule.operator, rule.value) for rule in row.rules.all()]
                self._unclaimed.setdefault(_signature(row.event_type, row.group, there), []).append(row.pk)
        return {row.pk: Adopted(row.pk, row.group, row.event_type) for row in own}

    def _groups(self, rows: Iterable[Any], adopted: Mapping[int, str]) -> dict[int, str]:
        """The group of each requirement here. ``adopted``: those of the ones that are here, as they are now."""
        by_blend: dict[str | None, list[int]] = defaultdict(list)
        for row in rows:
            by_blend[row.blend].append(row.pk)
        taken = {_fitting(blend) for blend in by_blend if blend} | set(adopted.values())
        groups: dict[int, str] = {}
        for blend in sorted(by_blend, key=lambda blend: (blend is not None, blend or "")):
            ids = by_blend[blend]
            if blend:
                group = _fitting(blend)
            elif len(ids) == 1:
                group = ""
            else:
                group = self._in_common({adopted[pk] for pk in ids if pk in adopted}, taken)
                taken.add(group)
                self._tell_of_alternatives(ids, adopted, group)
            groups |= dict.fromkeys(ids, group)
        return groups

    def _in_common(self, present: set[str], taken: set[str]) -> str:
        """The group of several that had none: the one that they have here already, or a new one."""
        if len(present) == 1 and "" not in present:
            return present.pop()
        number, group = 1, ALTERNATIVES
        while group in taken:
            number += 1
            group = f"{ALTERNATIVES} {number}"
        return group

    def _tell_of_alternatives(self, ids: Sequence[int], adopted: Mapping[int, str], group: str) -> None:
        if all(pk in adopted for pk in ids):
            return
        told = f"Its requirements {', '.join(map(str, ids))} there had no group, and any one of them sufficed. "
        if apart := [pk for pk in ids if adopted.get(pk, group) != group]:
            told += (
                f"What came here before ({', '.join(map(str, apart))}) stays as it is, so that is needed beside the "
                f'others here. If any one should suffice, put all of them into one group, "{group}".'
            )
        else:
            told += (
                f'So they have one group here, "{group}". If all of them should be needed, take the group from them.'
            )
        self.standing.notes.append(told)

    def _take(self, row: Any, group: str, rule_rows: Sequence[Any]) -> Adopted | None:
        """Make one here, or find it; None where neither can be."""
        if len(row.event_type) > rules.LONGEST:
            self.report.add(KIND, Outcome.CANNOT, TOO_LONG, str(row.pk))
            self.report.add(RULES, Outcome.CANNOT, LEFT_OUT, number=len(rule_rows))
            self.standing.obstacles.append(f"Requirement {row.pk} is left out: {TOO_LONG}.")
            return None
        of_rules = Report()
        checked = rules.check(f"Requirement {row.pk}", row.event_type, rule_rows, RULES, of_rules)
        same = self._unclaimed.get(_signature(row.event_type, group, checked.rules))
        if same:
            self.report.add(KIND, Outcome.MERGE, "the same one is here", str(row.pk))
            self.report.add(RULES, Outcome.MERGE, "the requirement is here", number=len(rule_rows))
            return self._remember(row, same.pop(0), group)
        if checked.unsafe and self.standing.is_active:
            self.report.add(KIND, Outcome.CANNOT, UNSAFE_IN_ACTIVE, str(row.pk))
            self.report.add(RULES, Outcome.CANNOT, LEFT_OUT, number=len(rule_rows))
            return None
        self.standing.obstacles += checked.unsafe
        self.standing.notes += checked.notes
        self.report.add(KIND, Outcome.CREATE)
        self.report.absorb(of_rules)
        return self._remember(row, self._store(row, group, checked.rules), group)

    def _store(self, row: Any, group: str, its_rules: Sequence[rules.RuleRow]) -> int:
        if not self.apply or self.standing.template is None:
            return 0
        requirement = BadgeRequirement.objects.create(
            template=self.standing.template,
            event_type=row.event_type,
            group=group,
            description=row.description or "",
        )
        DataRule.objects.bulk_create(
            DataRule(requirement=requirement, data_path=rule.path, operator=rule.operator, value=rule.value)
            for rule in its_rules
        )
        return requirement.pk

    def _remember(self, row: Any, own_id: int, group: str) -> Adopted:
        if self.apply:
            memory.remember(TABLE, row.pk, own_id)
        return Adopted(own_id, group, row.event_type)

    def _skip(self, row: Any, rule_rows: Sequence[Any], reason: str) -> None:
        self.report.add(KIND, Outcome.SKIP, reason, str(row.pk))
        self.report.add(RULES, Outcome.SKIP, f"with its requirement: {reason}", number=len(rule_rows))


def rules_of(rows: Any, owner: str, owner_ids: Sequence[int]) -> defaultdict[int, list[Any]]:
    """The rules of these requirements or penalties, by their owner."""
    by_owner: defaultdict[int, list[Any]] = defaultdict(list)
    for row in rows.filter(**{f"{owner}__in": owner_ids}).order_by("pk"):
        by_owner[getattr(row, owner)].append(row)
    return by_owner


def _signature(event_type: str, group: str, its_rules: Iterable[rules.RuleRow]) -> tuple[Any, ...]:
    return event_type, group, tuple(sorted((rule.path, rule.operator, rule.value) for rule in its_rules))


def _fitting(blend: str) -> str:
    """The name of a group, cut to what fits here without two becoming one."""
    if len(blend) <= LONGEST_GROUP:
        return blend
    return f"{blend[: LONGEST_GROUP - 9]}-{hashlib.sha256(blend.encode()).hexdigest()[:8]}"
