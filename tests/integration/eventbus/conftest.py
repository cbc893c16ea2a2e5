"""Fixtures of the tests of the bus: a database that can go away, and the stock consumer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.integration.bus_messages import Bus
from tests.integration.eventbus.outage import Outage, database_outage
from tests.integration.eventbus.stock import StockBus


@pytest.fixture
def outage(transactional_db: None, settings: Settings) -> Iterator[Outage]:
    settings.BADGES_CONFIG = {"consumer": {"first_retry": 0.001, "longest_retry": 0.002}}
    with database_outage() as outage:
        yield outage


@pytest.fixture
def stock_bus(redis_url: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> StockBus:
    settings.EVENT_BUS_REDIS_CONNECTION_URL = redis_url
    return StockBus(monkeypatch)


@pytest.fixture
def bus(redis_url: str, settings: Settings) -> Iterator[Bus]:
    settings.EVENT_BUS_REDIS_CONNECTION_URL = redis_url
    bus = Bus(redis_url)
    yield bus
    bus.client.delete(bus.stream)
    bus.client.close()
