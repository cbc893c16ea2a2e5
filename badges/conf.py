"""Typed settings: ``BADGES_CONFIG`` read once, validated as a whole, with its defaults.

The keys and defaults are those of the "Badging Settings" page of the Open edX documentation. What a provider needs
is in the section that bears its slug; the defaults of that section belong to the provider's own class.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from attrs import evolve, field, frozen
from django.conf import settings
from django.core.signals import setting_changed

from badges.exceptions import ConfigurationError
from badges.sections import (
    AT_PROVIDER,
    ApplicationSettings,
    CallbackSettings,
    ConsumerSettings,
    DeliverySettings,
    HTTPSettings,
    IssuerSettings,
    ProviderSettings,
    RateSettings,
    RetentionSettings,
    RetirementSettings,
    WebhookSettings,
)

__all__ = [
    "DEFAULT_EVENTS",
    "DEFAULT_IGNORED_KEYPATHS",
    "GENERAL_SECTIONS",
    "ApplicationSettings",
    "BadgesConfig",
    "CallbackSettings",
    "ConsumerSettings",
    "DeliverySettings",
    "HTTPSettings",
    "IssuerSettings",
    "ProviderSettings",
    "RateSettings",
    "RetentionSettings",
    "RetirementSettings",
    "WebhookSettings",
    "get_config",
    "parse",
]

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
COUNTS = frozenset(
    {"calls", "failures", "batch_size", "attempts", "max_body", "max_answer", "max_file", "max_evidence"}
)
FLAGS = frozenset({"without_secret", "allow_private_addresses"})
MOST = {
    **dict.fromkeys(COUNTS, (1_000_000, "a million")),
    "batch_size": (10_000, "ten thousand"),
    # Sockets count milliseconds in 32 bits.
    **dict.fromkeys(("connect_timeout", "read_timeout"), (86_400, "a day in seconds")),
    **dict.fromkeys(("max_body", "max_answer", "max_file"), (104_857_600, "a hundred megabytes")),
}
MOST_SECONDS = (10 * 365 * 86_400, "ten years in seconds")
"""More would go beyond the dates that a computer knows, and fail in the middle of a delivery."""
STARTS = ("beginning", "end")
"""Where a new consumer group may start to read."""
GENERAL_SECTIONS = frozenset(
    {
        *("events", "rules", "providers", "deliveries", "http", "rate", "consumer"),
        *("webhooks", "callbacks", "applications", "retention", "retirement", "issuer", "public_url"),
    }
)
FOR_EVERY_PROVIDER = frozenset({"USE_SANDBOX", "ORGANIZATIONS", "RATE"})


@frozen
class BadgesConfig:
    """The whole of ``BADGES_CONFIG``."""

    events: tuple[str, ...] = DEFAULT_EVENTS
    ignored_keypaths: frozenset[str] = frozenset(DEFAULT_IGNORED_KEYPATHS)
    providers: Mapping[str, str] = field(factory=dict)
    """Slug -> dotted path of a provider class, in addition to those that come with this app."""
    http: HTTPSettings = field(factory=HTTPSettings)
    deliveries: DeliverySettings = field(factory=DeliverySettings)
    rate: RateSettings = field(factory=RateSettings)
    consumer: ConsumerSettings = field(factory=ConsumerSettings)
    webhooks: WebhookSettings = field(factory=WebhookSettings)
    callbacks: CallbackSettings = field(factory=CallbackSettings)
    applications: ApplicationSettings = field(factory=ApplicationSettings)
    retention: RetentionSettings = field(factory=RetentionSettings)
    retirement: RetirementSettings = field(factory=RetirementSettings)
    issuer: IssuerSettings = field(factory=IssuerSettings)
    public_url: str = ""
    """Where the world finds this service, with a slash at the end; empty: the address of its site, with HTTPS."""
    sections: Mapping[str, Mapping[str, Any]] = field(factory=dict, repr=False)
    """The providers' own sections, as they stand in the settings."""

    def provider(self, slug: str, defaults: Mapping[str, Any]) -> ProviderSettings:
        """The settings of a provider: its section of ``BADGES_CONFIG`` over the defaults of its class.

        Raises:
            ConfigurationError: a value has the wrong type.
        """
        own = self.sections.get(slug, {})
        if unknown := sorted(set(own) - set(defaults) - FOR_EVERY_PROVIDER):
            known = ", ".join(sorted({*defaults, *FOR_EVERY_PROVIDER}))
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
        addresses = {key: _text(section, slug, key) for key in section if key.endswith("_URL")}
        return ProviderSettings(
            slug=slug,
            base_url=_url(section, slug, f"{prefix}_{sandbox}BASE_URL"),
            api_base_url=_url(section, slug, f"{prefix}_{sandbox}API_BASE_URL"),
            use_sandbox=use_sandbox,
            preconfigured_keys={str(name).lower(): str(key) for name, key in keys.items() if key},
            rate=_numbers(RateSettings, section, "RATE", f'BADGES_CONFIG["{slug}"]', self.rate),
            others={**section, **addresses},
        )


def _text(section: Mapping[str, Any], slug: str, key: str) -> str:
    value = section.get(key, "")
    if not isinstance(value, str):
        raise ConfigurationError(f'BADGES_CONFIG["{slug}"]["{key}"] must be a string.')
    return value


def _url(section: Mapping[str, Any], slug: str, key: str) -> str:
    value = _text(section, slug, key)
    return value if not value or value.endswith("/") else f"{value}/"


def _strings(value: object, where: str) -> tuple[str, ...]:
    if isinstance(value, list | tuple | set | frozenset) and all(isinstance(item, str) for item in value):
        return tuple(dict.fromkeys(value))
    raise ConfigurationError(f"{where} must be a list of strings.")


def _section(raw: Mapping[Any, Any], key: str, where: str = "BADGES_CONFIG") -> Mapping[Any, Any]:
    value = raw.get(key, {})
    if not isinstance(value, Mapping):
        raise ConfigurationError(f'{where}["{key}"] must be a dict.')
    return value


def _numbers(cls: type[Any], raw: Mapping[str, Any], key: str, at: str = "BADGES_CONFIG", base: Any = None) -> Any:
    section = _section(raw, key, at)
    known = set(cls.__annotations__)
    for name, value in section.items():
        where = f'{at}["{key}"]["{name}"]'
        if name not in known:
            raise ConfigurationError(f"{where} is not a setting. Known: {', '.join(sorted(known))}.")
        if name in FLAGS:
            if not isinstance(value, bool):
                raise ConfigurationError(f"{where} must be True or False.")
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            raise ConfigurationError(f"{where} must be a positive number.")
        most, in_words = MOST.get(name, MOST_SECONDS)
        if value > most:
            raise ConfigurationError(f"{where} must be at most {most}, {in_words}.")
        if name in COUNTS and (value < 1 or value != int(value)):
            raise ConfigurationError(f"{where} must be a whole number from 1.")
    return evolve(base or cls(), **section)


def _consumer(raw: Mapping[Any, Any]) -> ConsumerSettings:
    section = dict(_section(raw, "consumer"))
    start = section.pop("start", ConsumerSettings().start)
    if start not in STARTS:
        raise ConfigurationError(f'BADGES_CONFIG["consumer"]["start"] must be one of: {", ".join(STARTS)}.')
    numbers: ConsumerSettings = _numbers(ConsumerSettings, {"consumer": section}, "consumer")
    return evolve(numbers, start=start)


def _applications(raw: Mapping[Any, Any]) -> ApplicationSettings:
    section = dict(_section(raw, "applications"))
    types = _strings(
        section.pop("file_types", ApplicationSettings().file_types), 'BADGES_CONFIG["applications"]["file_types"]'
    )
    numbers: ApplicationSettings = _numbers(ApplicationSettings, {"applications": section}, "applications")
    return evolve(numbers, file_types=types)


def _retirement(raw: Mapping[Any, Any]) -> RetirementSettings:
    section, where = _section(raw, "retirement"), 'BADGES_CONFIG["retirement"]'
    for name in section:
        if name not in ("events", "at_provider"):
            raise ConfigurationError(f'{where}["{name}"] is not a setting. Known: at_provider, events.')
    at_provider = section.get("at_provider", RetirementSettings().at_provider)
    if at_provider not in AT_PROVIDER:
        raise ConfigurationError(f'{where}["at_provider"] must be one of: {", ".join(AT_PROVIDER)}.')
    return RetirementSettings(_strings(section.get("events", ()), f'{where}["events"]'), at_provider)


def _issuer(raw: Mapping[Any, Any]) -> IssuerSettings:
    section = _section(raw, "issuer")
    known = set(IssuerSettings.__annotations__)
    for name in section:
        if name not in known:
            raise ConfigurationError(
                f'BADGES_CONFIG["issuer"]["{name}"] is not a setting. Known: {", ".join(sorted(known))}.'
            )
        if not isinstance(section[name], str):
            raise ConfigurationError(f'BADGES_CONFIG["issuer"]["{name}"] must be a string.')
    return IssuerSettings(**section)


def _public_url(raw: Mapping[Any, Any]) -> str:
    value = raw.get("public_url", "")
    if not isinstance(value, str) or (value and not value.startswith(("https://", "http://"))):
        raise ConfigurationError('BADGES_CONFIG["public_url"] must be an address that starts with https://.')
    return value if not value or value.endswith("/") else f"{value}/"


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
        rate=_numbers(RateSettings, raw, "rate"),
        consumer=_consumer(raw),
        webhooks=_numbers(WebhookSettings, raw, "webhooks"),
        callbacks=_numbers(CallbackSettings, raw, "callbacks"),
        applications=_applications(raw),
        retention=_numbers(RetentionSettings, raw, "retention"),
        retirement=_retirement(raw),
        issuer=_issuer(raw),
        public_url=_public_url(raw),
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
