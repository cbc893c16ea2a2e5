"""How a rule compares: the operators, pure."""

from __future__ import annotations

import enum


class Operator(enum.StrEnum):
    """A comparison between the value of an event and the value of a rule, both in the event's declared type."""

    EQ = "eq"
    NE = "ne"

    def holds(self, actual: object, expected: object) -> bool:
        """Whether the comparison holds. An absent value (None) satisfies no rule, ``ne`` included."""
        if actual is None:
            return False
        return (actual == expected) if self is Operator.EQ else (actual != expected)
