"""Bounds the time of one HTTP call as a whole: a timeout of a socket begins anew with every byte that drips in."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Collection
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Self

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NameResolutionError, NewConnectionError
from urllib3.poolmanager import PoolManager, ProxyManager


class Deadline:
    """A block that ends in time: at its end the connections that were made in it are shut down.

    Whoever waits on such a connection sees it end, with some error or as if all had been read; so :attr:`is_over`
    is to be asked in both cases. The name of a host is resolved by the operating system, which has timeouts of its own.
    """

    def __init__(self, seconds: float, *, check: Callable[[Collection[str]], None] | None = None) -> None:
        """
        Arguments:
            seconds: how long the block may take.
            check: is given the addresses of a host before a connection is made to one of them, and raises where none
                may be made. They are not resolved again afterwards.
        """
        self.check = check
        self.is_over = False
        self._is_connecting = False
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._ends = time.monotonic() + seconds
        self._timer = threading.Timer(seconds, self._end)
        self._timer.name = "badges-deadline"
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        self._token = _current.set(self)
        return self

    def __exit__(self, *error: type[BaseException] | BaseException | TracebackType | None) -> None:
        _current.reset(self._token)
        self._timer.cancel()
        self._timer.join()
        for one in self._sockets:
            one.close()

    @property
    def seconds_left(self) -> float:
        """How long there still is; not less than 0."""
        return max(0.0, self._ends - time.monotonic())

    @property
    def nothing_was_sent(self) -> bool:
        """Whether a connection was begun that never got so far that a request could be sent.

        False also where nothing is known, because the connection was made by somebody else's means.
        """
        return self._is_connecting

    def connecting(self, *, is_ready: bool) -> None:
        """A connection is begun, or is ready for a request."""
        self._is_connecting = not is_ready

    def watch(self, connection: socket.socket) -> None:
        """Shut this connection down as well. It may be wrapped or closed by its owner afterwards."""
        with self._lock:
            self._sockets.append(connection.dup())
            if self.is_over:
                _shut_down(self._sockets[-1])

    def _end(self) -> None:
        with self._lock:
            self.is_over = True
            for one in self._sockets:
                _shut_down(one)


_current: ContextVar[Deadline | None] = ContextVar("badges_deadline", default=None)


def _shut_down(connection: socket.socket) -> None:
    # Not closed: its number could be given to another file while somebody still reads from it.
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class _InTime(HTTPConnection):
    """A connection that the deadline of its context knows from its first moment."""

    def _new_conn(self) -> socket.socket:
        deadline = _current.get()
        if deadline is None:
            return super()._new_conn()
        deadline.connecting(is_ready=False)
        connected = self._first_that_answers(deadline)
        deadline.watch(connected)
        return connected

    def _first_that_answers(self, deadline: Deadline) -> socket.socket:
        # A host can have many addresses, and each of them may take the whole connect timeout.
        named, timeout = self._dns_host, self.timeout
        try:
            found = socket.getaddrinfo(named.strip("[]"), self.port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            reason = error if isinstance(error, socket.gaierror) else socket.gaierror(str(error))
            raise NameResolutionError(self.host, self, reason) from error
        addresses = dict.fromkeys(str(one[4][0]) for one in found)
        if deadline.check is not None:
            deadline.check(addresses)
        last: HTTPError = NewConnectionError(self, "The host has no address.")
        try:
            for address in addresses:
                left = deadline.seconds_left
                if not left:
                    raise ConnectTimeoutError(self, "There was no time left to connect.")
                self._dns_host = address
                self.timeout = min(left, timeout) if isinstance(timeout, int | float) else left
                try:
                    return super()._new_conn()
                except (ConnectTimeoutError, NewConnectionError) as error:
                    last = error
        finally:
            self._dns_host, self.timeout = named, timeout
        raise last

    def _tunnel(self) -> None:
        super()._tunnel()
        if (deadline := _current.get()) is not None and deadline.is_over:
            # An answer of a proxy that was cut off can look like a whole one.
            raise ConnectTimeoutError(self, "There was no time left for the proxy.")

    def connect(self) -> None:
        super().connect()
        if (deadline := _current.get()) is not None:
            deadline.connecting(is_ready=True)


class _SecureInTime(_InTime, HTTPSConnection):
    """The same with TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _InTime


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureInTime


class DeadlineAdapter(HTTPAdapter):
    """Has requests make connections that know the deadline; also through a proxy, if it is not a SOCKS one."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        _use_pools_in_time(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> ProxyManager:
        manager: ProxyManager = super().proxy_manager_for(*args, **kwargs)
        if type(manager) is ProxyManager:
            _use_pools_in_time(manager)
        return manager


def _use_pools_in_time(manager: PoolManager) -> None:
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
