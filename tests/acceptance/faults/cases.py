"""The faults to survive, as data."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

from tests.databases import vendor

IS_SQLITE = vendor() == "SQLite"
"""Then fewer workers do less: one of them writes at a time, and the others wait for it."""
AWARDS = 60 if IS_SQLITE else 200
SEED = 2026
THIRD = 1 / 3


@frozen
class Case:
    """One fault, how it is brought about, and what the history of attempts must say of it."""

    name: str
    """For the command line and the test's id."""
    title: str
    faults: tuple[dict[str, Any], ...] = ()
    """At the sandbox, each on a third of the calls; with one seed, so that several strike the same calls."""
    point: str = ""
    """In the worker, on a third of its calls; see :mod:`tests.crashing.points`."""
    seen: int | None = None
    """The HTTP status with which a struck call ends, as the worker sees it."""
    deadly: bool = False
    """Whether who is struck dies."""
    killed_from_outside: bool = False
    is_held_before: bool = False
    """Whether a third of the learners hold the badge already, issued by hand."""
    runs_late: bool = False
    """Whether the provider works on requests long after their senders have gone."""
    outlives_lease: bool = False
    """Whether a second worker may take over while the first one still calls, so that the first one's word is lost."""
    operator: str = ""
    """What a person does once the fault is gone: ``retry_dead`` or ``check_accounts``."""
    workers: int = 4
    phase: float = 45.0
    """The fault goes away when every delivery was tried; or after so many seconds, if it has struck often enough."""
    struck_at_least: int = 40
    deliveries: dict[str, float] = field(factory=dict)
    http: dict[str, float] = field(factory=dict)

    @property
    def processes(self) -> int:
        """How many workers there are."""
        return self.workers // 2 if IS_SQLITE else self.workers

    @property
    def least_strikes(self) -> int:
        """How many calls are struck at least; the fewer awards, the fewer."""
        return max(1, self.struck_at_least * AWARDS // 200)


def status(code: int, **more: Any) -> dict[str, Any]:
    """Answer so, and do nothing."""
    return {"kind": "status", "status": code, **more}


SLOW: dict[str, Any] = {"workers": 8, "runs_late": True, "http": {"read_timeout": 1.0}}
CASES = (
    Case("500", "500", (status(500),), seen=500),
    Case("502-html", "502 with HTML", (status(502, body="html"),), seen=502),
    # A pause keeps all workers from the account, so few calls are made while this fault is there.
    Case(
        "429-retry-after",
        "429, Retry-After: 1",
        (status(429, retry_after="1"),),
        seen=429,
        phase=6.0,
        struck_at_least=6,
        deliveries={"longest_retry": 2.0},
    ),
    Case("429", "429 without Retry-After", (status(429),), seen=429, deliveries={"longest_retry": 0.1}),
    Case(
        "401",
        "401, the account checked by hand",
        (status(401),),
        seen=401,
        operator="check_accounts",
        struck_at_least=1,
        deliveries={"check_stopped": 3600.0, "longest_retry": 3600.0},
    ),
    Case(
        "401-resumes",
        "401, the account resumed by checks",
        (status(401),),
        seen=401,
        phase=6.0,
        # What was refused comes last after each check, so that the others go out first: few are struck.
        struck_at_least=1,
        deliveries={"check_stopped": 0.1, "longest_retry": 0.1},
    ),
    Case("404", "404, retried by hand", (status(404),), seen=404, operator="retry_dead"),
    Case("422", "422, retried by hand", (status(422),), seen=422, operator="retry_dead"),
    Case("422-duplicate", "422, issued by hand before", seen=422, is_held_before=True),
    Case(
        "timeout",
        "timeout, nothing done",
        ({"kind": "delay", "delay": 2.0}, {"kind": "drop"}),
        workers=8,
        runs_late=True,
        http={"read_timeout": 0.8},
    ),
    Case("dropped", "work done, connection dropped", ({"kind": "drop", "after_commit": True},)),
    Case(
        "slow-done",
        "answer after 20 s, work done at once",
        ({"kind": "delay", "delay": 20.0, "after_commit": True},),
        **SLOW,
    ),
    Case("slow-late", "answer after 20 s, work done then", ({"kind": "delay", "delay": 20.0},), **SLOW),
    Case("malformed", "malformed JSON, work done", (status(200, body="malformed", after_commit=True),), seen=200),
    Case(
        "redirect",
        "redirect to another host",
        ({"kind": "redirect", "status": 302, "location": "http://other-host.invalid/"},),
        seen=302,
    ),
    Case("dns", "DNS failure", point="no_such_host"),
    Case("killed-before", "killed before the call", point="before_call", deadly=True),
    Case(
        "killed-during",
        "killed during the call, work done",
        ({"kind": "delay", "delay": 20.0, "after_commit": True},),
        point="during_call",
        deadly=True,
        killed_from_outside=True,
        workers=8,
        http={"read_timeout": 1.5},
    ),
    Case("killed-after", "killed with the answer in hand", point="after_call", deadly=True),
    Case("killed-row", "killed before the row is committed", point="before_row", deadly=True),
    Case("two-at-once", "two workers take one delivery", point="two_at_once"),
    Case(
        "two-done",
        "lease over during the call, work done",
        ({"kind": "delay", "delay": 0.8, "after_commit": True},),
        outlives_lease=True,
        workers=8,
        http={"read_timeout": 3.0},
        deliveries={"lease": 0.3},
    ),
    Case(
        "two-late",
        "lease over during the call, work done late",
        ({"kind": "delay", "delay": 0.8},),
        outlives_lease=True,
        runs_late=True,
        workers=8,
        http={"read_timeout": 3.0},
        deliveries={"lease": 0.3},
    ),
)
PROVIDER_MATTERS = frozenset(
    {
        "429",
        "401",
        "422-duplicate",
        "timeout",
        "dropped",
        "slow-late",
        "malformed",
        "killed-during",
        "killed-after",
        "two-late",
    }
)
"""Where it depends on the provider's own rules (duplicates, look-up, words) whether a badge is doubled."""
PLAYS = [(case, "credly") for case in CASES] + [(case, "accredible") for case in CASES if case.name in PROVIDER_MATTERS]
BY_NAME = {case.name: case for case in CASES}
