"""The Redis of the event bus: with Tutor's configuration, and with a user who may do little."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from demo.paths import TOP
from demo.processes import LOOPBACK, free_port, serving
from demo.redis import find_server
from tests.acceptance.deployment.conftest import Credentials
from tests.acceptance.deployment.lms import PASSING, TOPIC
from tests.acceptance.deployment.rendering import DEPLOYMENT
from tests.acceptance.deployment.test_settings import EVENT

pytestmark = pytest.mark.any_database


@contextlib.contextmanager
def server(folder: Path, *arguments: str) -> Iterator[redis.Redis]:
    """A Redis, as its administrator sees it."""
    port = free_port()
    client = redis.Redis(LOOPBACK, port, socket_timeout=5, decode_responses=True)
    with (
        contextlib.closing(client),
        serving(
            "Redis",
            f"redis://{LOOPBACK}:{port}",
            [str(find_server()), *arguments, "--port", str(port), "--bind", LOOPBACK],
            folder=folder,
            log=folder / "log",
            is_ready=lambda: _answers(client),
        ),
    ):
        yield client


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.exceptions.ConnectionError:
        return False


def test_the_rendered_configuration_keeps_the_stream_when_memory_is_short(plain, tmp_path):
    config = tmp_path / "redis.conf"
    text = plain.text("apps/redis/redis.conf").replace("/openedx/redis/data/", str(tmp_path))
    config.write_text(text, encoding="utf-8")
    with server(tmp_path, str(config), "--pidfile", str(tmp_path / "pid"), "--maxmemory", "3mb") as client:
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        client.xadd("stream", {"event": "x"})
        # Caches, until memory is short.
        for number in range(60):
            client.set(f"cache:{number}", "x" * 100_000, ex=3600)
        assert client.info("stats")["evicted_keys"] > 0
        assert client.xlen("stream") == 1


def test_a_user_with_the_commands_that_the_documentation_names_is_enough(environment, tmp_path):
    page = (TOP / "docs" / "deployment.rst").read_text(encoding="utf-8")
    [command] = re.findall(r"ACL SETUSER badges (on >PASSWORD .+)", page)
    with server(tmp_path, "--save", "", "--dir", str(tmp_path)) as client:
        client.execute_command("ACL", "SETUSER", "badges", *command.replace("PASSWORD", "p@ss/word").split())
        port = client.connection_pool.connection_kwargs["port"]
        url = f"redis://badges:p%40ss%2Fword@{LOOPBACK}:{port}/0"
        settings = DEPLOYMENT / "credentials_settings.py"
        credentials = Credentials(settings, tmp_path, {**environment, "EVENT_BUS_REDIS_CONNECTION_URL": url})
        credentials.run("manage", "migrate", "-v", "0")
        credentials.run("manage", "produce_event", PASSING, "--data", json.dumps(EVENT))
        consume = ("manage", "consume_events", "-t", TOPIC, "-g", "credentials", "--until-empty", "--extra")
        # Another one left something behind.
        client.xgroup_create(TOPIC, "credentials", "0")
        client.xreadgroup("credentials", "gone", {TOPIC: ">"})
        printed = credentials.run(*consume, '{"consumer_name": "one", "claim_msgs_older_than": 0}')
        assert "1 event" in printed
        assert client.xpending(TOPIC, "credentials")["pending"] == 0
        assert "cannot be told" not in credentials.run("manage", "badges_health")
        credentials.run("manage", "catch_up", "-t", TOPIC, "--from-id", "0")
