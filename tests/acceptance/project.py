"""The test project as an operator runs it: a database, management commands, and processes of its own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import redis

from demo.processes import Child, running, wait_until
from tests import databases
from tests.factories import PASSING

ROOT = databases.ROOT
STREAM = "test-learning-badges-lifecycle"


class Project:
    """One installation of the app: its database, its configuration and its Redis."""

    def __init__(self, folder: Path, redis_url: str, config: dict[str, Any] | None = None) -> None:
        self.folder = folder
        self.redis_url = redis_url
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "settings_test",
            "BADGES_TEST_REDIS_URL": redis_url,
            "BADGES_TEST_CONFIG": json.dumps(config or {}),
            "PYTHONUNBUFFERED": "1",
            **databases.fresh_database(folder),
        }

    def manage(self, *arguments: str) -> str:
        """Run a management command to its end, and give what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{arguments[0]} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def python(self, code: str) -> Any:
        """Run code in the project, and give the JSON that it prints."""
        preamble = "import json; from badges.models import *; from tests.factories import *; "
        return json.loads(self.manage("shell", "--no-imports", "-c", preamble + code).strip() or "null")

    def start(self, name: str, *arguments: str) -> AbstractContextManager[Child]:
        """Start a management command as a process of its own."""
        return running(
            name,
            [sys.executable, "manage.py", *arguments],
            log=self.folder / f"{name}.log",
            env=self.environment,
            cwd=ROOT,
        )

    @contextlib.contextmanager
    def consumer(self) -> Iterator[Child]:
        """The worker, started as the settings document writes it, and listening."""
        command = ["consume_events", "-t", "learning-badges-lifecycle", "-g", "credentials_dev"]
        extra = '--extra={"consumer_name": "credentials_dev.consumer1"}'
        with self.start("consumer", *command, extra) as child:
            wait_until(self._listens, "the consumer listens", alive=[child])
            yield child

    def produce(self, username: str, *, is_passing: bool = True, course: str = "course-v1:edX+DemoX+2026") -> str:
        """Put a passing-status event on the bus with the real producer."""
        data = {
            "course_passing_status": {
                "is_passing": is_passing,
                "user": {
                    "id": 7,
                    "is_active": True,
                    "pii": {"username": username, "email": f"{username}@example.com", "name": "Anna Lee"},
                },
                "course": {"course_key": course},
            }
        }
        return self.manage("produce_event", PASSING, "--data", json.dumps(data))

    def on_the_bus(self) -> list[str]:
        """The types of all events on the topic, oldest first."""
        with contextlib.closing(redis.Redis.from_url(self.redis_url)) as client:
            messages: Any = client.xrange(STREAM)
            return [fields[b"type"].decode() for _, fields in messages]

    def _listens(self) -> bool:
        """Whether a consumer waits for events: the stock one skips what was published before."""
        with contextlib.closing(redis.Redis.from_url(self.redis_url)) as client:
            # Asked of the connections: Redis 6 lists no consumer in the group before its first message.
            return any(one["cmd"] == "xreadgroup" and "b" in one["flags"] for one in client.client_list())
