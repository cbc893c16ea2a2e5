"""Faults that can be switched on: what a real provider and the network in between do on a bad day."""

from __future__ import annotations

import random
import re
import threading
from dataclasses import dataclass, field
from typing import Any

from demo.sandbox.messages import Json, Reply

KINDS = ("status", "delay", "drop", "redirect")
BODIES = ("json", "html", "empty", "malformed")


@dataclass
class Fault:
    """One fault; it happens to calls that match, with a probability, and a limited number of times if so wished."""

    kind: str
    """``status``: answer with ``status`` and ``body``. ``delay``: wait. ``drop``: close the connection without an
    answer. ``redirect``: answer with a redirect to ``location``."""
    method: str = ""
    """Only calls with this method; empty for all."""
    path: str = ""
    """Only calls whose path (without query) this regular expression finds; empty for all."""
    after_commit: bool = False
    """Whether the work is done all the same, so that only its answer is lost, late or wrong."""
    status: int = 503
    body: str = "json"
    retry_after: str = ""
    """A ``Retry-After`` header, as it is sent."""
    delay: float = 0.0
    """Seconds."""
    location: str = "http://other-host.invalid/"
    count: int | None = None
    """How many times it still happens; None for without end."""
    probability: float = 1.0
    seed: int = 0
    """Two runs with the same seed and the same calls fail at the same calls."""
    happened: int = 0
    _random: random.Random = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: one of them cannot be; the text says which.
        """
        if self.kind not in KINDS:
            raise ValueError(f'"kind" must be one of {", ".join(KINDS)}.')
        if self.body not in BODIES:
            raise ValueError(f'"body" must be one of {", ".join(BODIES)}.')
        if not 200 <= self.status <= 599 or not 0 <= self.probability <= 1 or not 0 <= self.delay <= 600:
            raise ValueError('"status" must be 200 to 599, "probability" 0 to 1, "delay" 0 to 600 seconds.')
        if self.count is not None and self.count < 1:
            raise ValueError('"count" must be at least 1, or absent.')
        try:
            re.compile(self.path)
        except re.error as error:
            raise ValueError(f'"path" is not a regular expression: {error}.') from None
        self._random = random.Random(self.seed)

    def strikes(self, method: str, path: str) -> bool:
        """Whether it happens to this call; counts it if so."""
        if self.count == 0 or (self.method and self.method.upper() != method) or not re.search(self.path, path):
            return False
        # At 1 as well: changing the probability keeps the sequence of a seed.
        if self._random.random() >= self.probability:
            return False
        self.happened += 1
        if self.count is not None:
            self.count -= 1
        return True

    def reply(self) -> Reply | None:
        """What is answered instead; None where the connection is dropped."""
        if self.kind == "drop":
            return None
        if self.kind == "redirect":
            return Reply(self.status if 300 <= self.status < 400 else 302, headers={"Location": self.location})
        headers = {"Retry-After": self.retry_after} if self.retry_after else {}
        content, content_type = {
            "json": ('{"data": {"message": "A fault of the sandbox"}, "metadata": null}', "application/json"),
            "html": ("<html><head><title>Bad gateway</title></head><body>Try later</body></html>", "text/html"),
            "empty": ("", "application/json"),
            "malformed": ('{"data": {"id": "12', "application/json"),
        }[self.body]
        return Reply(self.status, content.encode(), content_type, headers)

    def describe(self) -> Json:
        """Its values, for JSON."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}


def read_fault(values: Json) -> Fault:
    """A fault from JSON.

    Raises:
        ValueError: a key is not known, or a value has the wrong type or size.
    """
    known: dict[str, tuple[type, ...]] = {
        **dict.fromkeys(("kind", "method", "path", "body", "retry_after", "location"), (str,)),
        **dict.fromkeys(("status", "seed"), (int,)),
        **dict.fromkeys(("delay", "probability"), (int, float)),
        "after_commit": (bool,),
        "count": (int, type(None)),
    }
    for key, value in values.items():
        if key not in known:
            raise ValueError(f'"{key}" is not known. Known: {", ".join(sorted(known))}.')
        if not isinstance(value, known[key]) or (isinstance(value, bool) and bool not in known[key]):
            raise ValueError(f'"{key}" has the wrong type.')
    if "kind" not in values:
        raise ValueError(f'"kind" is missing: one of {", ".join(KINDS)}.')
    arguments: dict[str, Any] = values
    return Fault(**arguments)


class Faults:
    """All faults that are switched on, in the order in which they were."""

    def __init__(self) -> None:
        """Without any fault."""
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Switch one on."""
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """Switch all off."""
        with self._lock:
            self._faults.clear()

    def strike(self, method: str, path: str) -> list[Fault]:
        """What happens to this call: any number of delays, and at most one other fault, the first that strikes."""
        with self._lock:
            struck: list[Fault] = []
            for fault in self._faults:
                decided = any(one.kind != "delay" for one in struck)
                if (fault.kind == "delay" or not decided) and fault.strikes(method, path):
                    struck.append(fault)
            return struck

    def describe(self) -> list[Json]:
        """All of them, for JSON."""
        with self._lock:
            return [fault.describe() for fault in self._faults]
