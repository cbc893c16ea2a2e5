"""What stands in the place of ``credentials.apps.badges.urls``, which the host includes: the addresses of this app.

The module of that name imports models of an app that is not installed any more, and the whole service would be down.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

REPLACED = "credentials.apps.badges.urls"


def __getattr__(name: str) -> Any:
    # What Python itself and debuggers ask of every module is not the addresses'.
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Only now: ours need models, and when the settings are read there can be none.
    from badges import urls  # noqa: PLC0415

    return getattr(urls, name)


def stand_in() -> None:
    """Have this module imported instead of the built-in one, unless that one was before."""
    sys.modules.setdefault(REPLACED, sys.modules[__name__])


def genuine() -> ModuleType | None:
    """The built-in module's own addresses, if they were imported."""
    found = sys.modules.get(REPLACED)
    return None if found is sys.modules[__name__] else found
