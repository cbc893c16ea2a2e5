"""Telling the log of what lasts once in a while, and not at every request."""

from __future__ import annotations

import time

EVERY = 60.0
"""Seconds."""
told: dict[str, float] = {}
"""What this process has told of, and when."""


def is_due(what: str) -> bool:
    """Whether it is time to tell of something again; if so, it counts as told."""
    now = time.monotonic()
    if what in told and now - told[what] < EVERY:
        return False
    told[what] = now
    return True
