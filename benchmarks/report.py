"""Whether what was promised holds."""

from __future__ import annotations

from collections.abc import Sequence


def verdict(broken: Sequence[str]) -> int:
    """Print which promised figures do not hold.

    Returns:
        The exit code: 0 if all hold, else 1.
    """
    for promise in broken:
        print(f"NOT AS PROMISED: {promise}")
    if not broken:
        print("All promised figures hold.")
    print()
    return 1 if broken else 0
