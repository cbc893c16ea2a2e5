"""The HTTP server: reads requests, lets faults happen, keeps the log."""

from __future__ import annotations

import json
import socket
import sys
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from demo.sandbox import accredible, badgekit, control, credly, oauth, pages
from demo.sandbox.faults import Fault, Faults
from demo.sandbox.messages import Json, Refusal, Reply, Request
from demo.sandbox.sender import Sender
from demo.sandbox.store import SECRETS, Store

LARGEST_REQUEST = 1024 * 1024
_API_PREFIXES = (("credly", "v1"), ("accredible", "v1"), ("accredible", "v2"), *badgekit.PREFIXES)
_HANDLERS = {"credly": credly.handle, "accredible": accredible.handle, "badgekit": badgekit.handle}


class SandboxServer(ThreadingHTTPServer):
    """Both providers on one address."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], seed: Json, *, verbose: bool = False) -> None:
        """
        Arguments:
            address: host and port; port 0 takes a free one.
            seed: what is there at the start; see :mod:`demo.sandbox.seed`.
            verbose: whether each request is printed.

        Raises:
            OSError: the address cannot be taken.
        """
        self.store = Store(seed)
        self.faults = Faults()
        self.verbose = verbose
        self.stopping = threading.Event()
        self._sender = Sender(self.store)
        super().__init__(address, _Handler)
        self._sender.start()

    def server_close(self) -> None:
        """Post nothing more, and close."""
        self._sender.stop()
        super().server_close()

    @property
    def base_url(self) -> str:
        """Where it is; ends with a slash."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}/"

    def answer(self, request: Request) -> Reply | None:
        """Answer a request; None where the connection is to be dropped without an answer."""
        if not _is_api(request):
            return self._work(request)
        self.store.count_in_progress(1)
        try:
            return self._answer(request)
        finally:
            self.store.count_in_progress(-1)

    def _answer(self, request: Request) -> Reply | None:
        struck = self.faults.strike(request.method, request.path)
        decisive = next((fault for fault in struck if fault.kind != "delay"), None)
        self._wait(struck, after_commit=False)
        reply = self._work(request) if decisive is None or decisive.after_commit else None
        self._wait(struck, after_commit=True)
        done = reply.status if reply else None
        if decisive is not None:
            reply = decisive.reply()
        self._log(request, done, reply, struck)
        return reply

    def _work(self, request: Request) -> Reply:
        with self.store.lock:
            try:
                return self._handle(request)
            except Refusal as refusal:
                return refusal.reply
            except (TypeError, ValueError, KeyError, AttributeError, RecursionError) as error:
                # A real provider drops no connection because of a value that it did not expect.
                return Reply.json(400, {"errors": f"A value has an unexpected type ({type(error).__name__})"})

    def _handle(self, request: Request) -> Reply:
        if request.parts == oauth.PARTS:
            return oauth.handle(self.store, request)
        if request.parts[:2] in _API_PREFIXES:
            return _HANDLERS[request.parts[0]](self.store, request)
        if request.parts[:1] == ("_sandbox",):
            return control.handle(self.store, self.faults, request)
        return pages.handle(self.store, request)

    def _wait(self, struck: list[Fault], *, after_commit: bool) -> None:
        seconds = sum(fault.delay for fault in struck if fault.kind == "delay" and fault.after_commit == after_commit)
        if seconds:
            self.stopping.wait(seconds)

    def _log(self, request: Request, done: int | None, reply: Reply | None, struck: list[Fault]) -> None:
        body: Any = None
        with suppress(ValueError, RecursionError):
            body = json.loads(request.body) if request.body else None
        if isinstance(body, dict):
            body = {name: value for name, value in body.items() if name not in SECRETS}
        self.store.log(
            {
                "method": request.method,
                "path": request.path,
                "query": dict(request.query),
                "body": body,
                "status": reply.status if reply else None,
                "done": done,
                "faults": [fault.kind for fault in struck],
            }
        )


def _is_api(request: Request) -> bool:
    return request.parts[:2] in _API_PREFIXES or request.parts == oauth.PARTS


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "provider-sandbox"
    timeout = 60
    server: SandboxServer

    def handle_one_request(self) -> None:
        # The client may go away at any moment; that is its right and no error of ours.
        try:
            super().handle_one_request()
        except (ConnectionError, BrokenPipeError):
            self.close_connection = True

    def _respond(self) -> None:
        request = self._request()
        reply = self.server.answer(request) if isinstance(request, Request) else request
        if reply is None:
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", reply.content_type)
        if reply.status != 204:
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD" and reply.status != 204:
            self.wfile.write(reply.body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = _respond  # noqa: N815

    def _request(self) -> Request | Reply:
        length = self.headers.get("Content-Length", "0")
        if (
            not (length.isascii() and length.isdigit())
            or int(length) > LARGEST_REQUEST
            or "Transfer-Encoding" in self.headers
        ):
            self.close_connection = True
            return Reply.json(413, {"error": "The body is too long, or its length is not said."})
        address = urlsplit(self.path)
        host = self.headers.get("Host")
        return Request(
            method=self.command,
            path=unquote(address.path),
            query=dict(parse_qsl(address.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(int(length)),
            base_url=f"http://{host}/" if host else self.server.base_url,
            target=self.path,
        )

    def log_message(self, format: str, *args: Any) -> None:
        if self.server.verbose:
            # The path without its query: a search may hold a learner's address.
            print(f"{self.command} {self.path.partition('?')[0]} {args[1] if len(args) > 1 else ''}", file=sys.stderr)
