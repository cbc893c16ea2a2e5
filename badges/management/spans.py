"""Text of reports for a terminal: 80 columns, and time spans in few letters."""

from __future__ import annotations

import textwrap
from datetime import timedelta

WIDTH = 80
UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def brief(span: timedelta) -> str:
    """A time span in its largest unit: ``3 h``."""
    seconds = max(0, round(span.total_seconds()))
    for size, unit in UNITS:
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return "0 s"


def wrapped(text: str, indent: str) -> list[str]:
    """A paragraph in lines, all of them indented."""
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=" " * len(indent))
