"""Which providers there are, and how to reach one.

A provider is registered by ``BADGES_CONFIG["providers"]`` (slug -> dotted path) or by the entry-point group
``badges.providers``; the settings win over entry points, and both over what comes with this app.
"""

from __future__ import annotations

import functools
from importlib.metadata import entry_points

from attrs import evolve
from django.utils.module_loading import import_string

from badges.conf import ProviderSettings, get_config
from badges.data import Account
from badges.exceptions import AccountUnusable, UnknownProvider
from badges.providers.base import Provider

ENTRY_POINT_GROUP = "badges.providers"
BUILT_IN = {
    "accredible": "badges.providers.accredible.provider.AccredibleProvider",
    "badgekit": "badges.providers.badgekit.provider.BadgeKitProvider",
    "credly": "badges.providers.credly.provider.CredlyProvider",
}


@functools.lru_cache(maxsize=1)
def _from_entry_points() -> dict[str, str]:
    return {point.name: point.value.replace(":", ".") for point in entry_points(group=ENTRY_POINT_GROUP)}


def registered() -> dict[str, str]:
    """Slug -> dotted path of the provider class, of every registered provider."""
    return {**BUILT_IN, **_from_entry_points(), **get_config().providers}


def provider_class(slug: str) -> type[Provider]:
    """The class of a provider.

    Raises:
        UnknownProvider: nothing is registered under this slug, or its class cannot be imported.
    """
    known = registered()
    if slug not in known:
        raise UnknownProvider(
            f'There is no provider "{slug}". Known: {", ".join(sorted(known))}. '
            f'Register others in BADGES_CONFIG["providers"].'
        )
    return _import(slug, known[slug])


@functools.lru_cache(maxsize=32)
def _import(slug: str, path: str) -> type[Provider]:
    try:
        found = import_string(path)
    except ImportError as error:
        raise UnknownProvider(f'The provider "{slug}" cannot be imported from "{path}": {error}.') from error
    except Exception as error:
        raise UnknownProvider(
            f'The provider "{slug}" cannot be imported from "{path}": {type(error).__name__} in its module.'
        ) from error
    if not (isinstance(found, type) and issubclass(found, Provider)):
        raise UnknownProvider(f'"{path}", registered as provider "{slug}", is not a subclass of Provider.')
    return found


def provider_settings(slug: str) -> ProviderSettings:
    """The settings of a registered provider."""
    return get_config().provider(slug, provider_class(slug).settings_defaults)


def effective(account: Account) -> Account:
    """The account with the key that is used: one from the settings wins over its own.

    Raises:
        UnknownProvider: see :func:`provider_class`.
        ConfigurationError: the settings are unusable.
        AccountUnusable: the account has no key.
    """
    preconfigured = provider_settings(account.provider).preconfigured_keys.get(account.external_id.lower())
    if preconfigured:
        # It is no client's secret, but may be that of a key with a name.
        is_client = provider_class(account.provider).features.takes_client_credentials
        return evolve(account, api_key=preconfigured, client_id="" if is_client else account.client_id)
    if not account.api_key:
        raise AccountUnusable(
            f'The {account.provider} account "{account.name}" has no API key. Enter one in the admin.'
        )
    return account


def connect(account: Account) -> Provider:
    """A provider that acts for this account.

    Raises:
        UnknownProvider: see :func:`provider_class`.
        ConfigurationError: the settings are unusable.
        AccountUnusable: the account has no key, or one that cannot be sent.
    """
    settings = provider_settings(account.provider)
    return provider_class(account.provider)(effective(account), settings, get_config().http)
