"""Signals of other kinds do not wear out whoever watches over SIGTERM."""

from __future__ import annotations

import signal
import socket

import pytest

from badges.eventbus.redis.stopping import _signals


@pytest.fixture
def pair() -> tuple[socket.socket, socket.socket]:
    """Where Python writes the numbers of signals, and where they are read."""
    return socket.socketpair()


def test_a_thousand_signals_of_a_timer_are_passed_over(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    with ours, theirs:
        theirs.sendall(bytes([signal.SIGPROF]) * 64 * 2000 + bytes([signal.SIGTERM]))

        assert _signals(ours, None) == bytes([signal.SIGTERM])


def test_the_end_of_the_consumer_is_told_from_silence(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    with ours:
        assert _signals(ours, 0.01) == b""
        theirs.close()
        assert _signals(ours, None) is None
