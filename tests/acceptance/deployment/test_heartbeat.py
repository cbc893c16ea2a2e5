"""The probes on the heartbeat, run: a consumer that beats is alive, one that is silent or never began is not."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from badges.eventbus.redis.presence import BEAT_EVERY
from tests.acceptance.deployment.rendering import DEPLOYMENT, PREFIX, Rendered, container_of
from tests.acceptance.deployment.running import ended, is_alive

pytestmark = pytest.mark.any_database
FRESH, OLD = 100, 140
"""Seconds; the limit is two minutes."""


def aged(path: Path, seconds: float) -> None:
    moment = time.time() - seconds
    os.utime(path, (moment, moment))


@pytest.fixture(params=["compose", "kubernetes"])
def probe(request: pytest.FixtureRequest, plain: Rendered, tmp_path: Path) -> list[str]:
    """The command of a probe, of which only the folder is another one."""
    name = f"{PREFIX}consumer-1"
    if request.param == "compose":
        [_, text] = plain.services()[name]["healthcheck"]["test"]
        # What Docker does with CMD-SHELL.
        command = ["/bin/sh", "-c", text]
    else:
        command = container_of(plain.ours()[name])["livenessProbe"]["exec"]["command"]
    return [word.replace("/tmp/", f"{tmp_path}/") for word in command]


def test_a_consumer_that_beats_is_alive(probe, tmp_path):
    heartbeat = tmp_path / "consumer-alive"
    heartbeat.touch()
    assert is_alive(probe)
    aged(heartbeat, FRESH)
    assert is_alive(probe)


def test_a_consumer_that_was_silent_for_long_is_not(probe, tmp_path):
    heartbeat = tmp_path / "consumer-alive"
    heartbeat.touch()
    aged(heartbeat, OLD)
    assert not is_alive(probe)


def test_a_consumer_without_a_heartbeat_is_not(probe):
    assert not is_alive(probe)


def test_a_consumer_beats_often_enough():
    # A call to a provider, or a lock of MySQL, may keep it from beating for so long.
    longest_silence = 50
    assert BEAT_EVERY + longest_silence < FRESH


@pytest.fixture
def watch(tmp_path: Path) -> list[str]:
    """The watch of the systemd timer on consumer 1, with a systemctl that tells what it is asked."""
    systemctl = tmp_path / "systemctl"
    systemctl.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\n')
    systemctl.chmod(0o755)
    unit = (DEPLOYMENT / "systemd" / "watch-badges-consumer@.service").read_text(encoding="utf-8")
    [line] = [line for line in unit.splitlines() if line.startswith("ExecStart=/bin/sh -c '")]
    script = line.removeprefix("ExecStart=/bin/sh -c '").removesuffix("'")
    script = script.replace("%i", "1").replace("/run/", f"{tmp_path}/").replace("systemctl", str(systemctl))
    return ["/bin/sh", "-c", script]


@pytest.mark.parametrize(
    ("folder", "heartbeat", "is_restarted"),
    [
        pytest.param(OLD, 0, False, id="it beats"),
        pytest.param(OLD, FRESH, False, id="it beat a moment ago"),
        pytest.param(0, None, False, id="it just started"),
        pytest.param(OLD, OLD, True, id="it was silent for long"),
        pytest.param(OLD, None, True, id="it never began to beat"),
        # Only one that runs is restarted: try-restart.
        pytest.param(None, None, True, id="it does not run"),
    ],
)
def test_systemd_starts_a_consumer_that_hangs_again(watch, tmp_path, folder, heartbeat, is_restarted):
    runtime = tmp_path / "badges-consumer-1"
    if folder is not None:
        runtime.mkdir()
        if heartbeat is not None:
            (runtime / "alive").touch()
            aged(runtime / "alive", heartbeat)
        aged(runtime, folder)
    ended(watch)
    asked = tmp_path / "asked"
    assert asked.exists() == is_restarted
    if is_restarted:
        assert asked.read_text().split() == ["try-restart", "badges-consumer@1.service"]
