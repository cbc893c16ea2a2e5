"""Fixtures: the wheel in an environment of its own, and databases that the built-in module has used for years."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.acceptance.distributions import build_distributions
from tests.acceptance.host.environment import Environment, make_environment
from tests.acceptance.host.service import Service, badges_config
from tests.databases import bare_database

if os.environ.get("BADGES_TEST_DATABASE_URL", "").startswith("postgres"):
    # The service runs on MySQL, and its own tests on SQLite.
    collect_ignore_glob = ["test_*.py"]

CONSUMER = "badges.eventbus.redis.DurableConsumer"


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ours, built as for a release."""
    return next(build_distributions(tmp_path_factory.mktemp("distributions")).glob("*.whl"))


@pytest.fixture(scope="session")
def without(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Environment:
    """An environment of the service before this package is installed into it."""
    return make_environment(tmp_path_factory.mktemp("without"), wheel)


@pytest.fixture(scope="session")
def with_wheel(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Environment:
    """An environment of the service with the wheel installed."""
    environment = make_environment(tmp_path_factory.mktemp("with"), wheel)
    environment.install()
    return environment


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory, without: Environment) -> Iterator[str]:
    """The URL of a database that the built-in module has migrated, and that has all its anomalies."""
    folder = tmp_path_factory.mktemp("filled")
    with bare_database(folder) as url:
        service = Service(without, folder, url, BADGES_CONFIG=badges_config())
        service.manage("migrate", "--verbosity", "0")
        service.python("from tests.host.fill import fill; fill()")
        yield url


@pytest.fixture(scope="session")
def adopted(tmp_path_factory: pytest.TempPathFactory, with_wheel: Environment, filled: str) -> Iterator[str]:
    """The URL of a database in which all that was adopted."""
    folder = tmp_path_factory.mktemp("adopted")
    with bare_database(folder, filled) as url:
        service = Service(with_wheel, folder, url, BADGES_CONFIG=badges_config())
        service.manage("migrate", "--verbosity", "0")
        service.manage("adopt_builtin_badges", "--apply")
        yield url


MakeService = Callable[..., Service]
Installed = Callable[..., AbstractContextManager[Service]]


@pytest.fixture(scope="session")
def installed(with_wheel: Environment) -> Installed:
    """Gives a service on a copy of a database, or on an empty one; see :class:`Service` for the rest."""

    @contextlib.contextmanager
    def service(
        folder: Path, template: str = "", environment: Environment = with_wheel, **config: object
    ) -> Iterator[Service]:
        with bare_database(folder, template) as url:
            yield Service(environment, folder, url, **{"BADGES_CONFIG": badges_config(), **config})

    return service


@pytest.fixture
def make_service(tmp_path: Path, installed: Installed) -> Iterator[MakeService]:
    """Makes such a service for one test."""
    with contextlib.ExitStack() as services:

        def make(template: str = "", *arguments: Environment, **config: object) -> Service:
            return services.enter_context(installed(tmp_path, template, *arguments, **config))

        yield make
