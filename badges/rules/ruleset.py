"""The active configuration, compiled: matching an event is a lookup, not a scan. Pure.

The ``eq`` rules of a requirement or penalty are a set of key paths with a value each. Owners with the same paths
share one table from the tuple of values to the owners that want it, so an event costs one lookup for every distinct
set of paths, however many templates there are. ``ne`` rules are checked on what the lookup gave.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from attrs import Factory, frozen
from django.utils.translation import gettext

from badges.exceptions import BadgesError
from badges.rules.operators import Operator
from badges.rules.payload import storable, to_json
from badges.rules.schema import EventSchema, event_schema


@frozen
class Rule:
    """One condition, as it is stored."""

    path: str
    operator: str
    value: str


@frozen
class RequirementSpec:
    """A requirement of an active template, as it is stored."""

    id: int
    template_id: int
    event_type: str
    group: str = ""
    rules: tuple[Rule, ...] = ()


@frozen
class PenaltySpec:
    """A penalty of an active template, as it is stored."""

    id: int
    template_id: int
    event_type: str
    requirement_ids: frozenset[int] = frozenset()
    rules: tuple[Rule, ...] = ()


@frozen
class Match:
    """What an event means: which requirements it fulfils and which penalties it fires, ids in rising order."""

    requirement_ids: tuple[int, ...] = ()
    penalty_ids: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.requirement_ids or self.penalty_ids)


@frozen
class Problem:
    """A requirement or penalty that is left out, because its event cannot have what it asks for."""

    owner: str
    """``requirement`` or ``penalty``."""
    owner_id: int
    reason: str


NOTHING = Match()


@frozen
class _Owner:
    id: int
    is_requirement: bool
    differs: tuple[tuple[str, Any], ...]
    """(path, canonical value) of its ``ne`` rules."""


@frozen
class _EventIndex:
    """Everything about one event type."""

    schema: EventSchema
    paths: tuple[str, ...]
    """Every path that any rule of this event type looks at."""
    keys: tuple[str, ...]
    """The paths of what the event is about, such as its course."""
    tables: Mapping[tuple[str, ...], Mapping[tuple[Any, ...], tuple[_Owner, ...]]]
    """Paths of the eq rules -> their values -> owners."""


@frozen
class Ruleset:
    """An immutable compiled configuration."""

    requirements: Mapping[int, RequirementSpec] = Factory(dict)
    penalties: Mapping[int, PenaltySpec] = Factory(dict)
    groups: Mapping[int, tuple[frozenset[int], ...]] = Factory(dict)
    """Template -> its groups: each a set of alternative requirement ids, one of which must be fulfilled.

    Requirements that are left out of matching count here too: a template whose one requirement is unreadable must
    not be awarded for the others."""
    resettable: frozenset[int] = frozenset()
    """Requirements that some penalty can undo."""
    problems: tuple[Problem, ...] = ()
    _indexes: Mapping[str, _EventIndex] = Factory(dict)

    @property
    def event_types(self) -> frozenset[str]:
        """The event types that anything listens to."""
        return frozenset(self._indexes)

    def match(self, event_type: str, arguments: Mapping[str, object]) -> Match:
        """Which requirements and penalties all of whose rules match this event.

        Arguments:
            event_type: the type of the event.
            arguments: the signal's arguments, name -> data object.
        """
        index = self._indexes.get(event_type)
        if index is None:
            return NOTHING
        values = {path: index.schema.value_at(arguments, path) for path in index.paths}
        requirement_ids: list[int] = []
        penalty_ids: list[int] = []
        for paths, table in index.tables.items():
            for owner in table.get(tuple([values[path] for path in paths]), ()):
                if all(Operator.NE.holds(values[path], unwanted) for path, unwanted in owner.differs):
                    (requirement_ids if owner.is_requirement else penalty_ids).append(owner.id)
        if not requirement_ids and not penalty_ids:
            return NOTHING
        return Match(tuple(sorted(requirement_ids)), tuple(sorted(penalty_ids)))

    def is_complete(self, template_id: int, fulfilled: frozenset[int] | set[int]) -> bool:
        """Whether every group of a template has a requirement among the fulfilled ones. False without groups."""
        groups = self.groups.get(template_id, ())
        return bool(groups) and all(not group.isdisjoint(fulfilled) for group in groups)

    def is_broken(self, template_id: int, reset: Collection[int], fulfilled: Collection[int]) -> bool:
        """Whether a group that one of the reset requirements belongs to has no fulfilled requirement left.

        Groups that were not fulfilled before (staff added one) do not count: no penalty took them away.
        """
        return any(
            not group.isdisjoint(reset) and group.isdisjoint(fulfilled) for group in self.groups.get(template_id, ())
        )

    def evidence(self, event_type: str, rules: Iterable[Rule], arguments: Mapping[str, object]) -> dict[str, Any]:
        """The event's values at the paths of these rules, and the course it is about, as JSON values."""
        index = self._indexes[event_type]
        paths = sorted({*(rule.path for rule in rules), *index.keys})
        values = {path: storable(to_json(index.schema.raw_value(arguments, path))) for path in paths}
        return {path: value for path, value in values.items() if value is not None}


def compile_ruleset(requirements: Iterable[RequirementSpec], penalties: Iterable[PenaltySpec]) -> Ruleset:
    """Compile a configuration. What its event cannot have is left out and told in ``problems``; the rest works."""
    requirement_by_id = {spec.id: spec for spec in requirements}
    penalty_by_id = {spec.id: spec for spec in penalties}
    groups: dict[int, dict[object, set[int]]] = defaultdict(lambda: defaultdict(set))
    for requirement in requirement_by_id.values():
        groups[requirement.template_id][requirement.group or requirement.id].add(requirement.id)

    problems: list[Problem] = []
    tables: dict[str, dict[tuple[str, ...], dict[tuple[Any, ...], list[_Owner]]]] = {}
    paths: dict[str, set[str]] = defaultdict(set)
    owners: list[RequirementSpec | PenaltySpec] = [*requirement_by_id.values(), *penalty_by_id.values()]
    for spec in owners:
        try:
            wanted, owner = _compile(spec)
        except BadgesError as error:
            kind = "requirement" if isinstance(spec, RequirementSpec) else "penalty"
            problems.append(Problem(kind, spec.id, str(error)))
            continue
        signature = tuple(wanted)
        table = tables.setdefault(spec.event_type, {}).setdefault(signature, {})
        table.setdefault(tuple(wanted.values()), []).append(owner)
        paths[spec.event_type].update(signature, (path for path, _ in owner.differs))

    return Ruleset(
        requirements=requirement_by_id,
        penalties=penalty_by_id,
        groups={
            template_id: tuple(frozenset(members) for members in by_group.values())
            for template_id, by_group in groups.items()
        },
        resettable=frozenset().union(*(spec.requirement_ids for spec in penalty_by_id.values())),
        problems=tuple(problems),
        indexes={
            event_type: _EventIndex(
                schema=event_schema(event_type),
                paths=tuple(sorted(paths[event_type])),
                keys=tuple(path for path, kind in event_schema(event_type).kinds.items() if kind.is_key),
                tables={
                    signature: {values: tuple(owners) for values, owners in table.items()}
                    for signature, table in by_signature.items()
                },
            )
            for event_type, by_signature in tables.items()
        },
    )


def _compile(spec: RequirementSpec | PenaltySpec) -> tuple[dict[str, Any], _Owner]:
    """The wanted values by path, paths in order, and the owner with its unwanted ones.

    Raises:
        BadgesError: the event cannot have one of them.
    """
    schema = event_schema(spec.event_type)
    wanted: dict[str, Any] = {}
    differs: list[tuple[str, Any]] = []
    for rule in sorted(spec.rules, key=lambda rule: rule.path):
        value = schema.kind_of(rule.path).read(rule.value)
        if rule.operator == Operator.NE:
            differs.append((rule.path, value))
        elif rule.operator != Operator.EQ:
            raise BadgesError(gettext('There is no operator "%(operator)s".') % {"operator": rule.operator})
        elif wanted.setdefault(rule.path, value) != value:
            text = gettext('Its rules want "%(path)s" to have two values at once, so it never matches.')
            raise BadgesError(text % {"path": rule.path})
    return wanted, _Owner(spec.id, isinstance(spec, RequirementSpec), tuple(differs))
