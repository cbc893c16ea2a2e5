"""What else the Tutor plugin changes: the image, Redis, the proxy's log, and the tasks of ``init``."""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import redis

from badges import __version__
from demo.processes import LOOPBACK, free_port, serving
from demo.redis import find_server
from tests.acceptance.deployment.conftest import Credentials
from tests.acceptance.deployment.rendering import Rendered

pytestmark = pytest.mark.any_database


def test_the_package_is_installed_into_the_image_from_a_wheel_beside_it_or_from_an_index(plain, large):
    dockerfile = plain.text("plugins/credentials/build/credentials/Dockerfile")
    assert "pip install --find-links=/badges-requirements 'openedx-badges'\n" in dockerfile
    # The folder that is mounted is part of the build context, whether there is a wheel in it or not.
    assert "--mount=type=bind,source=requirements,target=/badges-requirements" in dockerfile
    assert (plain.root / "env/plugins/credentials/build/credentials/requirements").is_dir()
    # After the service's own requirements, whose versions are kept.
    assert dockerfile.index("requirements/production.txt") < dockerfile.index("/badges-requirements")
    of_large = large.text("plugins/credentials/build/credentials/Dockerfile")
    assert "pip install --find-links=/badges-requirements 'openedx-badges==0.1' 'django-tasks-db[compat]>=" in of_large


def test_pip_takes_a_wheel_beside_the_dockerfile_for_the_requirement(plain, tmp_path):
    dockerfile = plain.text("plugins/credentials/build/credentials/Dockerfile")
    [line] = [line for line in dockerfile.splitlines() if "pip install --find-links=/badges-requirements" in line]
    arguments = shlex.split(line.replace("/badges-requirements", str(tmp_path)))
    name = f"openedx_badges-{__version__}"
    with zipfile.ZipFile(tmp_path / f"{name}-py3-none-any.whl", "w") as wheel:
        folder = f"{name}.dist-info"
        wheel.writestr(f"{folder}/METADATA", f"Metadata-Version: 2.1\nName: openedx-badges\nVersion: {__version__}\n")
        wheel.writestr(f"{folder}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{folder}/RECORD", "")
    done = subprocess.run(
        [sys.executable, "-m", *arguments, "--no-index", "--dry-run", "--ignore-installed", "--no-deps"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert f"Would install openedx-badges-{__version__}" in done.stdout


def test_redis_with_the_rendered_configuration_keeps_the_stream(plain, tmp_path):
    port = free_port()
    config = tmp_path / "redis.conf"
    text = plain.text("apps/redis/redis.conf").replace("/openedx/redis/data/", str(tmp_path))
    config.write_text(text, encoding="utf-8")
    command = [str(find_server()), str(config), "--port", str(port), "--bind", LOOPBACK]
    command += ["--pidfile", str(tmp_path / "pid"), "--maxmemory", "3mb"]
    with (
        contextlib.closing(redis.Redis(LOOPBACK, port, socket_timeout=5, decode_responses=True)) as client,
        serving(
            "Redis",
            f"redis://{LOOPBACK}:{port}",
            command,
            folder=tmp_path,
            log=tmp_path / "log",
            is_ready=lambda: _answers(client),
        ),
    ):
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        client.xadd("stream", {"event": "x"})
        # Caches, until memory is short.
        for number in range(60):
            client.set(f"cache:{number}", "x" * 100_000, ex=3600)
        assert client.info("stats")["evicted_keys"] > 0
        assert client.xlen("stream") == 1


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.exceptions.ConnectionError:
        return False


def test_the_proxy_does_not_log_addresses_of_webhooks(plain):
    caddyfile = plain.text("apps/caddy/Caddyfile")
    snippet = caddyfile[caddyfile.index("(proxy) {") : caddyfile.index("\n}\n", caddyfile.index("(proxy) {"))]
    assert "@badges_webhook path /badges/*/webhook/*" in snippet
    assert "log_skip @badges_webhook" in snippet


TASKS = """
import json, sys, tutor.plugins.v1, tutor.plugins, tutor.hooks as hooks
hooks.Actions.CORE_READY.do()
tutor.plugins.load_all(["badges", "credentials", "discovery", "mfe"])
context = hooks.Contexts.app(sys.argv[1]).name if len(sys.argv) > 1 else None
print(json.dumps(list(hooks.Filters.CLI_DO_INIT_TASKS.iterate_from_context(context))))
"""


def init_tasks(plain: Rendered, *limit: str) -> list[tuple[str, str]]:
    """What ``tutor local do init`` runs: services and shell commands, in their order."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", TASKS, *limit],
        env={"PATH": "/usr/bin:/bin", "HOME": str(plain.root), "TUTOR_PLUGINS_ROOT": str(plain.root / "plugins")},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return [(service, task) for service, task in json.loads(done.stdout)]


def test_init_migrates_after_the_database_of_the_service_was_made(plain):
    tasks = init_tasks(plain)
    [ours] = init_tasks(plain, "badges")
    [made] = [place for place, (_, task) in enumerate(tasks) if "CREATE DATABASE IF NOT EXISTS {{ CREDENTIALS" in task]
    assert made < tasks.index(ours) == len(tasks) - 1


def test_what_init_runs_in_the_service_succeeds(plain, environment, tmp_path):
    [(service, task)] = init_tasks(plain, "badges")
    assert service == "credentials"
    settings = plain.root / "env/plugins/credentials/apps/credentials/settings/production.py"
    credentials = Credentials(settings, tmp_path, environment)
    for command in task.split(" && "):
        program, *arguments = shlex.split(command)
        assert program == "./manage.py"
        credentials.run("manage", *arguments)


def test_the_plugin_names_no_secret(plain: Rendered, tmp_path: Path):
    text = (plain.root / "plugins" / "badges.py").read_text(encoding="utf-8")
    assert 'CONFIG_UNIQUE.add_item(("BADGES_ENCRYPTION_KEY", "{{ 48|random_string }}"))' in text
