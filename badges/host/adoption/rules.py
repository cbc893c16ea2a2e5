"""Data rules of the built-in module: which can be stored here, which can be read here, and what they mean here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from attrs import Factory, define, frozen

from badges.conf import get_config
from badges.exceptions import BadgesError
from badges.host.adoption.outcome import Outcome, Report
from badges.rules.operators import Operator
from badges.rules.schema import EventSchema, event_schema, resolved_fields, without_none

LONGEST = 255
"""Characters of an event type, a key path and a value."""


@frozen
class RuleRow:
    """A rule, as it is stored on both sides."""

    path: str
    operator: str
    value: str


@define
class Checked:
    """The rules of one requirement or penalty."""

    rules: list[RuleRow] = Factory(list)
    """What is stored here."""
    unsafe: list[str] = Factory(list)
    """Why a template with them must not be active before somebody has looked at them, in sentences."""
    notes: list[str] = Factory(list)
    """What else a person should know, in sentences."""


def check(owner: str, event_type: str, rows: Iterable[Any], kind: str, report: Report) -> Checked:
    """Decide what becomes of the rules of one requirement or penalty.

    Arguments:
        owner: what it is called in sentences: "Requirement 3".
        event_type: of which event.
        rows: its rules there.
        kind: what the report calls them.
        report: is told of each.
    """
    checked = Checked()
    seen: dict[tuple[str, str, object], RuleRow] = {}
    rows = list(rows)
    if not rows:
        checked.unsafe.append(
            f"{owner} has no rules: it never matched there, and would match every event of type {event_type} here."
        )
    for row in rows:
        rule = RuleRow(row.data_path, row.operator, row.value)
        if refused := _refused(rule):
            report.add(kind, Outcome.CANNOT, refused, str(row.pk))
            checked.unsafe.append(f"{owner} lost its rule {row.pk}: {refused}.")
            continue
        same = (rule.path, rule.operator, _canonical(event_type, rule))
        if same in seen:
            report.add(kind, Outcome.MERGE, "the same rule is there twice", str(row.pk))
            continue
        seen[same] = rule
        checked.rules.append(rule)
        report.add(kind, Outcome.CREATE)
    _read(owner, event_type, checked)
    return checked


def _refused(rule: RuleRow) -> str:
    """Why a rule cannot be stored here; empty if it can."""
    if len(rule.path) > LONGEST or len(rule.value) > LONGEST:
        return f"its key path or its value is longer than {LONGEST} characters"
    if rule.operator not in {operator.value for operator in Operator}:
        return "this app does not know its operator"
    return ""


def _canonical(event_type: str, rule: RuleRow) -> object:
    """What a value is compared as; the text where that cannot be told."""
    try:
        return event_schema(event_type).kind_of(rule.path).read(rule.value)
    except BadgesError:
        return rule.value


def _read(owner: str, event_type: str, checked: Checked) -> None:
    """Say which rules cannot be read, and which mean something else here."""
    try:
        schema = event_schema(event_type)
    except BadgesError as error:
        checked.unsafe.append(f"{owner} would be left out of processing: {error}")
        return
    if event_type not in get_config().events:
        checked.notes.append(
            f'{owner} never matches: BADGES_CONFIG["events"] does not have its event type {event_type}.'
        )
    for rule in checked.rules:
        try:
            schema.kind_of(rule.path).read(rule.value)
        except BadgesError as error:
            checked.unsafe.append(f"{owner} would be left out of processing: {error}")
            continue
        if rule.operator == Operator.NE and may_be_absent(schema, rule.path):
            checked.notes.append(
                f'{owner} matched there also where an event had no "{rule.path}", for its rule asks for any value but '
                "one; here it does not."
            )


def may_be_absent(schema: EventSchema, path: str) -> bool:
    """Whether an event may come without a value at a key path that its schema has."""
    names = path.split(".")
    arguments = dict(schema.arguments)
    cls: Any = arguments[names.pop(0)] if len(arguments) > 1 else next(iter(arguments.values()))
    for name in names:
        attribute = next(field for field in resolved_fields(cls) if field.name == name)
        declared = without_none(attribute.type)
        if attribute.default is None or declared is not attribute.type:
            return True
        cls = declared
    return False
