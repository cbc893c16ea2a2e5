"""The consumer as Compose and systemd start it: a real process, which its probe watches, and which ends when told."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.processes import Child, running, wait_until
from tests.acceptance.deployment.conftest import Credentials
from tests.acceptance.deployment.rendering import DEPLOYMENT, PREFIX, Rendered, seconds
from tests.acceptance.deployment.running import is_alive

pytestmark = pytest.mark.any_database
NAME = f"{PREFIX}consumer-1"
OLD = 140
"""Seconds; the limit is two minutes."""


def of_compose(rendered: Rendered) -> tuple[list[str], str, int]:
    """What it starts, its probe, and its time to end."""
    service = rendered.services()[NAME]
    return service["command"], service["healthcheck"]["test"][1], seconds(service["stop_grace_period"])


def of_systemd() -> tuple[list[str], str, int]:
    """The same of the unit; of the watch, what it looks for."""
    text = (DEPLOYMENT / "systemd" / "badges-consumer@.service").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    command = shlex.split(lines["ExecStart"].replace("%i", "1").replace("%H", "machine"))[1:]
    watch = (DEPLOYMENT / "systemd" / "watch-badges-consumer@.service").read_text(encoding="utf-8")
    probe = watch.split("/bin/sh -c '", 1)[1].split(" || ", 1)[0].replace("%i", "1")
    return command, probe, seconds(lines["TimeoutStopSec"])


@pytest.fixture(params=["compose", "systemd"])
def consumer(
    request: pytest.FixtureRequest, plain: Rendered, environment: dict[str, str], redis_url: str, tmp_path: Path
) -> Iterator[tuple[Child, list[str], int]]:
    """A running consumer, its probe, and the time that it has to end; only folders are others."""
    command, probe, grace = of_compose(plain) if request.param == "compose" else of_systemd()
    settings = plain.root / "env/plugins/credentials/apps/credentials/settings/production.py"
    if request.param == "systemd":
        settings = DEPLOYMENT / "credentials_settings.py"
    credentials = Credentials(settings, tmp_path, {**environment, "SERVICE_REDIS_URL": redis_url})
    credentials.run("manage", "migrate", "-v", "0")
    runtime = tmp_path / "badges-consumer-1"
    runtime.mkdir()
    # Compose: /tmp/consumer-alive. systemd: /run/badges-consumer-1/alive.
    here = [word.replace("/tmp/", f"{runtime}/").replace("/run/", f"{tmp_path}/") for word in (*command[1:], probe)]
    started = [sys.executable, str(Path(__file__).with_name("service.py")), str(settings), str(tmp_path / "db.sqlite3")]
    with running(
        "consumer",
        [*started, "manage", *here[:-1]],
        log=tmp_path / "log",
        env=credentials.environment,
        cwd=tmp_path,
    ) as child:
        yield child, ["/bin/sh", "-c", here[-1]], grace


def test_a_consumer_beats_for_its_probe_until_it_hangs_and_ends_with_0_in_the_time_it_has(consumer, tmp_path):
    child, probe, grace = consumer
    runtime = tmp_path / "badges-consumer-1"
    [heartbeat] = wait_until(lambda: list(runtime.iterdir()), "it beats", alive=[child])
    assert is_alive(probe)
    child.process.send_signal(signal.SIGSTOP)
    for path in (heartbeat, runtime):
        os.utime(path, (time.time() - OLD,) * 2)
    assert not is_alive(probe)
    child.process.send_signal(signal.SIGCONT)
    wait_until(lambda: is_alive(probe), "it beats again", alive=[child])
    child.process.terminate()
    assert child.process.wait(grace) == 0
