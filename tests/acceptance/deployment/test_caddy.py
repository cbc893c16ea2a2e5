"""Tutor's proxy with our lines: a real Caddy, which logs no address that holds a secret."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen

from demo.processes import LOOPBACK, free_port, serving, wait_until
from tests.acceptance.deployment.rendering import Rendered
from tests.acceptance.deployment.running import find_program, output

pytestmark = pytest.mark.any_database
SECRET = "a-secret-in-the-address"
OTHER = "/badges/api/v1/badges/"


@frozen
class Proxy:
    """A running Caddy that answers by itself."""

    url: str
    log: Path

    def ask(self, path: str) -> int:
        """Ask for a path, and give the status of the answer."""
        with urllib.request.urlopen(f"{self.url}{path}", timeout=20) as answer:
            status: int = answer.status
            return status

    def logged(self) -> list[str]:
        """The addresses in its log."""
        return [json.loads(line)["request"]["uri"] for line in self.log.read_text(encoding="utf-8").splitlines()]


def our_lines(rendered: Rendered) -> str:
    """What the plugin adds to what Tutor says of every site."""
    caddyfile = rendered.text("apps/caddy/Caddyfile")
    snippet = caddyfile[caddyfile.index("(proxy) {") : caddyfile.index("\n}\n", caddyfile.index("(proxy) {"))]
    return "\n".join(line for line in snippet.splitlines() if "@badges_webhook" in line)


@pytest.fixture
def proxy(plain: Rendered, tmp_path: Path) -> Iterator[Proxy]:
    program, port, log = find_program("caddy"), free_port(), tmp_path / "access.log"
    lines = our_lines(plain)
    if [int(part) for part in re.findall(r"\d+", output([program, "version"]))[:2]] < [2, 8]:
        # What it was called before.
        lines = lines.replace("log_skip", "skip_log")
    caddyfile = tmp_path / "Caddyfile"
    caddyfile.write_text(
        "{\n  admin off\n  auto_https off\n}\n"
        f"http://{LOOPBACK}:{port} {{\n  log {{\n    output file {log}\n  }}\n{lines}\n  respond ok\n}}\n",
        encoding="utf-8",
    )
    url = f"http://{LOOPBACK}:{port}"
    found = Proxy(url, log)
    with serving(
        "Caddy",
        url,
        # It keeps what it likes to keep in its home.
        ["env", f"HOME={tmp_path}", program, "run", "--adapter", "caddyfile", "--config", str(caddyfile)],
        folder=tmp_path,
        log=tmp_path / "output",
        is_ready=lambda: _listens(found),
    ):
        yield found


def _listens(proxy: Proxy) -> bool:
    try:
        return proxy.ask("/") == 200
    except OSError:
        return False


@pytest.mark.parametrize(
    "path", [f"/badges/{provider}/webhook/3/{SECRET}{end}" for provider in ("credly", "badgekit") for end in ("/", "")]
)
def test_the_log_holds_no_secret_of_a_webhook(proxy, path):
    assert proxy.ask(path) == 200
    assert proxy.ask(OTHER) == 200
    wait_until(lambda: OTHER in proxy.logged(), "the request after it is logged")
    assert SECRET not in proxy.log.read_text(encoding="utf-8")
