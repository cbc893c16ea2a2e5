"""Checks of what providers need to call back, and of where the secrets of their addresses go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage
from django.core.checks import Warning as Caution
from django.db import DatabaseError
from django.urls import NoReverseMatch, reverse

from badges.conf import get_config
from badges.exceptions import BadgesError
from badges.models import ProviderAccount
from badges.providers import registry
from badges.toggles import is_badges_enabled


def check_addresses(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Whether the project includes the addresses of this app."""
    if not is_badges_enabled():
        return []
    try:
        reverse("badges:webhook", args=["credly"])
    except NoReverseMatch:
        return [
            Caution(
                "The project does not include badges.urls: providers cannot call back, and badges have no assertions.",
                hint='Add path("badges/", include("badges.urls")) to the urlpatterns of ROOT_URLCONF.',
                id="badges.W018",
            )
        ]
    return []


def check_open_address(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """For ``check --deploy``: whether anybody can have a provider asked about events."""
    return list(_open_address()) if is_badges_enabled() and databases else []


def _open_address() -> Iterator[CheckMessage]:
    try:
        if not get_config().webhooks.without_secret:
            return
    except BadgesError:
        # The check of the settings tells it.
        return
    try:
        slugs = set(ProviderAccount.objects.order_by().values_list("provider", flat=True).distinct())
    except DatabaseError:
        # Not migrated yet: the migration check says so.
        return
    if any(_confirms(slug) for slug in slugs):
        yield Caution(
            "Webhooks without the account's secret are let in, and each costs a call to the provider.",
            hint="Enter the address with the secret at the provider (it stands on the account's page), then set "
            'BADGES_CONFIG["webhooks"]["without_secret"] to False.',
            id="badges.W019",
        )


def _confirms(slug: str) -> bool:
    try:
        webhooks = registry.provider_class(slug).webhooks
    except BadgesError:
        return False
    return webhooks is not None and webhooks.is_confirmed_by_provider
