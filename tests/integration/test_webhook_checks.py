"""What is said at start where providers cannot call back, or where anybody can in their place."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import Settings

from badges.checks import check_addresses, check_open_address
from tests.factories import AccredibleAPIConfigFactory, CredlyOrganizationFactory

pytestmark = pytest.mark.django_db
NO_ADDRESSES = "tests.core.no_addresses"


def ids(messages: list[Any]) -> list[str]:
    """What is said."""
    assert all(message.hint for message in messages)
    return [message.id for message in messages]


def test_a_project_that_includes_the_addresses_is_well() -> None:
    assert check_addresses(None) == []


def test_one_that_does_not_is_told(settings: Settings) -> None:
    settings.ROOT_URLCONF = NO_ADDRESSES
    assert ids(check_addresses(None)) == ["badges.W018"]


def test_an_account_whose_provider_confirms_events_is_open_to_strangers_questions() -> None:
    CredlyOrganizationFactory()
    assert ids(check_open_address(None, databases=["default"])) == ["badges.W019"]


def test_that_is_over_once_the_secret_is_demanded(settings: Settings) -> None:
    CredlyOrganizationFactory()
    settings.BADGES_CONFIG = {"webhooks": {"without_secret": False}}
    assert check_open_address(None, databases=["default"]) == []


def test_accounts_whose_providers_do_not_call_back_are_not_meant() -> None:
    AccredibleAPIConfigFactory()
    assert check_open_address(None, databases=["default"]) == []


def test_nothing_is_asked_of_a_database_that_is_not_named() -> None:
    CredlyOrganizationFactory()
    assert check_open_address(None) == []


@pytest.mark.parametrize("check", [check_addresses, check_open_address])
def test_with_the_feature_off_nothing_is_said(settings: Settings, check: Any) -> None:
    settings.BADGES_ENABLED = False
    settings.ROOT_URLCONF = NO_ADDRESSES
    CredlyOrganizationFactory()
    assert check(None, databases=["default"]) == []
