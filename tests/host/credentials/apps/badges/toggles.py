"""The switch of the feature."""

from edx_toggles.toggles import SettingToggle

ENABLED = SettingToggle("BADGES_ENABLED", default=False, module_name=__name__)


def is_badges_enabled() -> bool:
    """Whether the feature is on."""
    return ENABLED.is_enabled()
