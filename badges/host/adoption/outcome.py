"""What becomes of the built-in module's rows, counted: the plan, and the report of what was done."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterator

from attrs import Factory, define, frozen

EXAMPLES = 5
"""So many of a kind are named; the rest is counted."""


class Outcome(enum.StrEnum):
    """What becomes of a row."""

    CREATE = "create"
    """It becomes a row here."""
    MERGE = "merge"
    """It becomes part of a row that is here, or that another row becomes."""
    SKIP = "skip"
    """Nothing is to be done: it is here already, or means nothing."""
    CANNOT = "cannot"
    """It cannot be adopted; the reason says what a person can do."""


@frozen
class Line:
    """Rows of one kind with which the same is done for the same reason."""

    kind: str
    outcome: Outcome
    reason: str
    number: int
    examples: tuple[str, ...]


@frozen
class Note:
    """What a person should know of one thing, such as a template that stays inactive."""

    subject: str
    text: str


@define
class Report:
    """Counts rows by kind, outcome and reason. Small, however many rows there are."""

    _counts: Counter[tuple[str, Outcome, str]] = Factory(Counter)
    _examples: dict[tuple[str, Outcome, str], list[str]] = Factory(dict)
    inactive: list[Note] = Factory(list)
    """Templates that were active there and are not here, and why. One for each at the most."""
    needs_person: list[Note] = Factory(list)
    """What somebody has to look at. A few for each template at the most."""

    def add(self, kind: str, outcome: Outcome, reason: str = "", example: str = "", number: int = 1) -> None:
        """Count rows.

        Arguments:
            kind: what they are, in the plural: "templates".
            outcome: what becomes of them.
            reason: one of a few sentences, without what differs from row to row; empty where there is nothing to say.
            example: what differs: an id. Never an e-mail address, a username or a key.
            number: how many rows.
        """
        if not number:
            return
        key = (kind, outcome, reason)
        self._counts[key] += number
        if example:
            self._example(key, example)

    def count(self, kind: str = "", outcome: Outcome | None = None) -> int:
        """How many rows of a kind and an outcome; of all where these are not given."""
        return sum(
            number
            for (of_kind, of_outcome, _), number in self._counts.items()
            if kind in ("", of_kind) and outcome in (None, of_outcome)
        )

    def lines(self) -> Iterator[Line]:
        """What was counted: kinds in the order in which they came, and of each first what is created."""
        kinds = list(dict.fromkeys(kind for kind, _, _ in self._counts))
        order = list(Outcome)
        for key in sorted(self._counts, key=lambda key: (kinds.index(key[0]), order.index(key[1]))):
            yield Line(*key, self._counts[key], tuple(self._examples.get(key, ())))

    def absorb(self, other: Report) -> None:
        """Add what another one counted: that of a template, once it is committed."""
        for line in other.lines():
            self.add(line.kind, line.outcome, line.reason, number=line.number)
            for example in line.examples:
                self._example((line.kind, line.outcome, line.reason), example)
        self.inactive += other.inactive
        self.needs_person += other.needs_person

    @property
    def changes(self) -> int:
        """How many rows are created or merged: 0 where an adoption has nothing left to do."""
        return self.count(outcome=Outcome.CREATE) + self.count(outcome=Outcome.MERGE)

    def _example(self, key: tuple[str, Outcome, str], example: str) -> None:
        examples = self._examples.setdefault(key, [])
        if len(examples) < EXAMPLES and example not in examples:
            examples.append(example)
