"""Fixtures of all tests: nothing reaches outside this machine, and nothing that a test connects outlives it."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
from openedx_events.tooling import OpenEdxPublicSignal

from demo.redis import redis_server

# How long an example takes is a matter of the machine, and of what else it does; pytest-timeout watches for what hangs.
hypothesis.settings.register_profile("badges", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("badges")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What has nothing to do with our database runs once, on SQLite."""
    if not os.environ.get("BADGES_TEST_DATABASE_URL"):
        return
    deselected = [item for item in items if item.get_closest_marker("any_database")]
    items[:] = [item for item in items if item not in deselected]
    config.hook.pytest_deselected(items=deselected)


class NetworkIsForbidden(AssertionError):
    """A test tried to reach another machine."""


def _refuse_unless_local(host: object) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost", socket.gethostname()):
        return
    try:
        if ipaddress.ip_address(str(name)).is_loopback:
            return
    except ValueError:
        pass
    raise NetworkIsForbidden(f"A test tried to reach {name}. Use `responses`, or the provider sandbox.")


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Iterator[None]:
    """Sockets reach this machine only."""
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _refuse_unless_local(address[0])
        connect(self, address)

    def guarded_look_up(host: Any, *args: Any, **kwargs: Any) -> Any:
        _refuse_unless_local(host)
        return look_up(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket, "getaddrinfo", guarded_look_up)
        yield


@pytest.fixture(autouse=True)
def _isolated_signals() -> Iterator[None]:
    """Receivers that a test connects to public signals, or disconnects from them, do not reach the next test."""
    signals = list(OpenEdxPublicSignal.all_events())
    receivers = [list(signal.receivers) for signal in signals]
    yield
    for signal, former in zip(signals, receivers, strict=True):
        if signal.receivers != former:
            signal.receivers = former
            signal.sender_receivers_cache.clear()


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A real Redis server, for the session."""
    with redis_server() as url:
        yield url
