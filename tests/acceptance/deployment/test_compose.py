"""The processes that the Tutor plugin adds with Compose: what they run, and what becomes of them when they end."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml

from badges.conf import ConsumerSettings, HTTPSettings
from badges.eventbus.redis.stopping import LAST_MOMENTS
from demo.paths import TOP
from demo.processes import wait_until
from tests.acceptance.deployment.conftest import Credentials
from tests.acceptance.deployment.rendering import PREFIX, Rendered, seconds
from tests.acceptance.deployment.running import find_program, output

pytestmark = pytest.mark.any_database
SETTINGS = "plugins/credentials/apps/credentials/settings/production.py"


def ours(rendered: Rendered, context: str = "local") -> dict[str, dict[str, Any]]:
    return {name: one for name, one in rendered.services(context).items() if name.startswith(PREFIX)}


def as_docker_reads_it(text: str) -> str:
    """A dollar is written twice in a Compose file."""
    assert "$" not in text.replace("$$", "")
    return text.replace("$$", "$")


@pytest.mark.parametrize("second", ["local/docker-compose.prod.yml", "dev/docker-compose.yml"])
def test_compose_itself_takes_the_files(rendered, second):
    env = rendered.root / "env"
    files = ["-f", str(env / "local/docker-compose.yml"), "-f", str(env / second)]
    assert output([find_program("docker-compose"), *files, "config", "-q"]) == ""


def test_compose_takes_the_example_of_the_documentation(tmp_path):
    page = (TOP / "docs" / "worker.rst").read_text(encoding="utf-8")
    block = page.partition("\n    services:\n")[2].partition("\n\n")[0]
    services = yaml.safe_load(textwrap.dedent(block))
    for service in services.values():
        service["image"] = "credentials"
    example = tmp_path / "docker-compose.yml"
    example.write_text(yaml.safe_dump({"version": "3.7", "services": services}), encoding="utf-8")
    assert output([find_program("docker-compose"), "-f", str(example), "config", "-q"]) == ""


def test_the_plugin_as_it_comes_adds_a_consumer_and_the_daily_work(plain):
    assert sorted(ours(plain)) == [f"{PREFIX}consumer-1", f"{PREFIX}daily"]


def test_consumers_workers_and_a_sweeper_are_as_many_as_were_asked_for(large):
    numbered = [f"{PREFIX}{kind}-{number}" for kind in ("consumer", "worker") for number in (1, 2)]
    assert sorted(ours(large)) == sorted([*numbered, f"{PREFIX}daily", f"{PREFIX}sweeper"])


def test_every_process_runs_in_the_image_and_with_the_settings_of_the_service_and_is_started_again(rendered):
    web = rendered.services()["credentials"]
    for service in ours(rendered).values():
        assert service["image"] == web["image"]
        assert service["environment"] == web["environment"]
        assert service["volumes"] == web["volumes"]
        # A consumer that ends with status 0 is started again, too.
        assert service["restart"] == "unless-stopped"
        assert service["init"] is True
        assert set(service["depends_on"]) <= set(rendered.services())


def test_for_development_they_have_the_settings_for_development(rendered):
    assert set(ours(rendered, "dev")) == set(ours(rendered))
    for service in ours(rendered, "dev").values():
        assert service["environment"] == {"DJANGO_SETTINGS_MODULE": "credentials.settings.tutor.development"}


def test_the_commands_are_read_by_their_own_parsers_and_consumers_have_names_of_their_own(
    rendered, environment, tmp_path
):
    credentials = Credentials(rendered.root / "env" / SETTINGS, tmp_path, environment)
    commands = [[word.removeprefix("./") for word in one["command"]] for one in ours(rendered).values()]
    read = credentials.parse(*(command for command in commands if command[0] != "sh"))
    consumers = [one for one in read if one["command"] == "consume_events"]
    assert {one["module"] for one in consumers} == {"badges.management.commands.consume_events"}
    assert {one["topic"][0] for one in consumers} == {"learning-badges-lifecycle"}
    names = [one["consumer_name"] for one in consumers]
    assert len(set(names)) == len(names) >= 1
    # What would go back at every start.
    assert not any("last_read_msg_id" in one["extra"] for one in consumers)


def test_a_process_that_is_stopped_has_time_to_finish_what_it_is_at(rendered):
    http = HTTPSettings()
    for name, service in ours(rendered).items():
        grace = seconds(service["stop_grace_period"])
        if "consumer" in name:
            assert grace > ConsumerSettings().grace + LAST_MOMENTS
        elif "daily" not in name:
            assert grace > 2 * (http.connect_timeout + http.read_timeout)


def test_the_healthcheck_looks_at_the_file_that_the_consumer_touches(rendered):
    for name, service in ours(rendered).items():
        if "consumer" in name:
            [kind, test] = service["healthcheck"]["test"]
            heartbeat = service["command"][service["command"].index("--heartbeat-file") + 1]
            assert kind == "CMD-SHELL"
            assert heartbeat in shlex.split(test)
            # New at every start: an old heartbeat would be taken for this one's.
            assert service["tmpfs"] == [os.path.dirname(heartbeat)]


@pytest.fixture
def daily(rendered: Rendered, tmp_path: Path) -> list[str]:
    """The daily work, with a ``manage.py`` that tells what it is called with, and waits to be told to end."""
    script = tmp_path / "manage.py"
    script.write_text(
        "#!/bin/sh\n"
        "trap 'echo \"$1 ended\" >> log; exit 0' TERM\n"
        'echo "$1" >> log\n'
        "test -e quick && exit 1\n"
        "while :; do sleep 0.05; done\n"
    )
    script.chmod(0o755)
    [program, flag, text] = ours(rendered)[f"{PREFIX}daily"]["command"]
    return [program, flag, as_docker_reads_it(text)]


def test_the_daily_work_passes_on_the_signal_that_ends_it_and_waits(daily, tmp_path):
    log = tmp_path / "log"
    with subprocess.Popen(daily, cwd=tmp_path) as process:
        wait_until(lambda: log.exists() and "purge_badges" in log.read_text(), "purge_badges runs", timeout=10)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert log.read_text().splitlines() == ["purge_badges", "purge_badges ended"]


def test_the_daily_work_goes_on_after_a_failure_and_ends_while_it_sleeps(daily, tmp_path, rendered):
    (tmp_path / "quick").touch()
    log = tmp_path / "log"
    expected = ["purge_badges", *(["prune_db_task_results"] if f"{PREFIX}worker-1" in ours(rendered) else [])]
    with subprocess.Popen(daily, cwd=tmp_path) as process:
        wait_until(lambda: log.exists() and log.read_text().splitlines() == expected, "all was done", timeout=10)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
