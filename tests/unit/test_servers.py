"""What happens where a server is not installed."""

from __future__ import annotations

import sys

import pytest
import redis

from demo.redis import empty, restartable_redis
from tests import servers

TELLS = [sys.executable, "-c", "raise SystemExit(5)"]


@pytest.fixture
def without_mariadb(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda program, path=None: None)
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("BADGES_REQUIRE_SERVICES", raising=False)


def test_a_missing_server_skips_an_optional_command_and_says_why(without_mariadb, capsys):
    assert servers.main(["--optional", "mariadb", "--", *TELLS]) == 0
    assert "SKIPPED on mariadb: MariaDB is missing" in capsys.readouterr().out


def test_a_missing_server_fails_a_command_that_is_not_optional(without_mariadb, capsys):
    assert servers.main(["mariadb", "--", *TELLS]) == 1
    assert "FAILED: MariaDB is missing" in capsys.readouterr().err


@pytest.mark.parametrize("variable", ["CI", "BADGES_REQUIRE_SERVICES"])
def test_a_missing_server_fails_where_services_are_required(without_mariadb, monkeypatch, variable):
    monkeypatch.setenv(variable, "true")
    assert servers.main(["--optional", "mariadb", "--", *TELLS]) == 1


def test_the_status_is_that_of_the_command():
    assert servers.main(["redis", "--", *TELLS]) == 5


def test_a_redis_that_was_killed_has_all_that_it_acknowledged_unless_it_is_emptied():
    with restartable_redis(sync="always") as server, redis.Redis.from_url(server.url) as client:
        client.set("kept", "yes")
        server.restart()
        assert client.get("kept") == b"yes"

        server.kill()
        empty(server)
        server.start()
        assert client.get("kept") is None
