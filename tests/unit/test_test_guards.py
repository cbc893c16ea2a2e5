"""The guards that keep tests on this machine."""

from __future__ import annotations

import socket

import pytest

from tests.conftest import NetworkIsForbidden


def test_a_connection_to_another_machine_is_refused():
    with socket.socket() as client, pytest.raises(NetworkIsForbidden, match=r"192\.0\.2\.1"):
        client.connect(("192.0.2.1", 80))


def test_the_name_of_another_machine_is_not_looked_up():
    with pytest.raises(NetworkIsForbidden, match=r"api\.example\.com"):
        socket.getaddrinfo("api.example.com", 443)


def test_this_machine_can_be_reached():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.connect(server.getsockname())
