"""Requests as providers send them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connection
from django.http import HttpResponse
from django.test import Client

JSON_TYPE = "application/json"


def encoded(message: Any) -> bytes:
    """A message as JSON, whatever is in it: lone surrogates are escaped, NaN is written as such."""
    return json.dumps(message).encode()


def post(
    path: str, body: bytes, headers: Mapping[str, str] | None = None, client: Client | None = None
) -> HttpResponse:
    """Post a body to a path of the test project."""
    extra: dict[str, Any] = {"headers": dict(headers or {})}
    response: Any = (client or Client()).generic("POST", path, body, content_type=JSON_TYPE, **extra)
    return response  # type: ignore[no-any-return]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values in a JSON value, its own first."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy of a JSON value with another value at one place."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


def without(value: Any, path: tuple[Any, ...]) -> Any:
    """A copy of a JSON value that lacks one place."""
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    if len(path) == 1:
        del copy[path[0]]
    else:
        copy[path[0]] = without(value[path[0]], path[1:])
    return copy


def at_once(action: Callable[[], Any], times: int) -> list[Any]:
    """Do the same in threads that start together, each with a connection of its own."""
    barrier = threading.Barrier(times)

    def run() -> Any:
        try:
            connection.ensure_connection()
            barrier.wait(timeout=30)
            return action()
        finally:
            connection.close()

    with ThreadPoolExecutor(times) as pool:
        return [future.result(timeout=60) for future in [pool.submit(run) for _ in range(times)]]
