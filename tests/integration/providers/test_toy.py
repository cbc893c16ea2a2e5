"""The toy provider: the contract, and that registration is all it takes."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from badges.data import Account, Award
from badges.exceptions import UnknownProvider
from badges.providers import registry
from badges.providers.base import Provider
from tests import toy_provider
from tests.integration.providers.contract import ProviderContract, make_award
from tests.toy_provider import client
from tests.toy_provider.provider import ToyProvider

PATH = "tests.toy_provider.provider.ToyProvider"
ACCOUNT = Account(provider="toy", name="Toys", api_key=client.KEY)


@pytest.fixture(autouse=True)
def _empty_shelf() -> Iterator[None]:
    client.reset()
    yield
    client.reset()


@pytest.fixture
def _no_cached_entry_points() -> Iterator[None]:
    registry._from_entry_points.cache_clear()
    yield
    registry._from_entry_points.cache_clear()


class TestContract(ProviderContract):
    """The contract, through the registry."""

    templates = frozenset(client.TEMPLATES)
    account_name = client.NAME

    @pytest.fixture(autouse=True)
    def _registered(self, settings: Any) -> None:
        settings.BADGES_CONFIG = {"providers": {"toy": PATH}}

    @pytest.fixture
    def provider(self, _registered: None) -> Provider:
        return registry.connect(ACCOUNT)

    @pytest.fixture
    def wrong_key(self, _registered: None) -> Provider:
        return registry.connect(evolve(ACCOUNT, api_key="another"))

    @pytest.fixture
    def award(self) -> Award:
        return make_award(client.TEMPLATES[0])


def test_a_provider_that_is_not_registered_is_unknown() -> None:
    with pytest.raises(UnknownProvider, match='no provider "toy"'):
        registry.connect(ACCOUNT)


def test_a_line_in_the_settings_registers_a_provider(settings: Any) -> None:
    settings.BADGES_CONFIG = {"providers": {"toy": PATH}}
    assert isinstance(registry.connect(ACCOUNT), ToyProvider)


@pytest.mark.usefixtures("_no_cached_entry_points")
def test_an_entry_point_registers_a_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    point = importlib.metadata.EntryPoint(
        "toy", PATH.replace(".ToyProvider", ":ToyProvider"), registry.ENTRY_POINT_GROUP
    )
    found = importlib.metadata.EntryPoints([point])
    monkeypatch.setattr(registry, "entry_points", found.select)
    assert isinstance(registry.connect(ACCOUNT), ToyProvider)


def test_its_defaults_are_the_settings_where_there_are_none(settings: Any) -> None:
    settings.BADGES_CONFIG = {"providers": {"toy": PATH}, "toy": {"TOY_BASE_URL": "https://shop.example.com"}}
    found = registry.provider_settings("toy")
    assert (found.base_url, found.api_base_url) == ("https://shop.example.com/", "https://api.toys.example.com/")


def test_a_whole_provider_takes_at_most_four_files_and_500_lines() -> None:
    folder = Path(toy_provider.__file__).parent
    files = sorted(folder.glob("*.py"))
    assert [file.name for file in files] == ["__init__.py", "client.py", "provider.py", "webhooks.py"]
    assert sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files) <= 500
