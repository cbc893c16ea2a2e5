"""The proxy in front of the service: a real nginx with our file, of which ports and folders alone are others."""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from attrs import define, field

from demo.processes import LOOPBACK, free_port, serving, wait_until
from tests.acceptance.deployment.rendering import DEPLOYMENT
from tests.acceptance.deployment.running import find_program
from tests.integration.callbacks.tls import server_tls_for

pytestmark = pytest.mark.any_database
SECRET = "a-secret-in-the-address"
WITH_SECRET = f"/badges/credly/webhook/3/{SECRET}/"
WITHOUT = "/badges/credly/webhook/"
MEBIBYTE = 1024 * 1024


@define
class Proxy:
    """A running nginx, and what the service behind it was asked."""

    port: int
    folder: Path
    asked: list[dict[str, str]] = field(factory=list)

    def post(self, path: str, size: int = 2) -> int:
        """Post so many bytes, and give the status of the answer."""
        return self.ask("POST", path, b"x" * size)[0]

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Status and body of the answer."""
        context = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection(LOOPBACK, self.port, timeout=20, context=context)
        try:
            connection.request(method, path, body, {"Host": "credentials.example.org"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def log(self) -> str:
        return (self.folder / "credentials.log").read_text(encoding="utf-8")


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    running = Proxy(free_port(), tmp_path)

    class Service(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            running.asked.append(dict(self.headers))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    behind = ThreadingHTTPServer((LOOPBACK, 0), Service)
    threading.Thread(target=behind.serve_forever, daemon=True).start()
    server_tls_for(tmp_path, "credentials.example.org")
    text = (DEPLOYMENT / "nginx" / "badges.conf").read_text(encoding="utf-8")
    for ours, theirs in {
        "listen 443 ssl": f"listen {LOOPBACK}:{running.port} ssl",
        "/etc/ssl/credentials.pem": f"{tmp_path}/server.crt",
        "/etc/ssl/private/credentials.key": f"{tmp_path}/server.key",
        "/var/log/nginx/": f"{tmp_path}/",
        "/opt/credentials/src/credentials/assets/": f"{tmp_path}/assets/",
        "127.0.0.1:8150": f"{LOOPBACK}:{behind.server_port}",
    }.items():
        assert ours in text
        text = text.replace(ours, theirs)
    (tmp_path / "badges.conf").write_text(text, encoding="utf-8")
    main = (
        f"user root;\ndaemon off;\npid {tmp_path}/pid;\nerror_log {tmp_path}/nginx.log;\nevents {{}}\n"
        f"http {{\n  client_body_temp_path {tmp_path}/body;\n  proxy_temp_path {tmp_path}/proxy;\n"
        f"  fastcgi_temp_path {tmp_path}/f;\n  uwsgi_temp_path {tmp_path}/u;\n  scgi_temp_path {tmp_path}/s;\n"
        f"  include {tmp_path}/badges.conf;\n}}\n"
    )
    (tmp_path / "nginx.conf").write_text(main, encoding="utf-8")
    command = [find_program("nginx"), "-c", str(tmp_path / "nginx.conf"), "-e", str(tmp_path / "nginx.log")]
    with serving(
        "nginx",
        f"https://{LOOPBACK}:{running.port}",
        command,
        folder=tmp_path,
        log=tmp_path / "output",
        is_ready=lambda: _listens(running),
    ):
        yield running
    behind.shutdown()
    behind.server_close()


def _listens(proxy: Proxy) -> bool:
    try:
        return proxy.post("/") == 200
    except OSError:
        return False


def test_the_log_holds_no_secret_of_a_webhook_and_says_that_it_came(proxy):
    assert proxy.post(WITH_SECRET) == 200
    wait_until(lambda: "/badges/credly/webhook/3/..." in proxy.log(), "the request is logged")
    assert SECRET not in proxy.log()


def test_the_service_is_told_host_address_and_scheme(proxy):
    proxy.post(WITH_SECRET)
    told = proxy.asked[-1]
    assert told["Host"] == "credentials.example.org"
    assert told["X-Forwarded-For"] == LOOPBACK
    assert told["X-Forwarded-Proto"] == "https"


def test_evidence_of_the_largest_size_passes_and_more_does_not(proxy):
    assert proxy.post("/badges/api/v1/applications/", 5 * MEBIBYTE) == 200
    assert proxy.post("/badges/api/v1/applications/", 7 * MEBIBYTE) == 413


def test_static_files_are_served_by_the_proxy_itself(proxy):
    (proxy.folder / "assets" / "badges").mkdir(parents=True)
    (proxy.folder / "assets" / "badges" / "admin.css").write_text("body {}", encoding="utf-8")
    assert proxy.ask("GET", "/static/badges/admin.css") == (200, b"body {}")


def test_a_flood_without_a_secret_is_held_back_and_leaves_the_address_with_one_open(proxy):
    answers = [proxy.post(WITHOUT) for _ in range(120)]
    assert answers[:50] == [200] * 50
    assert 429 in answers
    assert proxy.post(WITH_SECRET) == 200
