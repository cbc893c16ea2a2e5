"""Tutor's environments, rendered once, and a Credentials service that runs with their settings."""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from demo.paths import TOP
from tests.acceptance.deployment.rendering import Rendered, render
from tests.acceptance.deployment.running import output

PLUGINS = "credentials.djangoapp"


@frozen
class Credentials:
    """A stand-in for the Credentials service, with these settings and a database of its own."""

    settings: Path
    folder: Path
    environment: dict[str, str]

    def run(self, *arguments: str) -> str:
        """Run it in a process, and give what that printed."""
        program = [sys.executable, str(Path(__file__).with_name("service.py"))]
        command = [*program, str(self.settings), str(self.folder / "db.sqlite3"), *arguments]
        return output(command, self.environment, self.folder)

    def describe(self) -> dict[str, Any]:
        """Its settings, its apps, the name of its stream, and what the checks say."""
        answer: dict[str, Any] = json.loads(self.run("describe"))
        return answer

    def parse(self, *commands: list[str]) -> list[dict[str, Any]]:
        """These command lines, read by the commands' own parsers."""
        answer: list[dict[str, Any]] = json.loads(self.run("parse", json.dumps(commands)))
        return answer


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """The plugin as it comes."""
    return render(tmp_path_factory.mktemp("plain") / "tutor")


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """More of everything, HTTPS, and a Redis with a password somewhere else."""
    return render(
        tmp_path_factory.mktemp("large") / "tutor",
        BADGES_CONSUMERS=2,
        BADGES_WORKERS=2,
        BADGES_SWEEP_SECONDS=10,
        BADGES_TOPIC_PREFIX="prod",
        BADGES_STREAM_MAX_LEN=1_000_000,
        BADGES_SECRET="badges-keys",
        BADGES_FORMER_KEYS=["former"],
        BADGES_USE_SANDBOX=True,
        ENABLE_HTTPS=True,
        RUN_REDIS=False,
        REDIS_HOST="redis.example.org",
        REDIS_PASSWORD="p@ss/word",
        BADGES_REQUIREMENT="openedx-badges==0.1",
    )


@pytest.fixture(params=["plain", "large"])
def rendered(request: pytest.FixtureRequest) -> Rendered:
    environment: Rendered = request.getfixturevalue(request.param)
    return environment


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Of a process of the service: the checkout as an installed plugin, and nothing of the test's own settings."""
    folder = tmp_path_factory.mktemp("installed")
    config = folder / "credentials.yml"
    config.write_text("{}", encoding="utf-8")
    if not importlib.metadata.entry_points(group=PLUGINS):
        # A checkout that was not installed anew since it has an entry point.
        project = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        points = project["entry-points"][PLUGINS]
        info = folder / "checkout_of_badges-1.dist-info"
        info.mkdir()
        info.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: checkout-of-badges\nVersion: 1\n")
        lines = [f"[{PLUGINS}]", *(f"{name} = {value}" for name, value in points.items())]
        info.joinpath("entry_points.txt").write_text("\n".join(lines))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BADGES_", "DJANGO_"))}
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join([str(folder), str(TOP)]),
        "CREDENTIALS_CFG": str(config),
        "BADGES_ENCRYPTION_KEYS": "first second",
        "BADGES_PUBLIC_URL": "https://credentials.example.org/",
        "EVENT_BUS_REDIS_CONNECTION_URL": "redis://127.0.0.1:6379/0",
        "BADGES_TASK_WORKERS": "1",
    }
