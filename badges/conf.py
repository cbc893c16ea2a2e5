"""Typed settings: ``BADGES_CONFIG`` read once, validated as a whole, with its defaults.

The keys and defaults are those of the "Badging Settings" page of the Open edX documentation. What a provider needs
is in the section that bears its slug; the defaults of that section belong to the provider's own class.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen
from django.conf import settings
from django.core.signals import setting_changed

from badges.exceptions import ConfigurationError

DEFAULT_EVENTS = (
    "org.openedx.learning.course.passing.status.updated.v1",
    "org.openedx.learning.ccx.course.passing.status.updated.v1",
)
DEFAULT_IGNORED_KEYPATHS = (
    "user.id",
    "user.is_active",
    "user.pii.username",
    "user.pii.email",
    "user.pii.name",
    "course.display_name",
    "course.start",
    "course.end",
)
GENERAL_SECTIONS = frozenset({"events", "rules", "providers", "deliveries", "http"})


@frozen
class ProviderSettings:
    """One provider's section of ``BADGES_CONFIG``, with the sandbox toggle applied."""

    slug: str
    base_url: str
    """The provider's pages for people; ends with a slash."""
    api_base_url: str
    """The provider's API; ends with a slash."""
    use_sandbox: bool
    preconfigured_keys: Mapping[str, str] = field(factory=dict, repr=False)
    """``ORGANIZATIONS``: external id of an account, in lower case -> API key that comes from the settings."""


@frozen
class HTTPSettings:
    """How long a provider may take, in seconds."""

    connect_timeout: float = 5.0
    read_timeout: float = 20.0


@frozen
class DeliverySettings:
    """How deliveries are leased and retried, in seconds."""

    lease: float = 300.0
    first_retry: float = 30.0
    longest_retry: float = 6 * 3600.0
    give_up_after: float = 3 * 24 * 3600.0


@frozen
class BadgesConfig:
    """The whole of ``BADGES_CONFIG``."""

    events: tuple[str, ...] = DEFAULT_EVENTS
    ignored_keypaths: frozenset[str] = frozenset(DEFAULT_IGNORED_KEYPATHS)
    providers: Mapping[str, str] = field(factory=dict)
    """Slug -> dotted path of a provider class, in addition to those that come with this app."""
    http: HTTPSettings = HTTPSettings()
    deliveries: DeliverySettings = DeliverySettings()
    sections: Mapping[str, Mapping[str, Any]] = field(factory=dict, repr=False)
    """The providers' own sections, as they stand in the settings."""

    def provider(self, slug: str, defaults: Mapping[str, Any]) -> ProviderSettings:
        """The settings of a provider: its section of ``BADGES_CONFIG`` over the defaults of its class.

        Raises:
            ConfigurationError: a value has the wrong type.
        """
        own = self.sections.get(slug, {})
        if unknown := sorted(set(own) - set(defaults) - {"USE_SANDBOX", "ORGANIZATIONS"}):
            known = ", ".join(sorted({*defaults, "USE_SANDBOX", "ORGANIZATIONS"}))
            raise ConfigurationError(f'BADGES_CONFIG["{slug}"]["{unknown[0]}"] is not a setting. Known: {known}.')
        section = {**defaults, **own}
        prefix = slug.upper().replace("-", "_")
        use_sandbox = section.get("USE_SANDBOX", False)
        if not isinstance(use_sandbox, bool):
            raise ConfigurationError(f'BADGES_CONFIG["{slug}"]["USE_SANDBOX"] must be True or False.')
        sandbox = "SANDBOX_" if use_sandbox else ""
        keys = section.get("ORGANIZATIONS", {})
        if not isinstance(keys, Mapping):
            raise ConfigurationError(f'BADGES_CONFIG["{slug}"]["ORGANIZATIONS"] must be a dict of id to API key.')
        return ProviderSettings(
            slug=slug,
            base_url=_url(section, slug, f"{prefix}_{sandbox}BASE_URL"),
            api_base_url=_url(section, slug, f"{prefix}_{sandbox}API_BASE_URL"),
            use_sandbox=use_sandbox,
            preconfigured_keys={str(name).lower(): str(key) for name, key in keys.items() if key},
        )


def _url(section: Mapping[str, Any], slug: str, key: str) -> str:
    value = section.get(key, "")
    if not isinstance(value, str):
        raise ConfigurationError(f'BADGES_CONFIG["{slug}"]["{key}"] must be a string.')
    return value if not value or value.endswith("/") else f"{value}/"


def _strings(value: object, where: str) -> tuple[str, ...]:
    if isinstance(value, list | tuple | set | frozenset) and all(isinstance(item, str) for item in value):
        return tuple(dict.fromkeys(value))
    raise ConfigurationError(f"{where} must be a list of strings.")


def _section(raw: Mapping[Any, Any], key: str) -> Mapping[Any, Any]:
    value = raw.get(key, {})
    if not isinstance(value, Mapping):
        raise ConfigurationError(f'BADGES_CONFIG["{key}"] must be a dict.')
    return value


def _numbers(cls: type[Any], raw: Mapping[str, Any], key: str) -> Any:
    section = _section(raw, key)
    known = set(cls.__annotations__)
    for name, value in section.items():
        where = f'BADGES_CONFIG["{key}"]["{name}"]'
        if name not in known:
            raise ConfigurationError(f"{where} is not a setting. Known: {', '.join(sorted(known))}.")
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            raise ConfigurationError(f"{where} must be a positive number of seconds.")
    return cls(**section)


def parse(raw: object) -> BadgesConfig:
    """Read a ``BADGES_CONFIG`` dict.

    Raises:
        ConfigurationError: something in it has the wrong type; the text names the key.
    """
    if not isinstance(raw, Mapping):
        raise ConfigurationError("BADGES_CONFIG must be a dict.")
    if strange := [key for key in raw if not isinstance(key, str)]:
        raise ConfigurationError(f"The keys of BADGES_CONFIG must be strings; {strange[0]!r} is none.")
    rules = _section(raw, "rules")
    providers = _section(raw, "providers")
    for slug, path in providers.items():
        if not isinstance(slug, str) or not isinstance(path, str):
            raise ConfigurationError('BADGES_CONFIG["providers"] must map slugs to dotted paths of provider classes.')
    return BadgesConfig(
        events=_strings(raw.get("events", DEFAULT_EVENTS), 'BADGES_CONFIG["events"]'),
        ignored_keypaths=frozenset(
            _strings(
                rules.get("ignored_keypaths", DEFAULT_IGNORED_KEYPATHS), 'BADGES_CONFIG["rules"]["ignored_keypaths"]'
            )
        ),
        providers=dict(providers),
        http=_numbers(HTTPSettings, raw, "http"),
        deliveries=_numbers(DeliverySettings, raw, "deliveries"),
        sections={key: _section(raw, key) for key in raw if key not in GENERAL_SECTIONS},
    )


@functools.lru_cache(maxsize=1)
def get_config() -> BadgesConfig:
    """The current configuration. Follows ``override_settings``.

    Raises:
        ConfigurationError: see :func:`parse`.
    """
    # .. setting_name: BADGES_CONFIG
    # .. setting_default: the defaults of the settings document
    # .. setting_description: Which events take part, the providers' addresses, and the key paths kept out of rules.
    return parse(getattr(settings, "BADGES_CONFIG", {}))


def _forget(*, setting: str, **kwargs: object) -> None:
    if setting == "BADGES_CONFIG":
        get_config.cache_clear()


setting_changed.connect(_forget, dispatch_uid="badges.conf.forget")
