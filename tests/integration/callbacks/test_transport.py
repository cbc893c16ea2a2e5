"""A message reaches its receiver and nobody else, in bounded time, whatever the receiver does."""

from __future__ import annotations

import _socket
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from badges.data import Exchange
from badges.exceptions import CallbackRefused, NotDelivered
from badges.issuing.callback_transport import Gone, Post, post
from badges.providers import traffic
from badges.providers.traffic import Recorder
from tests.integration.callbacks.receiver import Receiver, receiving
from tests.integration.callbacks.tls import server_tls_for
from tests.integration.providers.dripping import AT_ONCE_AND_THEN, HEADERS, dripping

BODY = b'{"action":"award"}'
QUICK = {"allow_private_addresses": True, "connect_timeout": 0.3, "read_timeout": 0.4}
LONGEST = 5.0


def sending(url: str, **values: Any) -> Post:
    return Post(url, BODY, {"Authorization": 'JWT token="signed"', "webhook-id": "1"}, **values)


@pytest.fixture
def exchanges() -> Iterator[list[Exchange]]:
    kept: list[Exchange] = []
    with traffic.watched_by(Recorder(kept)):
        yield kept


class TestWhatIsSent:
    def test_is_the_body_byte_for_byte_with_its_headers(self, receiver: Receiver) -> None:
        assert post(sending(f"{receiver.url}?tenant=7")).status == 200
        [request] = receiver.received
        assert request.body == BODY
        assert request.path == "/hook?tenant=7"
        assert request.headers["authorization"] == 'JWT token="signed"'
        assert request.headers["webhook-id"] == "1"
        assert request.headers["content-type"] == "application/json"

    def test_goes_through_no_proxy(self, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.delenv("no_proxy", raising=False)
        assert post(sending(receiver.url)).status == 200

    def test_has_no_password_of_a_netrc(
        self, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login root password hunter2\n")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        post(sending(receiver.url))
        assert receiver.received[0].headers["authorization"] == 'JWT token="signed"'


class TestTheAnswer:
    @pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
    def test_is_taken(self, receiver: Receiver, status: int) -> None:
        receiver.answer(status)
        assert post(sending(receiver.url)).status == status

    @pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
    def test_is_not_now(self, receiver: Receiver, status: int) -> None:
        receiver.answer(status, b"busy", Retry_After="120")
        with pytest.raises(NotDelivered) as caught:
            post(sending(receiver.url))
        assert (caught.value.status_code, caught.value.retry_after) == (status, 120.0)
        assert caught.value.retryable

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 413, 422])
    def test_is_no(self, receiver: Receiver, status: int) -> None:
        receiver.answer(status, b"unknown badge")
        with pytest.raises(CallbackRefused) as caught:
            post(sending(receiver.url))
        assert caught.value.status_code == status
        assert "unknown badge" in str(caught.value)
        assert not caught.value.retryable
        assert isinstance(caught.value, Gone) == (status == 410)

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_is_never_followed(self, receiver: Receiver, status: int) -> None:
        with receiving() as elsewhere:
            receiver.answer(status, Location=elsewhere.url)
            with pytest.raises(CallbackRefused, match="never followed"):
                post(sending(receiver.url))
            assert elsewhere.received == []

    def test_is_read_to_its_limit(self, settings: Settings, receiver: Receiver) -> None:
        settings.BADGES_CONFIG = {"callbacks": {**QUICK, "read_timeout": 5, "max_answer": 100}}
        receiver.answer(200, b"x" * 50_000_000)
        answer = post(sending(receiver.url))
        assert answer.shown == "x" * 100

    def test_is_shown_without_secrets_addresses_and_markup(self, receiver: Receiver) -> None:
        receiver.answer(200, b"s3cret-of-ours anna@example.com <b>\x00\xff")
        assert post(sending(receiver.url, private=("s3cret-of-ours",))).shown == "[removed] [removed] <b> \ufffd"

    def test_is_not_unpacked(self, receiver: Receiver) -> None:
        receiver.answer(200, b"\x1f\x8b not gzip at all", Content_Encoding="gzip")
        assert post(sending(receiver.url)).status == 200


class TestSlowReceivers:
    @pytest.fixture(autouse=True)
    def _quick(self, settings: Settings) -> None:
        settings.BADGES_CONFIG = {"callbacks": QUICK}

    @pytest.mark.parametrize("what", ["nothing", "status line", "headers", "interim answers"])
    def test_are_left_in_time_before_they_have_answered(self, what: str) -> None:
        began = time.monotonic()
        with dripping(*AT_ONCE_AND_THEN[what]) as server, pytest.raises(NotDelivered) as caught:
            post(sending(f"http://127.0.0.1:{server.port}/"))
        assert time.monotonic() - began < LONGEST
        assert "did not answer within" in str(caught.value)

    @pytest.mark.parametrize("what", ["body of a known length", "body that ends with the connection", "chunked body"])
    def test_have_answered_once_their_status_is_there(self, what: str) -> None:
        began = time.monotonic()
        with dripping(*AT_ONCE_AND_THEN[what]) as server:
            assert post(sending(f"http://127.0.0.1:{server.port}/")).status == 200
            assert server.gone.acquire(timeout=LONGEST)
        assert time.monotonic() - began < LONGEST

    @pytest.mark.parametrize(
        "nonsense", [b"\x00" * 100, b"HTTP/1.1 banana\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200]
    )
    def test_that_speak_nonsense_are_tried_again(self, nonsense: bytes) -> None:
        with dripping(nonsense + b"\r\n\r\n", b"") as server, pytest.raises(NotDelivered):
            post(sending(f"http://127.0.0.1:{server.port}/"))

    def test_that_chunk_nonsense_have_answered(self) -> None:
        with dripping(HEADERS + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", b"") as server:
            assert post(sending(f"http://127.0.0.1:{server.port}/")).status == 200


class TestTheHost:
    """Names are resolved once, when a message is sent; each of their addresses has to be one of the world."""

    @pytest.fixture(autouse=True)
    def _strict(self, settings: Settings) -> None:
        settings.BADGES_CONFIG = {"callbacks": {**QUICK, "allow_private_addresses": False}}

    def resolving(self, monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
        """Have names resolve to these addresses, one list a question; the names that were asked for."""
        asked: list[str] = []
        real = socket.getaddrinfo

        def resolve(host: Any, port: Any, *args: Any, **options: Any) -> Any:
            if not str(host).endswith(".example"):
                return real(host, port, *args, **options)
            found = answers[min(len(asked), len(answers) - 1)]
            asked.append(host)
            return [
                (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port))
                for one in found
            ]

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        return asked

    @pytest.mark.parametrize(
        "found",
        [["127.0.0.1"], ["::1"], ["169.254.169.254"], ["8.8.8.8", "10.0.0.1"], ["::ffff:127.0.0.1"], ["fe80::1%eth0"]],
    )
    def test_with_a_private_address_is_not_called(self, monkeypatch: pytest.MonkeyPatch, found: list[str]) -> None:
        self.resolving(monkeypatch, found)
        with receiving() as inside, pytest.raises(CallbackRefused, match="private or special network"):
            post(sending(f"https://inside.example:{inside.url.split(':')[2].split('/')[0]}/hook"))
        assert inside.received == []

    @pytest.mark.parametrize("written", ["127.1", "0x7f.1", "2130706433", "0177.0.0.1"])
    def test_written_in_another_way_is_not_called(self, monkeypatch: pytest.MonkeyPatch, written: str) -> None:
        # Nobody is asked for these: the operating system reads them as numbers.
        monkeypatch.setattr(socket, "getaddrinfo", _socket.getaddrinfo)
        with pytest.raises(CallbackRefused, match="private or special network"):
            post(sending(f"https://{written}:8443/"))

    def test_that_changes_between_two_questions_is_asked_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked = self.resolving(monkeypatch, ["8.8.8.8"], ["127.0.0.1"])
        connected: list[str] = []

        def connect(address: tuple[str, int], *args: Any, **options: Any) -> socket.socket:
            connected.append(address[0])
            raise ConnectionRefusedError

        monkeypatch.setattr("urllib3.util.connection.create_connection", connect)
        with pytest.raises(NotDelivered, match="could not be reached"):
            post(sending("https://rebinding.example/"))
        assert asked == ["rebinding.example"]
        assert connected == ["8.8.8.8"]

    def test_is_asked_for_each_message(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.resolving(monkeypatch, ["8.8.8.8"], ["127.0.0.1"])
        monkeypatch.setattr("urllib3.util.connection.create_connection", _refuse)
        with pytest.raises(NotDelivered):
            post(sending("https://moving.example/"))
        with pytest.raises(CallbackRefused):
            post(sending("https://moving.example/"))

    def test_in_the_clear_is_not_called(self) -> None:
        with receiving() as inside, pytest.raises(CallbackRefused, match="Only HTTPS"):
            post(sending(inside.url))
        assert inside.received == []


class TestTLS:
    """The connection goes to the address that was checked, and the certificate is that of the name."""

    @pytest.fixture(autouse=True)
    def _resolve(self, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
        settings.BADGES_CONFIG = {"callbacks": {**QUICK, "connect_timeout": 5, "read_timeout": 5}}
        real = socket.getaddrinfo
        monkeypatch.setattr(
            socket,
            "getaddrinfo",
            lambda host, *args, **options: real("127.0.0.1" if host.endswith(".example") else host, *args, **options),
        )

    @pytest.fixture
    def secure(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
        context, trusted = server_tls_for(tmp_path, "receiver.example")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(trusted))
        with receiving(context) as running:
            yield running

    def test_the_name_is_asked_for_and_verified(self, secure: Receiver) -> None:
        assert post(sending(secure.url.replace("127.0.0.1", "receiver.example"))).status == 200
        assert secure.received[0].headers["host"].startswith("receiver.example:")

    def test_the_certificate_of_another_name_is_refused(self, secure: Receiver) -> None:
        with pytest.raises(NotDelivered, match="certificate that is not valid"):
            post(sending(secure.url.replace("127.0.0.1", "other.example")))
        assert secure.received == []

    def test_a_certificate_that_nobody_vouches_for_is_refused(
        self, secure: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("REQUESTS_CA_BUNDLE")
        with pytest.raises(NotDelivered, match="certificate that is not valid"):
            post(sending(secure.url.replace("127.0.0.1", "receiver.example")))


class TestWhatIsKept:
    def test_is_the_host_and_the_beginning_of_the_answer(self, receiver: Receiver, exchanges: list[Exchange]) -> None:
        receiver.answer(503, b"no room for anna@example.com")
        with pytest.raises(NotDelivered):
            post(sending(f"{receiver.url}/t0ken?key=s3cret", told='{"action": "award"}'))
        [exchange] = exchanges
        assert exchange.path == receiver.url.split("/")[2]
        assert (exchange.status, exchange.method, exchange.asked) == (503, "POST", '{"action": "award"}')
        assert exchange.answered == "no room for [removed]"

    def test_tells_nothing_of_the_address_where_nobody_answers(
        self, settings: Settings, exchanges: list[Exchange]
    ) -> None:
        settings.BADGES_CONFIG = {"callbacks": QUICK}
        with pytest.raises(NotDelivered) as caught:
            post(sending("http://127.0.0.1:1/t0ken?key=s3cret"))
        assert exchanges[0].status is None
        for text in (str(caught.value), repr(caught.value), exchanges[0].answered, exchanges[0].path):
            assert "t0ken" not in text
            assert "s3cret" not in text
        assert caught.value.__context__ is None, "the exceptions of requests hold the address"


def _refuse(*args: Any, **options: Any) -> socket.socket:
    raise ConnectionRefusedError
