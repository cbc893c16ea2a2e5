"""The stand-in for the Credentials service as an operator runs it: a database, a YAML file, commands and processes."""

from __future__ import annotations

import contextlib
import json
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import redis
import requests

from demo.processes import LOOPBACK, Child, free_port, running, wait_until
from demo.sandbox import seed
from tests.acceptance.host.database import Database, Rows
from tests.acceptance.host.environment import Environment
from tests.host.anomalies import CCX_PASSING, PASSING

SETTINGS = "credentials.settings.operator"
SIGNALS = ("org.openedx.learning.badge.awarded.v1", "org.openedx.learning.badge.revoked.v1")
HOSTS = ("credentials_usercredential", "credentials_coursecertificate")
"""The host's tables that have to do with badges."""


class Service:
    """One installation of the service."""

    def __init__(self, environment: Environment, folder: Path, database: str, **config: Any) -> None:
        """Make its configuration.

        Arguments:
            database: a URL.
            config: more of the YAML file.
        """
        self.environment = environment
        self.database = Database(database)
        # A topic of its own on a bus that others use, too.
        self.stream_prefix = f"test-{secrets.token_hex(4)}"
        self.folder = folder
        self._file = folder / "credentials.yml"
        self._config: dict[str, Any] = {
            "SECRET_KEY": "only-for-tests",
            "ALLOWED_HOSTS": ["*"],
            "DATABASES": {"default": as_django(database)},
            "EVENT_BUS_TOPIC_PREFIX": self.stream_prefix,
        }
        self.variables = {"DJANGO_SETTINGS_MODULE": SETTINGS, "CREDENTIALS_CFG": str(self._file)}
        self.configure(**config)

    def configure(self, **config: Any) -> None:
        """Change the YAML file: an operator's settings. None takes one out."""
        self._config = {name: value for name, value in {**self._config, **config}.items() if value is not None}
        # JSON is YAML.
        self._file.write_text(json.dumps(self._config), encoding="utf-8")

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a management command to its end, however it ends."""
        return self.environment.run("manage.py", *arguments, env={**self.variables, **variables})

    def manage(self, *arguments: str, **variables: str) -> str:
        """Run a management command that has to succeed, and give what it printed."""
        done = self.run(*arguments, **variables)
        assert done.returncode == 0, f"{arguments[0]} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def python(self, code: str, **variables: str) -> Any:
        """Run code in the service, and give the JSON that it prints last."""
        output = self.manage("shell", "--no-imports", "-c", f"import json; {code}", **variables).strip()
        return json.loads(output.splitlines()[-1] if output else "null")

    def query(self, sql: str) -> Rows:
        """What its database answers, every value as text."""
        return self.database.query(sql)

    def start(self, name: str, *arguments: str) -> contextlib.AbstractContextManager[Child]:
        """Start a management command as a process of its own."""
        return running(
            name,
            [self.environment.python, "manage.py", *arguments],
            log=self.folder / f"{name}.log",
            env=self.environment.environment(**self.variables),
            cwd=self.environment.host,
        )

    @contextlib.contextmanager
    def web(self) -> Iterator[str]:
        """The service's web process; gives its address."""
        port = free_port()
        url = f"http://{LOOPBACK}:{port}"
        # Without --insecure it would serve no styles and scripts: it is no development server by its settings.
        with self.start("web", "runserver", "--noreload", "--insecure", f"{LOOPBACK}:{port}") as child:
            wait_until(lambda: _answers(f"{url}/health/"), "the web process answers", alive=[child])
            yield url

    @contextlib.contextmanager
    def consumer(self) -> Iterator[Child]:
        """The consumer, started as the settings document writes it, and listening."""
        command = ["consume_events", "-t", "learning-badges-lifecycle", "-g", "credentials_dev"]
        extra = '--extra={"consumer_name": "credentials_dev.consumer1"}'
        with self.start("consumer", *command, extra) as child:
            wait_until(self._listens, "the consumer listens", alive=[child])
            yield child

    def produce(self, username: str, course: str, *, is_passing: bool = True, user_id: int = 7) -> str:
        """Put a passing-status event on the bus with the real producer, as the LMS does."""
        data = {
            "course_passing_status": {
                "is_passing": is_passing,
                "user": {
                    "id": user_id,
                    "is_active": True,
                    "pii": {"username": username, "email": f"{username}@example.com", "name": "Anna Lee"},
                },
                "course": {"course_key": course},
            }
        }
        return self.manage("produce_event", PASSING, "--data", json.dumps(data))

    def on_the_bus(self) -> list[str]:
        """The types of all events on the topic, oldest first."""
        with contextlib.closing(redis.Redis.from_url(self._config["EVENT_BUS_REDIS_CONNECTION_URL"])) as client:
            messages: Any = client.xrange(f"{self.stream_prefix}-learning-badges-lifecycle")
            return [fields[b"type"].decode() for _, fields in messages]

    def _listens(self) -> bool:
        with contextlib.closing(redis.Redis.from_url(self._config["EVENT_BUS_REDIS_CONNECTION_URL"])) as client:
            return any(one["cmd"] == "xreadgroup" and "b" in one["flags"] for one in client.client_list())


def badges_config(sections: dict[str, Any] | None = None) -> dict[str, Any]:
    """``BADGES_CONFIG`` with an organization whose key is in the settings alone.

    Arguments:
        sections: where the providers are; nowhere by default, for what never asks them.
    """
    sections = sections or {
        "credly": {"CREDLY_BASE_URL": "http://127.0.0.1:9/", "CREDLY_API_BASE_URL": "http://127.0.0.1:9/v1/"},
        "accredible": {
            "ACCREDIBLE_BASE_URL": "http://127.0.0.1:9/",
            "ACCREDIBLE_API_BASE_URL": "http://127.0.0.1:9/v1/",
        },
    }
    credly = {
        **sections["credly"],
        "ORGANIZATIONS": {seed.LARGE_ORGANIZATION_ID: seed.LARGE_ORGANIZATION_TOKEN},
    }
    consumer = {"sweep_every": 1}
    return {**sections, "events": [PASSING, CCX_PASSING], "credly": credly, "consumer": consumer}


def as_django(url: str) -> dict[str, Any]:
    """A database's URL as Django's settings say it."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": parts.path,
            "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE"},
        }
    return {
        "ENGINE": {"mysql": "django.db.backends.mysql", "postgres": "django.db.backends.postgresql"}[parts.scheme],
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "OPTIONS": {"charset": "utf8mb4"} if parts.scheme == "mysql" else {},
    }


def _answers(url: str) -> bool:
    with contextlib.suppress(requests.ConnectionError):
        return bool(requests.get(url, timeout=5).ok)
    return False
