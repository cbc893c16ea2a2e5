"""Whether awards and revocations are put on the bus, in the Credentials service: if the feature is on.

The service's own settings copy the value of ``BADGES_ENABLED`` into ``EVENT_BUS_PRODUCER_CONFIG`` where both are
defined, before an operator's settings switch the feature on. So a copy that nobody has changed follows the switch.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from badges.toggles import is_badges_enabled

SETTING = "EVENT_BUS_PRODUCER_CONFIG"
EVENT_TYPES = ("org.openedx.learning.badge.awarded.v1", "org.openedx.learning.badge.revoked.v1")
TOPIC = "learning-badges-lifecycle"
KEY_FIELD = "badge.uuid"
BASE = "credentials.settings.base"
"""Where the service defines the setting."""


class Following(dict[str, Any]):
    """What is configured of a topic. Its ``enabled`` is that of the feature, until somebody else sets it."""

    def __init__(self, values: Mapping[str, Any], is_following: bool = True) -> None:
        super().__init__(values)
        self._is_following = is_following

    def follow(self, *, is_enabled: bool) -> None:
        """Take the feature's state over, unless somebody has decided otherwise."""
        if self._is_following:
            super().__setitem__("enabled", is_enabled)

    def __setitem__(self, key: str, value: Any) -> None:
        if key == "enabled":
            self._is_following = False
        super().__setitem__(key, value)

    def update(self, *values: Any, **more: Any) -> None:
        for key, value in dict(*values, **more).items():
            self[key] = value

    def __ior__(self, values: Any) -> Following:  # type: ignore[override,misc]
        self.update(values)
        return self

    def copy(self) -> Following:
        return Following(self, self._is_following)

    def __reduce__(self) -> tuple[Any, ...]:
        # For copies, deep ones too, and for pickle: item by item, "enabled" would count as set.
        return Following, (dict(self), self._is_following)


def following(config: Any, host_config: Any) -> Any:
    """A producer configuration in which the two badge signals follow the feature, where nobody has said otherwise.

    Arguments:
        config: the present one. It is not changed.
        host_config: what the service itself defined. Entries that are still the very same were not changed by anybody.
    """
    if not isinstance(config, dict):
        return config
    changed = dict(config)
    for event_type in EVENT_TYPES:
        topics = config.get(event_type)
        if topics is None:
            changed[event_type] = {TOPIC: Following({"event_key_field": KEY_FIELD, "enabled": False})}
        elif isinstance(topics, dict):
            changed[event_type] = {
                topic: Following(entry) if _is_hosts(entry, event_type, topic, host_config) else entry
                for topic, entry in topics.items()
            }
    return changed


def _is_hosts(entry: Any, event_type: str, topic: str, host_config: Any) -> bool:
    if not isinstance(entry, dict) or isinstance(entry, Following):
        return False
    topics = host_config.get(event_type) if isinstance(host_config, dict) else None
    return isinstance(topics, dict) and topics.get(topic) is entry


def host_config() -> Any:
    """What the service itself has defined; None where its settings were not read."""
    return getattr(sys.modules.get(BASE), SETTING, None)


def follow_switch() -> None:
    """Let the producer follow the feature as it is now. Call it when the settings are complete."""
    config = following(getattr(settings, SETTING, {}), host_config())
    if not isinstance(config, dict):
        # openedx-events says what is wrong with it.
        return
    for event_type in EVENT_TYPES:
        topics = config[event_type]
        for entry in topics.values() if isinstance(topics, dict) else ():
            if isinstance(entry, Following):
                entry.follow(is_enabled=is_badges_enabled())
    setattr(settings, SETTING, config)
