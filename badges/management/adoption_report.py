"""What ``adopt_builtin_badges`` prints: a table, the reasons, and what is left to a person."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from badges.host.adoption.outcome import Line, Note, Outcome, Report
from badges.providers.redaction import redact

WIDTH = 100
WORDS = {Outcome.CREATE: "create", Outcome.MERGE: "merge", Outcome.SKIP: "skip", Outcome.CANNOT: "cannot"}
SHOWN = 200
"""So many templates are named in a list; more would scroll away what comes before."""


def report_lines(report: Report, *, applied: bool) -> Iterator[str]:
    """The whole report, line by line.

    Arguments:
        applied: whether it was carried out; otherwise it is a plan.
    """
    lines = list(report.lines())
    if not lines:
        yield "The built-in module's tables are empty: there is nothing to adopt."
        return
    yield from _table(lines)
    yield from _reasons(lines)
    yield from _notes(f"Active there, and {'inactive here' if applied else 'left inactive here'}", report.inactive)
    yield from _notes("For a person to look at", report.needs_person)


def _table(lines: Sequence[Line]) -> Iterator[str]:
    kinds = list(dict.fromkeys(line.kind for line in lines))
    first = max(len(kind) for kind in kinds)
    yield " " * first + "".join(f"{WORDS[outcome]:>10}" for outcome in Outcome)
    for kind in kinds:
        numbers = [
            sum(line.number for line in lines if (line.kind, line.outcome) == (kind, outcome)) for outcome in Outcome
        ]
        yield f"{kind:<{first}}" + "".join(f"{number:>10}" for number in numbers)


def _reasons(lines: Sequence[Line]) -> Iterator[str]:
    told = [line for line in lines if line.reason]
    if not told:
        return
    yield ""
    yield "Why:"
    for line in told:
        examples = ", ".join(line.examples)
        if line.number > len(line.examples) and examples:
            examples = f"such as {examples}"
        ids = f" (there: {examples})" if examples else ""
        yield from _wrapped(f"- {line.kind}, {WORDS[line.outcome]} {line.number}: {line.reason}{ids}.")


def _notes(heading: str, notes: Sequence[Note]) -> Iterator[str]:
    if not notes:
        return
    yield ""
    yield from _wrapped(f"{heading} ({len(notes)}):", indent="")
    by_text: dict[str, list[str]] = {}
    for note in notes[:SHOWN]:
        by_text.setdefault(note.text, []).append(note.subject)
    for text, subjects in by_text.items():
        yield from _wrapped(f"- {', '.join(subjects)}: {text}")
    if len(notes) > SHOWN:
        yield f"- and {len(notes) - SHOWN} more."


def _wrapped(text: str, indent: str = "  ") -> list[str]:
    # Names of templates and values of rules are whatever somebody has typed.
    return textwrap.wrap(redact(text), WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
