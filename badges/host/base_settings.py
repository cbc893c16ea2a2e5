"""The plugin's hook in the base settings of the Credentials service: which badges module is installed.

All else would be overwritten by what the base defines after it. Not all settings of the service run the hook for the
finished ones: an image collects its static files with settings that begin with the base, and end there.
"""

from __future__ import annotations

from typing import Any

from badges.host.settings import settle_apps


def plugin_settings(settings: Any) -> None:
    """Put this app in the place of the built-in one, unless the environment says that it stays.

    Arguments:
        settings: the settings module, of which the YAML file is not read yet. If that says that the built-in one stays,
            the hook for the finished settings puts it back.

    Raises:
        ImproperlyConfigured: the switch is neither on nor off.
    """
    settle_apps(settings)
