"""What the demo prints: plain text, aligned, with a few colours on a terminal."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

_STYLES = {"bold": "1", "green": "32", "red": "31", "yellow": "33", "dim": "2"}


def _coloured() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def styled(text: str, style: str) -> str:
    """The text in a style of the terminal; unchanged where there is none."""
    return f"\033[{_STYLES[style]}m{text}\033[0m" if _coloured() else text


def step(number: int, title: str) -> None:
    """Begin a step."""
    print(f"\n{styled(f'{number}. {title}', 'bold')}", flush=True)


def line(text: str = "") -> None:
    """One line of a step."""
    print(f"   {text}".rstrip(), flush=True)


class Lines(io.TextIOBase):
    """A stream for what a command prints: each of its lines becomes one of the step's."""

    def write(self, text: str) -> int:
        """Print the lines of a text that is made of whole lines."""
        for one in text.splitlines():
            line(one)
        return len(text)


def pairs(rows: Sequence[tuple[str, str]]) -> None:
    """Names and values, aligned."""
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        line(f"{name:<{width}}  {value}")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table with a head; the first word of a cell ``awarded`` or ``revoked`` shows in its colour."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    line(styled("  ".join(f"{cell:<{width}}" for cell, width in zip(head, widths, strict=True)).rstrip(), "dim"))
    for row in rows:
        line("  ".join(_cell(cell, width) for cell, width in zip(row, widths, strict=True)))


def _cell(text: str, width: int) -> str:
    style = {"awarded": "green", "revoked": "red"}.get(text)
    padding = " " * (width - len(text))
    return f"{styled(text, style) if style else text}{padding}"
