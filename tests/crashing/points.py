"""The points at which a process can be struck. What is patched is the boundary, never code of the app."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import redis
import requests
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from tests.crashing.dice import Dice

NO_NAME = b"x" * 64 + b".invalid"
"""A label of 64 characters: the resolver itself says that there is no such name, and asks nobody."""
LONGEST_MEETING = 0.3
"""Seconds that a worker waits for a second one at the same delivery."""


def die() -> None:
    """As the kernel's out-of-memory killer would have it: at once, and nothing is tidied up."""
    os.kill(os.getpid(), signal.SIGKILL)


def before_call(dice: Dice) -> None:
    """Die when everything is ready to be sent."""
    send = requests.Session.send

    def dying(self: requests.Session, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        if dice.strikes():
            die()
        return send(self, request, **kwargs)

    _patch(requests.Session, "send", dying)


def during_call(dice: Dice) -> None:
    """Say which call is under way, for one who kills from outside; see :func:`calls_under_way`."""
    send = requests.Session.send

    def announcing(self: requests.Session, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        note = dice.folder / f"calling-{os.getpid()}"
        note.touch()
        try:
            return send(self, request, **kwargs)
        finally:
            note.unlink(missing_ok=True)

    _patch(requests.Session, "send", announcing)


def after_call(dice: Dice) -> None:
    """Die with the provider's answer in hand."""
    send = requests.Session.send

    def dying(self: requests.Session, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        response = send(self, request, **kwargs)
        if dice.strikes():
            die()
        return response

    _patch(requests.Session, "send", dying)


def before_row(dice: Dice) -> None:
    """Die in the transaction that writes down that a badge was issued, before it is committed."""

    def dying(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        result = execute(sql, params, many, context)
        # The badge gets its identifier in the same transaction as the delivery its new status.
        if sql.startswith("UPDATE") and "badging_badge" in sql and "external_id" in sql and dice.strikes():
            die()
        return result

    _wrap_connections(dying)


def two_at_once(dice: Dice) -> None:
    """Hold a worker that is about to take a delivery until a second one is about to take the same."""

    def meeting(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if sql.startswith("UPDATE") and "badging_delivery" in sql and "in_progress" in (params or ()):
            quote = context["connection"].ops.quote_name
            before, found, _ = sql.partition(f"{quote('badging_delivery')}.{quote('id')} = %s")
            if found:
                _meet(dice, params[before.count("%s")])
        return execute(sql, params, many, context)

    _wrap_connections(meeting)


def no_such_host(dice: Dice) -> None:
    """Have the resolver look for a name that does not exist."""
    look_up = socket.getaddrinfo

    def misled(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        return look_up(NO_NAME if dice.strikes() else host, port, *args, **kwargs)

    _patch(socket, "getaddrinfo", misled)


def before_commit(dice: Dice) -> None:
    """Die when all that a batch of events does is written, and not committed."""
    _strike_at_commits(dice, before=True)


def after_commit(dice: Dice) -> None:
    """Die when what a batch of events does is committed, and nobody knows it yet."""
    _strike_at_commits(dice, before=False)


def before_ack(dice: Dice) -> None:
    """Die when messages are about to be acknowledged."""
    _strike_at_acknowledgements(dice, before=True)


def after_ack(dice: Dice) -> None:
    """Die when messages are acknowledged, before anything that was to follow."""
    _strike_at_acknowledgements(dice, before=False)


def _strike_at_commits(dice: Dice, *, before: bool) -> None:
    commit = BaseDatabaseWrapper.commit
    written: set[BaseDatabaseWrapper] = set()

    def watching(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if sql.startswith(("INSERT", "UPDATE")) and "badging_fulfillment" in sql:
            written.add(context["connection"])
        return execute(sql, params, many, context)

    def dying(self: BaseDatabaseWrapper) -> None:
        is_struck = self in written and dice.strikes()
        written.discard(self)
        if is_struck and before:
            die()
        commit(self)
        if is_struck:
            die()

    _wrap_connections(watching)
    _patch(BaseDatabaseWrapper, "commit", dying)


def _strike_at_acknowledgements(dice: Dice, *, before: bool) -> None:
    execute = redis.Redis.execute_command

    def dying(self: redis.Redis, *args: Any, **options: Any) -> Any:
        is_struck = args[0] == "XACK" and dice.strikes()
        if is_struck and before:
            die()
        answer = execute(self, *args, **options)
        if is_struck:
            die()
        return answer

    _patch(redis.Redis, "execute_command", dying)


POINTS: dict[str, Callable[[Dice], None]] = {
    "before_call": before_call,
    "during_call": during_call,
    "after_call": after_call,
    "before_row": before_row,
    "two_at_once": two_at_once,
    "no_such_host": no_such_host,
    "before_commit": before_commit,
    "after_commit": after_commit,
    "before_ack": before_ack,
    "after_ack": after_ack,
}


def calls_under_way(folder: Path, *, longer_than: float) -> list[int]:
    """The processes that have been in one call for so many seconds."""
    now, found = time.time(), []
    for note in folder.glob("calling-*"):
        with suppress(FileNotFoundError):
            if now - note.stat().st_mtime > longer_than:
                found.append(int(note.name.removeprefix("calling-")))
    return found


def meetings(folder: Path) -> int:
    """At how many deliveries two workers, or more, were at the same moment."""
    numbers = Counter(note.name.split("-")[1] for note in folder.glob("meeting-*"))
    return sum(1 for workers in numbers.values() if workers > 1)


def _patch(owner: Any, name: str, replacement: Callable[..., Any]) -> None:
    setattr(owner, name, replacement)


def _wrap_connections(wrapper: Callable[..., Any]) -> None:
    def wrap(*, connection: Any, **kwargs: Any) -> None:
        if wrapper not in connection.execute_wrappers:
            connection.execute_wrappers.append(wrapper)

    connection_created.connect(wrap, weak=False, dispatch_uid="tests.crashing")


def _meet(dice: Dice, delivery_id: int) -> None:
    mine, both = dice.folder / f"meeting-{delivery_id}-{os.getpid()}", f"meeting-{delivery_id}-*"
    if not any(dice.folder.glob(both)) and not dice.strikes():
        return
    mine.touch()
    end = time.monotonic() + LONGEST_MEETING
    while time.monotonic() < end and len(list(dice.folder.glob(both))) < 2:
        time.sleep(0.002)
