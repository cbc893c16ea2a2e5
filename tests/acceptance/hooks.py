"""Somebody whom a BadgeKit calls, and who keeps what comes."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from attrs import frozen

from badges.data import WebhookRequest
from badges.providers.badgekit.signing import is_signed

SECRET = "the-secret-of-the-webhooks-table"


@frozen
class Hook:
    """Somebody who is called."""

    url: str
    received: queue.Queue[WebhookRequest]

    def messages(self, number: int) -> list[dict[str, Any]]:
        """The next messages, in whatever order they came; each is signed."""
        found = [self.received.get(timeout=20) for _ in range(number)]
        for request in found:
            assert is_signed(request.headers["authorization"], request.body, [SECRET])
        return [json.loads(request.body) for request in found]


@pytest.fixture
def hook() -> Iterator[Hook]:
    received: queue.Queue[WebhookRequest] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(500)
            self.end_headers()
            received.put(WebhookRequest(body=body, headers=headers))

        def log_message(self, format: str, *args: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        serving.start()
        yield Hook(f"http://127.0.0.1:{server.server_address[1]}/hook", received)
        server.shutdown()
        serving.join()
