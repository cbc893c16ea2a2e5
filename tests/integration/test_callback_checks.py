"""What is said at start of callbacks whose messages would lead nowhere, or into the own network."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.sites.models import Site
from pytest_django import Settings

from badges.checks import check_callbacks, check_private_addresses
from tests import factories

pytestmark = pytest.mark.django_db
COMPLETE = {
    "public_url": "https://credentials.example.org/",
    "issuer": {"name": "University", "url": "https://example.org/", "email": "badges@example.org"},
}


def ids(databases: Any = ("default",)) -> list[str]:
    messages = check_callbacks(None, databases=databases)
    assert all(message.hint for message in messages)
    return [str(message.id) for message in messages]


def test_all_is_well(settings: Settings) -> None:
    settings.BADGES_CONFIG = COMPLETE
    factories.CallbackEndpointFactory()
    assert ids() == []


def test_without_endpoints_nothing_is_said() -> None:
    factories.CallbackEndpointFactory(is_active=False)
    assert ids() == []


def test_without_asking_the_database_nothing_is_said() -> None:
    factories.CallbackEndpointFactory()
    assert ids(None) == []


def test_the_site_that_django_makes_is_no_address(settings: Settings) -> None:
    settings.BADGES_CONFIG = {"issuer": COMPLETE["issuer"]}
    factories.CallbackEndpointFactory()
    assert ids() == ["badges.W015"]


@pytest.mark.parametrize("missing", ["name", "url", "email"])
def test_an_issuer_is_complete(settings: Settings, missing: str) -> None:
    issuer = {**COMPLETE["issuer"], missing: ""}  # type: ignore[dict-item]
    settings.BADGES_CONFIG = {**COMPLETE, "issuer": issuer}
    factories.CallbackEndpointFactory()
    assert ids() == ["badges.W016"]


def test_without_any_address_nothing_can_be_sent(settings: Settings) -> None:
    settings.BADGES_CONFIG = {}
    Site.objects.all().delete()
    Site.objects.clear_cache()
    factories.CallbackEndpointFactory()
    assert ids() == ["badges.E016"]


def test_private_addresses_are_for_development(settings: Settings) -> None:
    assert check_private_addresses(None) == []
    settings.BADGES_CONFIG = {"callbacks": {"allow_private_addresses": True}}
    assert [str(one.id) for one in check_private_addresses(None)] == ["badges.W017"]


def test_with_the_feature_off_nothing_is_said(settings: Settings) -> None:
    settings.BADGES_CONFIG = {"callbacks": {"allow_private_addresses": True}}
    settings.BADGES_ENABLED = False
    factories.CallbackEndpointFactory()
    assert ids() == []
    assert check_private_addresses(None) == []
