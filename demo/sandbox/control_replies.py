"""What the control API answers, for whichever provider."""

from __future__ import annotations

from demo.sandbox.messages import Json, Refusal, Reply
from demo.sandbox.store import SECRETS


def bad(message: str) -> Refusal:
    """A request that cannot be."""
    return Refusal(Reply.json(400, {"error": message}))


def or_missing(found: Json | None, what: str) -> Reply:
    """What was changed, or that it is not there."""
    if found is None:
        return Reply.json(404, {"error": f"There is no such {what}."})
    return Reply.json(200, {name: value for name, value in found.items() if name not in SECRETS})


def unknown() -> Reply:
    """An address that leads nowhere."""
    return Reply.json(404, {"error": "See GET /_sandbox/ for what there is."})


def change(known: Json | None, values: Json, allowed: dict[str, type]) -> Reply:
    """Change an organization or an account; the answer holds no secret."""
    if known is None:
        return or_missing(None, "account")
    for name, value in values.items():
        is_empty = value == "" or (isinstance(value, int) and value < 0)
        # Exactly this type: True is a number in Python.
        if is_empty or type(value) is not allowed.get(name):
            raise bad(f'"{name}" cannot be changed, or not to this. To be changed: {", ".join(allowed)}.')
    known.update(values)
    return Reply.json(200, {"id": known["id"], **{name: known[name] for name in values if name not in SECRETS}})
