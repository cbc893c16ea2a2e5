"""Penalties of the built-in module, with the requirements that they reset and their rules."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import Factory, define

from badges.host.adoption import memory, rules, tables
from badges.host.adoption.context import Adopted
from badges.host.adoption.outcome import Outcome, Report
from badges.host.adoption.requirements import DELETED, TOO_LONG, rules_of
from badges.host.adoption.templates import Standing
from badges.models import BadgePenalty, BadgeTemplate, PenaltyDataRule

KIND, RULES, LINKS = "penalties", "penalty data rules", "requirements that a penalty resets"
TABLE = "badges_badgepenalty"
HERE = "the penalty is here"
LEFT_OUT = "its penalty is left out"
UNSAFE_IN_ACTIVE = (
    "its rules are not safe here (none, or unreadable ones), and its template is active here. Deactivate that and run "
    "this again, or make the penalty anew"
)


@define
class Penalties:
    """Adopts the penalties of one template. In a transaction where it writes."""

    standing: Standing
    report: Report
    apply: bool
    requirements: Mapping[int, Adopted]
    _unclaimed: dict[tuple[Any, ...], list[int]] = Factory(dict)

    def adopt(self, builtin_id: int) -> None:
        """Adopt them.

        Arguments:
            builtin_id: the template's.
        """
        rows: Sequence[Any] = tables.BadgePenalty.objects.filter(template_id=builtin_id).order_by("pk")
        ids = [row.pk for row in rows]
        rule_rows = rules_of(tables.PenaltyDataRule.objects, "penalty_id", ids)
        links: defaultdict[int, list[int]] = defaultdict(list)
        pairs: Any = tables.PenaltyRequirement.objects.filter(badgepenalty_id__in=ids).order_by("pk")
        for penalty_id, requirement_id in pairs.values_list("badgepenalty_id", "badgerequirement_id"):
            links[penalty_id].append(requirement_id)
        known = memory.targets(TABLE, ids)
        here = self._here()
        for row in rows:
            if row.pk in known:
                reason = memory.ADOPTED if known[row.pk] in here else DELETED
                self._skip(row, rule_rows[row.pk], links[row.pk], reason)
            else:
                self._take(row, rule_rows[row.pk], links[row.pk])

    def _here(self) -> set[int]:
        if self.standing.template is None or self.standing.is_new:
            return set()
        own = list(self.standing.template.penalties.prefetch_related("rules", "requirements").order_by("pk"))
        claimed = memory.claimed(TABLE, [row.pk for row in own])
        for row in own:
            if row.pk not in claimed:
                there = [rules.RuleRow(rule.data_path, rule.operator, rule.value) for rule in row.rules.all()]
                resets = [requirement.pk for requirement in row.requirements.all()]
                self._unclaimed.setdefault(_signature(row.event_type, there, resets), []).append(row.pk)
        return {row.pk for row in own}

    def _take(self, row: Any, rule_rows: Sequence[Any], links: Sequence[int]) -> None:
        if len(row.event_type) > rules.LONGEST:
            self._leave(row, rule_rows, links, TOO_LONG)
            self.standing.obstacles.append(f"Penalty {row.pk} is left out: {TOO_LONG}.")
            return
        of_rules = Report()
        checked = rules.check(f"Penalty {row.pk}", row.event_type, rule_rows, RULES, of_rules)
        resets = [self.requirements[link].id for link in dict.fromkeys(links) if link in self.requirements]
        same = self._unclaimed.get(_signature(row.event_type, checked.rules, resets))
        if same:
            self.report.add(KIND, Outcome.MERGE, "the same one is here", str(row.pk))
            self.report.add(RULES, Outcome.MERGE, HERE, number=len(rule_rows))
            self.report.add(LINKS, Outcome.MERGE, HERE, number=len(links))
            self._remember(row, same.pop(0))
            return
        if checked.unsafe and self.standing.is_active:
            self._leave(row, rule_rows, links, UNSAFE_IN_ACTIVE)
            return
        self.standing.obstacles += checked.unsafe
        self.standing.notes += checked.notes
        self.report.add(KIND, Outcome.CREATE)
        self.report.absorb(of_rules)
        self._tell_of_links(row, links)
        if self.apply and self.standing.template is not None:
            self._store(self.standing.template, row, checked.rules, resets)

    def _tell_of_links(self, row: Any, links: Sequence[int]) -> None:
        for link, times in Counter(links).items():
            if link not in self.requirements:
                reason = "the requirement is of another template, or is not here"
                self.report.add(LINKS, Outcome.CANNOT, reason, f"{row.pk}: {link}", times)
                continue
            self.report.add(LINKS, Outcome.CREATE)
            self.report.add(LINKS, Outcome.MERGE, "the same one is there twice", number=times - 1)
        if not any(link in self.requirements for link in links):
            self.standing.notes.append(f"Penalty {row.pk} resets no requirement, so it does nothing.")

    def _store(
        self, template: BadgeTemplate, row: Any, its_rules: Sequence[rules.RuleRow], resets: Sequence[int]
    ) -> None:
        penalty = BadgePenalty.objects.create(template=template, event_type=row.event_type)
        penalty.requirements.set(resets)
        PenaltyDataRule.objects.bulk_create(
            PenaltyDataRule(penalty=penalty, data_path=rule.path, operator=rule.operator, value=rule.value)
            for rule in its_rules
        )
        self._remember(row, penalty.pk)

    def _remember(self, row: Any, own_id: int) -> None:
        if self.apply:
            memory.remember(TABLE, row.pk, own_id)

    def _leave(self, row: Any, rule_rows: Sequence[Any], links: Sequence[int], reason: str) -> None:
        self.report.add(KIND, Outcome.CANNOT, reason, str(row.pk))
        self.report.add(RULES, Outcome.CANNOT, LEFT_OUT, number=len(rule_rows))
        self.report.add(LINKS, Outcome.CANNOT, LEFT_OUT, number=len(links))

    def _skip(self, row: Any, rule_rows: Sequence[Any], links: Sequence[int], reason: str) -> None:
        self.report.add(KIND, Outcome.SKIP, reason, str(row.pk))
        self.report.add(RULES, Outcome.SKIP, f"with its penalty: {reason}", number=len(rule_rows))
        self.report.add(LINKS, Outcome.SKIP, f"with its penalty: {reason}", number=len(links))


def _signature(event_type: str, its_rules: Sequence[rules.RuleRow], resets: Sequence[int]) -> tuple[Any, ...]:
    ordered = sorted((rule.path, rule.operator, rule.value) for rule in its_rules)
    return event_type, tuple(ordered), tuple(sorted(resets))
