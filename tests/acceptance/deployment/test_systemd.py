"""The units for bare machines: taken by systemd, hardened, and running what our own parsers read."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from gunicorn.config import Config

from badges.conf import ConsumerSettings, HTTPSettings
from badges.eventbus.redis.stopping import LAST_MOMENTS
from tests.acceptance.deployment.conftest import Credentials
from tests.acceptance.deployment.rendering import DEPLOYMENT, seconds
from tests.acceptance.deployment.running import ended, find_program

pytestmark = pytest.mark.any_database
UNITS = DEPLOYMENT / "systemd"
SERVICES = sorted(path.name for path in UNITS.glob("*.service"))
TIMERS = sorted(path.name for path in UNITS.glob("*.timer"))
LONG_RUNNING = ("badges-consumer@.service", "badges-web.service", "badges-worker@.service")
PYTHON = "/opt/credentials/venv/bin/python"
EXPOSURE = 2.0
"""Of 10, as ``systemd-analyze security`` reckons."""


def unit(name: str) -> configparser.ConfigParser:
    """A unit file, with what is continued on the next line on one."""
    text = re.sub(r"\\\n\s*", "", (UNITS / name).read_text(encoding="utf-8"))
    parser = configparser.ConfigParser(interpolation=None, strict=False, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(text)
    return parser


def command(name: str) -> list[str]:
    """What it starts, as ``NAME@1`` on a machine called ``machine``."""
    line = unit(name)["Service"]["ExecStart"]
    return shlex.split(line.replace("%i", "1").replace("%H", "machine"))


@pytest.fixture
def system(tmp_path: Path) -> Path:
    """A root folder with the units where they belong, what they start, and systemd's own targets."""
    find_program("systemd-analyze")
    targets = Path("/usr/lib/systemd/system")
    root = tmp_path / "root"
    shutil.copytree(UNITS, root / "etc/systemd/system")
    for path in targets.glob("*.target"):
        (root / "usr/lib/systemd/system").mkdir(parents=True, exist_ok=True)
        if path.exists():
            shutil.copy(path, root / "usr/lib/systemd/system")
    for name in {command(name)[0] for name in SERVICES}:
        started = root / name.lstrip("/")
        started.parent.mkdir(parents=True, exist_ok=True)
        started.touch(mode=0o755)
    return root


def instance(name: str) -> str:
    return name.replace("@.", "@1.")


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return ended([find_program("systemd-analyze"), "--no-pager", *arguments])


@pytest.mark.parametrize("name", [*SERVICES, *TIMERS])
def test_systemd_takes_the_unit_without_a_word(system, name):
    done = analyze("verify", "--man=no", f"--root={system}", instance(name))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("name", [name for name in SERVICES if name.startswith("badges-")])
def test_a_process_may_do_what_it_needs_and_little_else(system, name):
    done = analyze(
        "security", "--offline=true", f"--threshold={int(EXPOSURE * 10)}", f"--root={system}", instance(name)
    )
    assert done.returncode == 0, done.stdout[-200:]


def test_there_is_no_unit_beyond_those_that_are_told_of():
    assert SERVICES == [
        "badges-consumer@.service",
        "badges-health.service",
        "badges-prune.service",
        "badges-purge.service",
        "badges-sweep.service",
        "badges-web.service",
        "badges-worker@.service",
        "watch-badges-consumer@.service",
    ]
    of_timers = {name.replace(".timer", ".service") for name in TIMERS}
    assert of_timers == set(SERVICES) - set(LONG_RUNNING)


def test_the_commands_are_read_by_their_own_parsers(environment, tmp_path):
    credentials = Credentials(DEPLOYMENT / "credentials_settings.py", tmp_path, environment)
    commands = {name: command(name)[1:] for name in SERVICES if command(name)[0] == PYTHON}
    read = dict(zip(commands, credentials.parse(*commands.values()), strict=True))
    consumer = read["badges-consumer@.service"]
    assert consumer["consumer_name"] == "machine.1"
    assert consumer["module"] == "badges.management.commands.consume_events"
    assert read["badges-worker@.service"]["worker_id"] == "machine.1"
    assert len(read) == len(SERVICES) - 2


def test_gunicorn_reads_the_command_of_the_web_service():
    started, *arguments = command("badges-web.service")
    assert os.path.basename(started) == "gunicorn"
    options = Config().parser().parse_args(arguments)
    assert options.args == ["credentials.wsgi:application"]
    # Without threads a request of more than 30 seconds ends its process, and a call to a provider with it.
    assert options.threads > 1
    assert seconds(unit("badges-web.service")["Service"]["TimeoutStopSec"]) > options.graceful_timeout


def test_the_consumer_beats_where_it_is_watched_and_the_folder_is_new_at_every_start():
    service = unit("badges-consumer@.service")["Service"]
    folder = f"/run/{service['RuntimeDirectory']}"
    assert f"--heartbeat-file {folder}/alive" in service["ExecStart"]
    assert folder in unit("watch-badges-consumer@.service")["Service"]["ExecStart"]
    assert "RuntimeDirectoryPreserve" not in service


@pytest.mark.parametrize("name", LONG_RUNNING)
def test_what_ends_is_started_again_however_often_and_whatever_its_status(name):
    assert unit(name)["Service"]["Restart"] == "always"
    assert unit(name)["Unit"]["StartLimitIntervalSec"] == "0"


def test_a_process_that_is_stopped_has_time_to_finish_what_it_is_at():
    consumer = unit("badges-consumer@.service")["Service"]
    assert seconds(consumer["TimeoutStopSec"]) > ConsumerSettings().grace + LAST_MOMENTS
    http = HTTPSettings()
    for name in ("badges-worker@.service", "badges-sweep.service"):
        assert seconds(unit(name)["Service"]["TimeoutStopSec"]) > 2 * (http.connect_timeout + http.read_timeout)


@pytest.mark.parametrize("name", SERVICES)
def test_secrets_come_from_a_file_that_only_root_reads_and_stand_in_no_unit(name):
    text = (UNITS / name).read_text(encoding="utf-8")
    assert "Environment=" not in text
    common = unit("badges-.service.d/common.conf")["Service"] if name.startswith("badges-") else {}
    assert common.get("EnvironmentFile", "/etc/credentials/environment") == "/etc/credentials/environment"
