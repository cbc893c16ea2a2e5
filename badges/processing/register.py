"""What an event changes in the fulfilments of one template: a last-writer-wins register, pure.

Consumers take a learner's events in any order. So each fulfilment carries the time of the event that decided it;
an older event changes nothing, and at the same time a penalty wins.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from datetime import datetime

from attrs import frozen


@frozen
class Entry:
    """The newest word on a requirement."""

    is_fulfilled: bool
    time: datetime


class Change(enum.Enum):
    """What an event does to one requirement."""

    FULFIL = "fulfil"
    """It was not fulfilled, and is now."""
    REFRESH = "refresh"
    """It is what it was, but a newer event says so."""
    RESET = "reset"
    """It was fulfilled, and is not any more."""


@frozen
class Decision:
    """Requirement -> what the event does to it. Requirements that it leaves alone are not in it."""

    changes: Mapping[int, Change]
    fulfilled: frozenset[int]
    """What is fulfilled afterwards, of all the entries that were looked at."""

    def having(self, change: Change) -> list[int]:
        """The requirements with this change, in rising order."""
        return sorted(requirement_id for requirement_id, found in self.changes.items() if found is change)


def decide(
    entries: Mapping[int, Entry],
    *,
    fulfils: Iterable[int],
    resets: Iterable[int],
    time: datetime,
    resettable: frozenset[int],
) -> Decision:
    """What an event changes.

    Arguments:
        entries: requirement -> what is known of it.
        fulfils: requirements that the event fulfils.
        resets: requirements that penalties of the event reset; they come after what it fulfils.
        time: when the event happened.
        resettable: requirements that some penalty can reset; only for these a repeat is worth a write.
    """
    changes: dict[int, Change] = {}
    for requirement_id in fulfils:
        if change := _fulfil(entries.get(requirement_id), time, is_resettable=requirement_id in resettable):
            changes[requirement_id] = change
    for requirement_id in resets:
        # What the event itself fulfilled and takes back at once leaves no trace.
        changes.pop(requirement_id, None)
        if change := _reset(entries.get(requirement_id), time):
            changes[requirement_id] = change
    fulfilled = {requirement_id for requirement_id, entry in entries.items() if entry.is_fulfilled}
    for requirement_id, change in changes.items():
        if change is Change.FULFIL:
            fulfilled.add(requirement_id)
        elif change is Change.RESET:
            fulfilled.discard(requirement_id)
    return Decision(changes=changes, fulfilled=frozenset(fulfilled))


def _fulfil(known: Entry | None, time: datetime, *, is_resettable: bool) -> Change | None:
    if known is None:
        return Change.FULFIL
    if time <= known.time:
        return None
    if not known.is_fulfilled:
        return Change.FULFIL
    return Change.REFRESH if is_resettable else None


def _reset(known: Entry | None, time: datetime) -> Change | None:
    if known is None:
        return None
    if known.is_fulfilled:
        return Change.RESET if known.time <= time else None
    # A requirement event from between the two resets must not count when it comes late.
    return Change.REFRESH if known.time < time else None
