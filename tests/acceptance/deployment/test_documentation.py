"""What ``docs/deployment.rst`` says of the files is so."""

from __future__ import annotations

import json
import re
import sys

import pytest

from demo.paths import TOP
from tests.acceptance.deployment.rendering import DEPLOYMENT
from tests.acceptance.deployment.running import output

pytestmark = pytest.mark.any_database
TEXT = (TOP / "docs" / "deployment.rst").read_text(encoding="utf-8")
NOT_SHOWN = {"systemd/badges-health.service", "systemd/badges-prune.service", "systemd/badges-purge.service"}
"""They look like one that is shown; so do their timers."""


def shown(value: object) -> str:
    """A default as the table shows it."""
    return f"``{value}``" if isinstance(value, str | list) else str(value).lower()


def test_the_table_has_every_setting_of_the_plugin_with_its_default():
    code = "import json, runpy, sys; print(json.dumps(runpy.run_path(sys.argv[1])['DEFAULTS']))"
    plugin = str(DEPLOYMENT / "tutor" / "badges.py")
    defaults = {name: shown(value) for name, value in json.loads(output([sys.executable, "-c", code, plugin]))}
    rows = dict(re.findall(r"^``(BADGES_\w+)``\s+(.+?)\s{2,}", TEXT, flags=re.MULTILINE))
    assert rows.pop("BADGES_ENCRYPTION_KEY") == "made once"
    assert rows == {**defaults, "BADGES_SECRET": "none"}


def test_every_file_is_shown():
    included = set(re.findall(r"literalinclude:: deployment/(\S+)", TEXT))
    files = {path.relative_to(DEPLOYMENT).as_posix() for path in DEPLOYMENT.rglob("*") if path.is_file()}
    files = {name for name in files if "__pycache__" not in name}
    assert files - included == NOT_SHOWN | {name.replace(".service", ".timer") for name in NOT_SHOWN}


def test_the_files_name_no_other_machine():
    hosts = r"https?://(?!credentials\.example\.org|127\.0\.0\.1)[\w.-]+"
    for path in DEPLOYMENT.rglob("*"):
        if path.is_file() and "__pycache__" not in str(path):
            found = re.findall(hosts, path.read_text(encoding="utf-8"))
            assert not found, f"{path.name}: {found}"
