"""One call takes no longer than its two timeouts together, however slowly the provider answers."""

from __future__ import annotations

import gc
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import responses

from badges.conf import HTTPSettings
from badges.exceptions import ProviderUnavailable
from badges.providers.deadline import Deadline, DeadlineAdapter
from badges.providers.http import ApiConnection, Call
from tests.integration.providers.dripping import AT_ONCE_AND_THEN, dripping, server_tls

TIMEOUTS = HTTPSettings(connect_timeout=0.2, read_timeout=0.4)
LONGEST = 5.0
"""Far above the 0.6 seconds, for a machine that is busy, and far below what the drips would take."""
BODIES = [name for name in AT_ONCE_AND_THEN if name != "nothing"]


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    # What an earlier test left is not counted.
    gc.collect()
    threads, files = threading.active_count(), open_files()
    yield
    gc.collect()
    assert (threading.active_count(), open_files()) == (threads, files)


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def api(port: int, scheme: str = "http", timeouts: HTTPSettings = TIMEOUTS) -> ApiConnection:
    """A provider on this machine."""
    url = f"{scheme}://127.0.0.1:{port}/v1/"
    return ApiConnection(
        provider="Slow", base_url=url, authorization="Token t0ken", secrets=("t0ken",), timeouts=timeouts
    )


def issue(connection: ApiConnection) -> ProviderUnavailable:
    """The error that issuing gives, in time."""
    began = time.monotonic()
    with pytest.raises(ProviderUnavailable) as caught:
        connection.call(Call("POST", ("badges",), "issuing a badge", body={"a": 1}, changes=True))
    assert time.monotonic() - began < LONGEST
    return caught.value


@pytest.mark.parametrize("what", BODIES)
def test_a_dripping_answer_is_broken_off_in_time(what: str) -> None:
    with dripping(*AT_ONCE_AND_THEN[what]) as server:
        error = issue(api(server.port))
        assert server.gone.acquire(timeout=5)
    assert "did not answer within 0.6 seconds" in str(error)
    assert error.outcome_unknown


@pytest.mark.parametrize("what", ["headers", "body that ends with the connection", "chunked body"])
def test_so_is_one_with_tls(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, trusted = server_tls(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(trusted))
    with dripping(*AT_ONCE_AND_THEN[what], tls=context) as server:
        error = issue(api(server.port, "https", HTTPSettings(connect_timeout=1, read_timeout=0.5)))
        assert b"POST /v1/badges" in server.requests[0]
        assert server.gone.acquire(timeout=5)
    assert "did not answer within 1.5 seconds" in str(error)
    assert error.outcome_unknown


def test_silence_ends_with_the_read_timeout() -> None:
    with dripping(*AT_ONCE_AND_THEN["nothing"]) as server:
        error = issue(api(server.port, timeouts=HTTPSettings(connect_timeout=LONGEST, read_timeout=0.4)))
    assert "did not answer within 0.4 seconds" in str(error)
    assert error.outcome_unknown


def test_a_handshake_that_does_not_end_leaves_nothing_unknown() -> None:
    # A server that speaks no TLS: it reads the greeting, and drips what could be the beginning of an answer to it.
    with dripping(b"\x16\x03\x03\x40\x00", b"\x02") as server:
        error = issue(api(server.port, "https", HTTPSettings(connect_timeout=0.3, read_timeout=0.1)))
    assert "could not be reached" in str(error)
    assert not error.outcome_unknown


def test_a_dripping_proxy_is_broken_off_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with dripping(*AT_ONCE_AND_THEN["headers"]) as server:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        connection = ApiConnection(
            provider="Slow", base_url="http://api.example.com/", authorization="x", secrets=(), timeouts=TIMEOUTS
        )
        error = issue(connection)
        assert server.requests[0].startswith(b"POST http://api.example.com/badges")
    assert error.outcome_unknown


@pytest.mark.parametrize("what", ["status line", "headers"])
def test_a_tunnel_that_is_never_dug_leaves_nothing_unknown(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    with dripping(*AT_ONCE_AND_THEN[what]) as server:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{server.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        connection = ApiConnection(
            provider="Slow", base_url="https://api.example.com/", authorization="x", secrets=(), timeouts=TIMEOUTS
        )
        error = issue(connection)
        assert server.requests[0].startswith(b"CONNECT api.example.com:443")
    assert not error.outcome_unknown


def test_the_addresses_of_a_host_share_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def never(address: tuple[str, int], timeout: float, **options: Any) -> socket.socket:
        tried.append(address[0])
        assert timeout <= TIMEOUTS.connect_timeout
        raise TimeoutError(threading.Event().wait(timeout))

    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"192.0.2.{number}", 80)) for number in range(1, 100)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: found)
    monkeypatch.setattr("urllib3.util.connection.create_connection", never)
    error = issue(api(80))
    assert 2 <= len(tried) <= 5
    assert not error.outcome_unknown


def test_the_address_that_answers_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with dripping(b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"data": {}}', b"") as server:
        own = socket.getaddrinfo("127.0.0.1", server.port, type=socket.SOCK_STREAM)
        # Nobody listens on the first one: port 0 of any address is refused at once.
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda host, *args, **options: [(*own[0][:4], ("127.0.0.2", 0)), *own]
        )
        assert api(server.port).call(Call("GET", ("x",), "asking")) == {"data": {}}
        assert b"Host: 127.0.0.1:" in server.requests[0]


def test_a_name_that_nobody_knows_is_not_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: Any, **options: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    connection = ApiConnection(
        provider="Slow", base_url="http://nobody.invalid/", authorization="x", secrets=(), timeouts=TIMEOUTS
    )
    error = issue(connection)
    assert "could not be reached" in str(error)
    assert not error.outcome_unknown


def test_many_calls_at_once_each_have_their_own_time() -> None:
    errors: list[ProviderUnavailable] = []
    with dripping(*AT_ONCE_AND_THEN["headers"]) as server:
        callers = [threading.Thread(target=lambda: errors.append(issue(api(server.port)))) for _ in range(8)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
    assert [error.outcome_unknown for error in errors] == [True] * 8


@responses.activate
def test_a_mocked_call_needs_no_connection() -> None:
    responses.get("http://127.0.0.1:1/v1/x", json={"data": {}})
    assert api(1).call(Call("GET", ("x",), "asking")) == {"data": {}}


def test_a_connection_that_comes_too_late_is_shut_down_at_once() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, Deadline(0.01) as deadline:
        while not deadline.is_over:
            time.sleep(0)
        deadline.watch(ours)
        assert theirs.recv(1) == b""


def test_outside_of_a_block_a_connection_is_an_ordinary_one() -> None:
    with (
        dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"") as server,
        requests.Session() as session,
    ):
        session.mount("http://", DeadlineAdapter())
        assert session.get(f"http://127.0.0.1:{server.port}/", timeout=5).text == "ok"
