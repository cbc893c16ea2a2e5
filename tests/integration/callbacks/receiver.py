"""A receiver of callbacks on this machine: a real server, which keeps what it got and answers what it is told to."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from attrs import define, field, frozen


@frozen
class Answer:
    """What the receiver says."""

    status: int = 200
    body: bytes = b'{"status": "ok"}'
    headers: Sequence[tuple[str, str]] = ()


@frozen
class Received:
    """A request, as it came in."""

    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes


@define
class Receiver:
    """What the tests see of the server."""

    url: str
    received: list[Received] = field(factory=list)
    answers: list[Answer] = field(factory=list)
    """The next ones; then all is well."""

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        """What to answer next; ``_`` in the name of a header stands for ``-``."""
        named = [(name.replace("_", "-"), value) for name, value in headers.items()]
        self.answers.append(Answer(status, body, named))


@contextmanager
def receiving(tls: ssl.SSLContext | None = None, path: str = "/hook") -> Iterator[Receiver]:
    """A receiver; with TLS if so wished."""
    receiver = Receiver("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.received.append(Received(self.path, headers, body))
            answer = receiver.answers.pop(0) if receiver.answers else Answer()
            self.send_response(answer.status)
            for name, value in (*answer.headers, ("Content-Length", str(len(answer.body)))):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    receiver.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}{path}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
