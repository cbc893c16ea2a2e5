"""Requests and replies, without the HTTP around them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """One request as the server received it."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    base_url: str
    """How the caller addressed this server; ends with a slash. Links in answers start with it."""
    target: str = ""
    """The path with its query as it was sent, not unquoted: what some providers have signed."""

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of the path."""
        return tuple(part for part in self.path.split("/") if part)

    def json(self) -> Json:
        """The JSON object in the body.

        Raises:
            Refusal: there is none.
        """
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            raise Refusal(Reply.json(400, {"errors": "The body is not JSON"})) from None
        if not isinstance(found, dict):
            raise Refusal(Reply.json(400, {"errors": "The body is not a JSON object"}))
        return found


@dataclass(frozen=True)
class Reply:
    """One reply."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, status: int, value: object) -> Reply:
        """A reply with a JSON body."""
        return cls(status, json.dumps(value, default=str).encode())

    @classmethod
    def text(cls, status: int, value: str) -> Reply:
        """A reply in plain text."""
        return cls(status, value.encode(), "text/plain; charset=utf-8")

    @classmethod
    def html(cls, status: int, value: str) -> Reply:
        """A page."""
        return cls(status, value.encode(), "text/html; charset=utf-8")


class Refusal(Exception):
    """A request that is answered with an error; nothing was changed."""

    def __init__(self, reply: Reply) -> None:
        """
        Arguments:
            reply: the answer.
        """
        super().__init__(f"HTTP {reply.status}")
        self.reply = reply
