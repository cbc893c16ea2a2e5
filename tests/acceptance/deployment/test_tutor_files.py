"""What else the Tutor plugin changes: the tasks of ``init``. And no secret is in it."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

from tests.acceptance.deployment.conftest import Credentials
from tests.acceptance.deployment.rendering import Rendered
from tests.acceptance.deployment.running import output

pytestmark = pytest.mark.any_database


TASKS = """
import json, sys, tutor.plugins.v1, tutor.plugins, tutor.hooks as hooks
hooks.Actions.CORE_READY.do()
tutor.plugins.load_all(["badges", "credentials", "discovery", "mfe"])
context = hooks.Contexts.app(sys.argv[1]).name if len(sys.argv) > 1 else None
print(json.dumps(list(hooks.Filters.CLI_DO_INIT_TASKS.iterate_from_context(context))))
"""


def init_tasks(plain: Rendered, *limit: str) -> list[tuple[str, str]]:
    """What ``tutor local do init`` runs: services and shell commands, in their order."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(plain.root), "TUTOR_PLUGINS_ROOT": str(plain.root / "plugins")}
    tasks = output([sys.executable, "-W", "ignore", "-c", TASKS, *limit], environment)
    return [(service, task) for service, task in json.loads(tasks)]


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
