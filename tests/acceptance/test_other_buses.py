"""Behind somebody else's consumer nothing is lost when the database is killed: real processes, real servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from pytest_django import Settings

from demo.processes import Server, wait_until
from tests.acceptance.buses.process import Bus, Installation, kafka_bus, redis_bus
from tests.servers import Missing, restartable_mariadb, restartable_postgresql, services_are_required

# They bring their own servers, of both kinds.
pytestmark = pytest.mark.any_database
AWAY = "The database cannot be reached"


def _servers(start: Callable[[], AbstractContextManager[Server]]) -> Iterator[Server]:
    try:
        with start() as server:
            yield server
    except Missing as missing:
        if services_are_required():
            raise
        pytest.skip(str(missing))


@pytest.fixture(params=[restartable_postgresql, restartable_mariadb], ids=["postgresql", "mariadb"])
def database(request: pytest.FixtureRequest) -> Iterator[Server]:
    yield from _servers(request.param)


@pytest.fixture(params=[redis_bus, kafka_bus], ids=["redis", "kafka"])
def bus(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Bus]:
    with request.param(settings) as bus:
        yield bus


def test_a_database_that_is_killed_and_comes_back_costs_no_event(tmp_path: Path, bus: Bus, database: Server) -> None:
    installation = Installation(tmp_path, bus, database.url)

    with installation.consumer() as consumer:

        def acknowledged(number: int) -> None:
            wait_until(lambda: bus.acknowledged() >= number, f"{number} are acknowledged", timeout=60, alive=[consumer])

        bus.produce(["anna"])
        acknowledged(1)
        database.kill()
        bus.produce(["berta", "clara", "doris"])
        wait_until(lambda: AWAY in installation.log, "it waits", alive=[consumer])
        assert bus.acknowledged() == 1
        database.start()
        acknowledged(4)
        # Restarted while nothing comes: what is left of a connection must not cost the next event.
        database.restart()
        bus.produce(["emma", "frida"])
        acknowledged(6)

    assert installation.holders() == ["anna", "berta", "clara", "doris", "emma", "frida"]
    assert installation.dead_events() == 0


@pytest.mark.parametrize("bus", [redis_bus], ids=["redis"], indirect=True)
def test_a_consumer_that_is_killed_while_it_waits_goes_on_where_it_was(
    tmp_path: Path, bus: Bus, database: Server
) -> None:
    installation = Installation(tmp_path, bus, database.url)

    with installation.consumer() as consumer:
        database.kill()
        bus.produce(["anna", "berta"])
        wait_until(lambda: AWAY in installation.log, "it waits", timeout=60, alive=[consumer])
        consumer.process.kill()
    database.start()
    with installation.consumer() as consumer:
        wait_until(lambda: bus.acknowledged() >= 2, "both are acknowledged", timeout=60, alive=[consumer])

    assert installation.holders() == ["anna", "berta"]
