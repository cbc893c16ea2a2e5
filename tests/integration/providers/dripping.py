"""Servers on this machine that answer one byte at a time, never to an end; with TLS if so wished."""

from __future__ import annotations

import datetime
import ipaddress
import itertools
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from attrs import define, field
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

STATUS_LINE = b"HTTP/1.1 200 OK"
HEADERS = STATUS_LINE + b"\r\nContent-Type: application/json\r\n"
LENGTH_UNKNOWN = HEADERS + b'Connection: close\r\n\r\n{"data": {}, "x": "'
CHUNKED = HEADERS + b"Transfer-Encoding: chunked\r\n\r\n"
LONG = HEADERS + b"Content-Length: 100000\r\n\r\n"

AT_ONCE_AND_THEN = {
    "nothing": (b"", b""),
    "status line": (b"HTTP/1.1 200 ", b"O"),
    "headers": (HEADERS + b"X-Slow: ", b"x"),
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "body of a known length": (LONG, b"x"),
    "body that ends with the connection": (LENGTH_UNKNOWN, b"x"),
    "chunked body": (CHUNKED, b"1\r\nx\r\n"),
}
"""What it begins with, and what it repeats byte by byte."""


@define
class Drip:
    """A server that answers slowly."""

    port: int
    requests: list[bytes] = field(factory=list)
    """The beginning of each request that was read."""
    gone: threading.Semaphore = field(factory=lambda: threading.Semaphore(0))
    """Counts the clients that went away."""


@contextmanager
def dripping(at_once: bytes, repeated: bytes, tls: ssl.SSLContext | None = None) -> Iterator[Drip]:
    """A server that reads a request and then drips.

    Arguments:
        at_once: what it answers as fast as it can.
        repeated: what follows, byte by byte, again and again.
        tls: wraps each connection; without one it speaks plain HTTP.
    """
    stopping = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    drip = Drip(listener.getsockname()[1])
    threads = []

    def talk(connection: socket.socket) -> None:
        try:
            with tls.wrap_socket(connection, server_side=True) if tls else connection as stream:
                drip.requests.append(stream.recv(65536))
                stream.sendall(at_once)
                for byte in itertools.cycle(repeated or b" "):
                    if stopping.wait(0.02):
                        return
                    if repeated:
                        stream.sendall(bytes([byte]))
                    elif _has_ended(stream):
                        return
        except OSError:
            return
        finally:
            drip.gone.release()

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threads.append(threading.Thread(target=talk, args=(connection,)))
                threads[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield drip
    finally:
        stopping.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in (accepting, *threads):
            thread.join(10)


def _has_ended(stream: socket.socket) -> bool:
    stream.setblocking(False)
    try:
        return stream.recv(1) == b""
    except (BlockingIOError, ssl.SSLWantReadError):
        return False


def server_tls(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A context for a server on 127.0.0.1, and the file of the certificate to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    trusted, private = folder / "certificate.pem", folder / "key.pem"
    trusted.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted, private)
    return context, trusted
