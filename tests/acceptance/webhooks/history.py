"""The true history: what happens to some hundred badges at Credly, one thing after the other."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from attrs import define, frozen

from demo.sandbox.process import RunningSandbox
from demo.sandbox.seed import ORGANIZATION_ID, template_id

TEMPLATE = template_id("python-basics")
CALLS = 300
"""Of the control API at once."""
REJECTS, HIDDEN, REVOKED, DELETED = 0.1, 0.3, 0.15, 0.1
"""Shares of the badges."""
CLAIMED = 0.85
"""The share of badges that their learners accept or reject; the others stay pending."""


@frozen
class Learner:
    """Somebody who gets a badge."""

    email: str
    own_id: str = ""
    """Our identifier of the badge; empty where somebody issued it on Credly's pages."""


@define
class TrueBadge:
    """A badge as it is in the end."""

    learner: Learner
    id: str
    state: str = "pending"
    is_public: bool = False
    is_deleted: bool = False


@frozen
class TrueHistory:
    """What happened, and what was told of it."""

    badges: list[TrueBadge]
    events: list[dict[str, Any]]
    """As Credly posts them, in the order in which they occurred."""


def play(sandbox: RunningSandbox, learners: list[Learner], dice: random.Random, at_least: int) -> TrueHistory:
    """Let it happen at the sandbox. It posts nothing by itself.

    Arguments:
        at_least: how many events have to come of it; learners hide and show their badges until there are so many.
    """
    badges = _issue(sandbox, learners)
    claiming = [one for one in badges if dice.random() < CLAIMED]
    _act(sandbox, dice, [(one, "reject" if dice.random() < REJECTS else "accept") for one in claiming])
    accepted = [one for one in badges if one.state == "accepted"]
    _act(sandbox, dice, [(one, "hide") for one in accepted if dice.random() < HIDDEN])
    _act(sandbox, dice, [(one, "revoke") for one in badges if dice.random() < REVOKED])
    _act(sandbox, dice, [(one, "delete") for one in badges if dice.random() < DELETED])
    lasting = [one for one in accepted if one.state == "accepted" and not one.is_deleted]
    while (missing := at_least - len(_events(sandbox))) > 0:
        some = dice.sample(lasting, min(len(lasting) // 2, -(-missing // 3)))
        _act(sandbox, dice, [(one, "hide" if one.is_public else "show") for one in some])
    return TrueHistory(badges, [_posted(event) for event in _events(sandbox)])


def _issue(sandbox: RunningSandbox, learners: list[Learner]) -> list[TrueBadge]:
    calls = [
        {
            "path": "badges",
            "body": {
                "organization": ORGANIZATION_ID,
                "badge_template_id": TEMPLATE,
                "recipient_email": learner.email,
                "issued_to_first_name": "Anna",
                "issued_to_last_name": "Lee",
                "issued_at": "2026-01-01 00:00:00 +0000",
                "issuer_earner_id": learner.own_id or None,
            },
        }
        for learner in learners
    ]
    answers = [answer for some in _parts(calls) for answer in sandbox.many(some)]
    return [TrueBadge(learner, answer["id"]) for learner, answer in zip(learners, answers, strict=True)]


def _act(sandbox: RunningSandbox, dice: random.Random, acts: list[tuple[TrueBadge, str]]) -> None:
    dice.shuffle(acts)
    calls: list[dict[str, Any]] = []
    for badge, act in acts:
        path = f"badges/{badge.id}"
        if act == "delete":
            badge.is_deleted = True
            calls.append({"method": "DELETE", "path": path})
        elif act in ("hide", "show"):
            badge.is_public = act == "show"
            calls.append({"path": f"{path}/privacy", "body": {"public": badge.is_public}})
        else:
            badge.state = {"accept": "accepted", "reject": "rejected", "revoke": "revoked"}[act]
            badge.is_public = badge.is_public or act == "accept"
            calls.append({"path": f"{path}/{act}"})
    for some in _parts(calls):
        sandbox.many(some)


def _events(sandbox: RunningSandbox) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sandbox.state()["credly"]["events"]
    return found


def _posted(event: dict[str, Any]) -> dict[str, Any]:
    """As the document's examples have it: the time in seconds."""
    shown = {name: event[name] for name in ("id", "organization_id", "event_type")}
    return {**shown, "occurred_at": f"{event['occurred_at'][:19]}Z"}


def _parts(calls: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(calls), CALLS):
        yield calls[start : start + CALLS]
