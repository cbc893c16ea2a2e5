"""In the stand-in for the Credentials service, with its real plugins: installed, switched off, by hand, by halves."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

from demo.paths import TOP

HOST = TOP / "tests" / "host"
FINISHED = "from credentials.settings.production import *\n"
SWITCHED_ON = f"{FINISHED}BADGES_ENABLED = True\n"
SHOW = """
import json
from django.conf import settings
from django.urls import resolve
from openedx_events.learning.signals import BADGE_AWARDED, BADGE_REVOKED
match = resolve("/badges/credly/webhook/")
handlers = [[kept[1]().__name__ for kept in signal.receivers] for signal in (BADGE_AWARDED, BADGE_REVOKED)]
print("STATE", json.dumps({
    "apps": settings.INSTALLED_APPS,
    "view": match.func.__module__,
    "namespaces": match.namespaces,
    "sending": ["general_signal_handler" in names for names in handlers],
    "enabled": [t["learning-badges-lifecycle"]["enabled"] for t in settings.EVENT_BUS_PRODUCER_CONFIG.values()],
}))
"""
OURS = {"view": "badges.webhooks.views", "namespaces": ["badges"], "enabled": [True, True]}
THEIRS = {"view": "credentials.apps.badges.urls", "namespaces": ["badges"]}

# Settings, and what Django says of them: no database is asked.
pytestmark = pytest.mark.any_database


INFORMATION = Path("packages", "openedx_badges-0.dist-info")


@define
class Service:
    """The stand-in, and what an operator has written for it."""

    folder: Path
    environment: dict[str, str] = field(factory=dict)

    def write(self, settings: str = SWITCHED_ON, **yaml: Any) -> None:
        """The operator's own settings, and the YAML file that the service reads before them."""
        database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(self.folder / "db.sqlite3")}
        (self.folder / "ours.py").write_text(settings)
        (self.folder / "service.yml").write_text(json.dumps({"DATABASES": {"default": database}, **yaml}))

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the service."""
        return self.python("manage.py", *arguments)

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Python beside the service."""
        paths = [self.folder, self.folder / "packages", HOST, self.folder / "link"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("BADGES_", "DJANGO_"))}
        environment |= {
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
            "DJANGO_SETTINGS_MODULE": "ours",
            "CREDENTIALS_CFG": str(self.folder / "service.yml"),
            # Where the loader of plugins remembers what it found.
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            **self.environment,
        }
        command = [sys.executable, *arguments]
        return subprocess.run(
            command, cwd=HOST, env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    def state(self) -> dict[str, Any]:
        """What came of the settings, once Django has started."""
        done = self.manage("shell", "-c", SHOW)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout.partition("STATE ")[2])
        return found


@pytest.fixture
def without_plugin(tmp_path: Path) -> Service:
    """The service with this package to be imported, and not installed as a plugin."""
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / "badges").symlink_to(TOP / "badges")
    # The first distribution of a name is the one that counts: no entry points of one that is installed here.
    (tmp_path / INFORMATION).mkdir(parents=True)
    (tmp_path / INFORMATION / "METADATA").write_text("Metadata-Version: 2.1\nName: openedx-badges\nVersion: 0\n")
    service = Service(tmp_path)
    service.write()
    return service


@pytest.fixture
def service(without_plugin: Service) -> Service:
    """The service with this package as pip installs it: with its entry points."""
    groups = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]["entry-points"]
    lines = [
        line for group, points in groups.items() for line in (f"[{group}]", *(f"{k} = {v}" for k, v in points.items()))
    ]
    (without_plugin.folder / INFORMATION / "entry_points.txt").write_text("\n".join(lines))
    return without_plugin


def test_installed_and_switched_on_it_is_there_instead_of_the_built_in_module(service: Service) -> None:
    state = service.state()

    assert state.items() >= OURS.items()
    assert "credentials.apps.badges" not in state["apps"]
    assert [entry for entry in state["apps"] if entry.startswith("badges")] == ["badges"]
    assert state["apps"].index("badges") < state["apps"].index("openedx_events")


def test_the_check_finds_nothing_of_it_in_halves_and_the_log_says_what_was_done(service: Service) -> None:
    done = service.manage("check", "--database", "default")

    assert done.returncode == 0, done.stderr
    assert "The badges module runs in the place of credentials.apps.badges." in done.stderr
    assert "urls.W005" not in done.stderr
    # The tables of neither are there yet.
    said = set(re.findall(r"\(badges\.([EWI]\d+)\)", done.stderr))
    assert said - {"W006", "W010", "W011", "W012"} == {"W023"}


def test_switched_off_the_service_is_clean_and_its_addresses_can_be_imported(service: Service) -> None:
    service.write(FINISHED)

    done = service.manage("check")

    assert "no issues" in done.stdout + done.stderr
    assert service.manage("shell", "-c", "import credentials.urls").returncode == 0


def test_reading_the_settings_imports_no_model(service: Service) -> None:
    code = (
        "import sys, ours; print([name for name in sys.modules if name.startswith(('badges.models', 'badges.urls'))])"
    )

    done = service.python("-c", code)

    assert done.stdout.strip() == "[]", done.stderr


class TestTheSwitch:
    def test_in_the_environment_keeps_the_built_in_module(self, service: Service) -> None:
        service.environment["BADGES_REPLACE_BUILT_IN"] = "False"

        assert service.state().items() >= THEIRS.items()

    def test_in_the_yaml_file_keeps_it_too(self, service: Service) -> None:
        service.write(BADGES_REPLACE_BUILT_IN=False)

        state = service.state()

        assert state.items() >= THEIRS.items()
        assert not [entry for entry in state["apps"] if entry.startswith("badges")]

    def test_in_a_file_that_is_read_later_comes_too_late_and_the_check_says_so(self, service: Service) -> None:
        service.write(f"{SWITCHED_ON}BADGES_REPLACE_BUILT_IN = False\n")

        assert "badges.W021" in service.manage("check").stderr


def test_settings_that_end_with_the_base_have_it_as_well(service: Service) -> None:
    service.write("from credentials.settings.base import *\nDEBUG = True\nBADGES_ENABLED = True\n")

    assert service.state().items() >= OURS.items()
    assert service.manage("check").returncode == 0


class TestByHand:
    LINE = (
        'INSTALLED_APPS = ["badges", *(app for app in INSTALLED_APPS if app not in '
        '("badges", "badges.apps.BadgesConfig", "credentials.apps.badges"))]\n'
    )

    def test_without_the_plugin(self, without_plugin: Service) -> None:
        without_plugin.write(SWITCHED_ON + self.LINE)

        state = without_plugin.state()

        assert state.items() >= OURS.items()
        assert state["apps"][0] == "badges"
        assert "installed by hand" in without_plugin.manage("check").stderr

    @pytest.mark.parametrize("switch", ["True", "False"])
    def test_beside_the_plugin_whatever_the_switch_says(self, service: Service, switch: str) -> None:
        service.environment["BADGES_REPLACE_BUILT_IN"] = switch
        service.write(SWITCHED_ON + self.LINE)

        assert service.state().items() >= OURS.items()
        assert "W021" not in service.manage("check").stderr

    def test_in_settings_that_run_no_hooks(self, without_plugin: Service) -> None:
        own = "from credentials.settings.base import *\nDEBUG = True\nBADGES_ENABLED = True\n"
        without_plugin.write(f'{own}INSTALLED_APPS.append("badges")\n')
        refused = without_plugin.manage("check")
        without_plugin.write(own + self.LINE)

        assert refused.returncode != 0
        # What it says is what helps.
        assert "(ours) do not run the hooks" in refused.stderr
        assert without_plugin.state().items() >= OURS.items()

    def test_as_the_documentation_says_it(self) -> None:
        text = (TOP / "docs" / "installation.rst").read_text()

        names: dict[str, Any] = {"INSTALLED_APPS": ["a", "credentials.apps.badges", "badges.apps.BadgesConfig"]}
        block = text[text.index("BADGES = {") :].partition("\n\n")[0]
        exec("\n".join(line.strip() for line in block.splitlines()), names)
        assert names["INSTALLED_APPS"] == ["badges", "a"]


class TestInHalves:
    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            ('INSTALLED_APPS.append("credentials.apps.badges")', "something that is read later put it back"),
            ('INSTALLED_APPS.append("badges.apps.BadgesConfig")', "It is one app"),
        ],
    )
    def test_two_badges_modules_are_explained(self, service: Service, line: str, reason: str) -> None:
        service.write(f"{SWITCHED_ON}{line}\n")

        done = service.manage("check")

        assert done.returncode != 0
        assert reason in done.stderr
        assert "labels aren't unique" not in done.stderr

    def test_named_among_the_extra_apps_it_is_there_once(self, service: Service) -> None:
        service.write(EXTRA_APPS=["badges"])

        assert service.state().items() >= OURS.items()


class TestTheProducer:
    def test_a_file_that_replaces_its_configuration_gets_the_two_signals(self, service: Service) -> None:
        service.write(EVENT_BUS_PRODUCER_CONFIG={})

        state = service.state()

        assert state["enabled"] == [True, True]
        # Before openedx-events connects what it finds.
        assert state["sending"] == [True, True]

    def test_what_an_operator_sets_after_all_wins(self, service: Service) -> None:
        entry = 'EVENT_BUS_PRODUCER_CONFIG["org.openedx.learning.badge.revoked.v1"]["learning-badges-lifecycle"]'
        service.write(f'{SWITCHED_ON}{entry}["enabled"] = False\n')

        assert service.state()["enabled"] == [True, False]

    def test_what_an_operator_merges_keeps_the_rest(self, service: Service) -> None:
        merge = (
            "from openedx_events.event_bus import merge_producer_configs\n"
            'own = {"org.openedx.learning.badge.awarded.v1": {"learning-badges-lifecycle": {"enabled": False}}}\n'
            "EVENT_BUS_PRODUCER_CONFIG = merge_producer_configs(EVENT_BUS_PRODUCER_CONFIG, own)\n"
        )
        service.write(SWITCHED_ON + merge)

        assert service.state()["enabled"] == [False, True]
