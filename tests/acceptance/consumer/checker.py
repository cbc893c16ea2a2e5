"""The history checker: from what the processes wrote down and what the database holds to what is wrong. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from attrs import field, frozen

from tests.acceptance.consumer.history import Line
from tests.acceptance.consumer.plan import Event, State, completed, sequential

AWARDED = "org.openedx.learning.badge.awarded.v1"
SHOWN = 5


@frozen
class Row:
    """A badge in the database."""

    learner: str
    template: str
    status: str
    uuid: str


@frozen
class Snapshot:
    """What the database holds in the end."""

    states: Mapping[tuple[str, str], State] = field(factory=dict)
    """(learner, requirement) -> whether it is fulfilled, and the time of the event that says so."""
    badges: Sequence[Row] = ()
    dead: Sequence[str] = ()
    """Ids of events that were parked."""


@frozen
class Verdict:
    """What the checker found. Nothing is wrong where all lists are empty."""

    lost: list[str] = field(factory=list)
    """Events that were acknowledged to their producer, and that no consumer ever dispatched nor parked."""
    doubled: list[str] = field(factory=list)
    """A learner and a template with more than one badge."""
    different: list[str] = field(factory=list)
    """Progress that is not that of the sequential history."""
    unrewarded: list[str] = field(factory=list)
    """Complete, and no badge; or a badge that is still awarded, and not complete."""
    unannounced: list[str] = field(factory=list)
    """Badges of which the platform was never told."""
    parked: list[str] = field(factory=list)
    """Events that became dead events, none of which was to."""
    figures: dict[str, int] = field(factory=dict)

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong."""
        return not any((self.lost, self.doubled, self.different, self.unrewarded, self.unannounced, self.parked))

    def __str__(self) -> str:
        told = []
        for name in ("lost", "doubled", "different", "unrewarded", "unannounced", "parked"):
            found = getattr(self, name)
            more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
            told.append(f"{name} {len(found)}" + (f": {'; '.join(found[:SHOWN])}{more}" if found else ""))
        return "\n".join([*told, ", ".join(f"{name} {number}" for name, number in self.figures.items())])


def check(lines: Sequence[Line], snapshot: Snapshot, events: Mapping[str, Event]) -> Verdict:
    """The verdict on a play.

    Arguments:
        lines: the history.
        snapshot: the database after the last event.
        events: all events that were planned, by id.
    """
    produced = Counter(line["event"] for line in lines if line["what"] == "produced")
    dispatched = Counter(line["event"] for line in lines if line["what"] == "dispatched")
    parked = set(snapshot.dead)
    expected = sequential(events[one] for one in produced if one not in parked)
    problems = Counter(line["what"] for line in lines)
    return Verdict(
        lost=[one for one in produced if one not in dispatched and one not in parked],
        doubled=_doubled(lines, snapshot.badges),
        different=_differences(expected, snapshot.states),
        unrewarded=_unrewarded(expected, snapshot.badges),
        unannounced=_unannounced(lines, snapshot.badges),
        parked=sorted(parked),
        figures={
            "events": len(produced),
            "messages": produced.total(),
            "dispatches": sum(dispatched[one] for one in produced),
            "kills": problems["killed"],
            "starts": problems["started"],
            "outages": problems["server killed"],
            "badges": len(snapshot.badges),
            "revoked": sum(1 for badge in snapshot.badges if badge.status == "revoked"),
        },
    )


def _doubled(lines: Iterable[Line], badges: Iterable[Row]) -> list[str]:
    """By rows, and by what was announced: a badge that was rolled back must not have been told to anybody."""
    held: dict[tuple[str, str], set[str]] = defaultdict(set)
    rows = Counter((badge.learner, badge.template) for badge in badges)
    for badge in badges:
        held[badge.learner, badge.template].add(badge.uuid)
    for line in lines:
        if line["what"] == "announced" and line["type"] == AWARDED:
            held[line["learner"], line["template"]].add(line["badge"])
    return [
        f"{learner} holds {template!r} {max(len(uuids), rows[learner, template])} times"
        for (learner, template), uuids in sorted(held.items())
        if len(uuids) > 1 or rows[learner, template] > 1
    ]


def _differences(expected: Mapping[tuple[str, str], State], found: Mapping[tuple[str, str], State]) -> list[str]:
    return [
        f"{learner}, {requirement!r}: {_told(found.get(key))} instead of {_told(expected.get(key))}"
        for key in sorted({*expected, *found})
        for learner, requirement in [key]
        if not _agree(expected.get(key), found.get(key))
    ]


def _told(state: State | None) -> str:
    if state is None:
        return "nothing"
    word, time = "fulfilled" if state[0] else "reset", "" if state[1] is None else f" at {state[1]}"
    return f"{word}{time}"


def _agree(expected: State | None, found: State | None) -> bool:
    if expected is None or found is None:
        return expected is found
    # What no penalty can undo keeps the time of whichever event came first.
    return expected[0] == found[0] and expected[1] in (None, found[1])


def _unrewarded(states: Mapping[tuple[str, str], State], badges: Iterable[Row]) -> list[str]:
    """An awarded badge goes with a complete record. A revoked one may: it is not awarded again."""
    complete = completed(dict(states))
    holders = {(badge.learner, badge.template): badge.status for badge in badges}
    missing = [f"{learner} has no badge {template!r}" for learner, template in sorted(complete - holders.keys())]
    wrong = [
        f"{learner} holds {template!r} without being complete"
        for (learner, template), status in sorted(holders.items())
        if status == "awarded" and (learner, template) not in complete
    ]
    return missing + wrong


def _unannounced(lines: Iterable[Line], badges: Iterable[Row]) -> list[str]:
    told = {line["badge"] for line in lines if line["what"] == "announced" and line["type"] == AWARDED}
    return [f"{badge.learner}, {badge.template!r}" for badge in badges if badge.uuid not in told]
