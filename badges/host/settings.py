"""The plugin's hook: what is changed in the finished settings of the Credentials service.

The service calls it (``edx_django_utils.plugins``) at the end of its settings for production, development and tests.
What an operator sets in a file of their own comes later still, so nothing is decided here by ``BADGES_ENABLED``.
The hook in ``badges.host.base_settings`` was called before.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from badges.host import producer
from badges.host.names import BUILT_IN, BUILT_IN_NAMES, OPENEDX_EVENTS_NAMES, OWN_NAMES, among

logger = logging.getLogger(__name__)

SWITCH = "BADGES_REPLACE_BUILT_IN"
"""The setting, or the environment variable, that keeps the built-in module."""
WORDS = {**dict.fromkeys(("true", "yes", "on", "1"), True), **dict.fromkeys(("false", "no", "off", "0"), False)}

BY_HAND = (
    'INSTALLED_APPS = ["badges", *(app for app in INSTALLED_APPS '
    f"if app not in {(*sorted(OWN_NAMES), *sorted(BUILT_IN_NAMES))})]"
)
"""The manual way."""

_told = "as it was installed by hand"
_has_replaced: bool | None = None
_before: Sequence[str] = ()
"""``INSTALLED_APPS`` when the built-in app was still there."""


def plugin_settings(settings: Any) -> None:
    """Put this app in the place of the built-in one; or take it out again, where the switch says so. Twice is as once.

    Arguments:
        settings: the settings module.

    Raises:
        ImproperlyConfigured: the switch is neither on nor off.
    """
    if not settle_apps(settings):
        logger.info("%s is off: the built-in badges module stays.", SWITCH, extra={"action": "built_in_kept"})
        return
    host_config = producer.host_config()
    config = getattr(settings, producer.SETTING, {})
    # Where the service's own settings cannot be looked at, what is there is taken for theirs.
    setattr(settings, producer.SETTING, producer.following(config, config if host_config is None else host_config))


def settle_apps(settings: Any) -> bool:
    """The same of ``INSTALLED_APPS`` alone; gives what the switch says.

    Raises:
        ImproperlyConfigured: the switch is neither on nor off.
    """
    global _told, _has_replaced, _before
    present, wanted = list(settings.INSTALLED_APPS), is_wanted(settings)
    if wanted and among(BUILT_IN_NAMES, present):
        _before, _told = present, f"in the place of {BUILT_IN}"
    _set_apps(settings, replaced(present) if wanted else restored(present, _before))
    _has_replaced = wanted
    return wanted


def replaced(installed: Sequence[str]) -> list[str]:
    """``INSTALLED_APPS`` with this app once, in the place of the built-in one, and before ``openedx_events``.

    Both have a command ``consume_events``, and Django takes the one of the first.
    """
    gone = OWN_NAMES | BUILT_IN_NAMES
    places = [place for place, entry in enumerate(installed) if entry in gone | OPENEDX_EVENTS_NAMES]
    at = min(places, default=len(installed))
    rest = [entry for entry in installed[at:] if entry not in gone]
    return [*installed[:at], "badges", *rest]


def restored(installed: Sequence[str], before: Sequence[str]) -> list[str]:
    """``INSTALLED_APPS`` without this app, and with the built-in one, where a hook had taken that out.

    Arguments:
        installed: as it is.
        before: as it was when the built-in one was there; nothing where no hook has taken it out.
    """
    entries = [entry for entry in installed if entry not in OWN_NAMES]
    for built_in in among(BUILT_IN_NAMES, before):
        if not among(BUILT_IN_NAMES, entries):
            preceding = [entries.index(entry) for entry in before[: before.index(built_in)] if entry in entries]
            entries.insert(max(preceding, default=-1) + 1, built_in)
    return entries


def is_wanted(settings: Any) -> bool:
    """Whether this app is to be in the place of the built-in one: by the environment, the setting, else it is.

    Raises:
        ImproperlyConfigured: it says neither.
    """
    for where, value in (
        ("the environment", os.environ.get(SWITCH)),
        ("the settings", getattr(settings, SWITCH, None)),
    ):
        if value is None or value == "":
            continue
        word = WORDS.get(str(value).strip().lower())
        if word is None:
            raise ImproperlyConfigured(f"{SWITCH} is {value!r} in {where}. Set it to True or False.")
        return word
    return True


def has_replaced() -> bool | None:
    """What the hook did: True where it put this app in, False where it took it out, None where it did not run."""
    return _has_replaced


def tell() -> None:
    """Log what was done. The hook itself runs before logging is set up, where nobody would see it."""
    logger.info("The badges module runs %s.", _told, extra={"action": "built_in_replaced"})


def require_alone(installed: Sequence[str]) -> None:
    """Explain what Django would only call labels that are not unique: two badges modules, or this one twice.

    Arguments:
        installed: ``INSTALLED_APPS``, with this app among them.

    Raises:
        ImproperlyConfigured: there is another one.
    """
    built_in, own = among(BUILT_IN_NAMES, installed), among(OWN_NAMES, installed)
    if not built_in and len(own) < 2:
        return
    shown = ", ".join(f'"{entry}"' for entry in (*own, *built_in))
    if not built_in:
        why = "It is one app, and has to be there once: take the others out."
    elif _has_replaced is None:
        why = (
            "Both are badges modules with the same label, and the settings that are used "
            f"({os.environ.get('DJANGO_SETTINGS_MODULE', 'DJANGO_SETTINGS_MODULE is not set')}) do not run the hooks "
            f"of plugins, as those of the Credentials service do. Put this at the end of your settings: {BY_HAND}"
        )
    elif _has_replaced:
        why = (
            f"The hook of this app had taken {BUILT_IN} out, and something that is read later put it back, or put this "
            "app in again: look for EXTRA_APPS, and for INSTALLED_APPS in your own settings file."
        )
    else:
        why = (
            f"{SWITCH} is off, so the hook had taken this app out, and something that is read later put it in again: "
            "look for EXTRA_APPS, and for INSTALLED_APPS in your own settings file."
        )
    raise ImproperlyConfigured(f"INSTALLED_APPS has {shown}. {why}")


def _set_apps(settings: Any, entries: list[str]) -> None:
    if isinstance(settings.INSTALLED_APPS, list):
        # The same list may be known under other names.
        settings.INSTALLED_APPS[:] = entries
    else:
        settings.INSTALLED_APPS = tuple(entries)
